"""The metrics as functions: one call gives one value, nothing is kept, and nothing is synchronized.

``preds`` and ``target`` are as in ``MeanIoU.update``, the arguments and the errors as in the metric of that name.
Labels outside the classes raise on every device. The Jaccard indices and confusion matrices
have the arguments of the functions of these names in ``torchmetrics.functional``, in their order. Functions whose
names end in ``_from_confmat`` score a confusion matrix that was counted elsewhere.

>>> import torch
>>> from segiou.functional import mean_iou
>>> mean_iou(torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 2]]), num_classes=3)
tensor(0.6667)
"""

from segiou.classification.functional import (
    binary_confusion_matrix,
    binary_jaccard_index,
    confusion_matrix,
    jaccard_index,
    multiclass_confusion_matrix,
    multiclass_jaccard_index,
    multilabel_confusion_matrix,
    multilabel_jaccard_index,
)
from segiou.functional.batches import (
    boundary_iou,
    cohen_kappa,
    dice,
    fbeta,
    frequency_weighted_iou,
    generalized_dice,
    matthews_corrcoef,
    mean_accuracy,
    mean_iou,
    pixel_accuracy,
    precision,
    recall,
    segmentation_metrics,
    threshold_sweep,
    trimap_iou,
)
from segiou.functional.matrices import (
    cohen_kappa_from_confmat,
    dice_from_confmat,
    fbeta_from_confmat,
    frequency_weighted_iou_from_confmat,
    generalized_dice_from_confmat,
    matthews_corrcoef_from_confmat,
    mean_accuracy_from_confmat,
    mean_iou_from_confmat,
    pixel_accuracy_from_confmat,
    precision_from_confmat,
    recall_from_confmat,
    segmentation_metrics_from_confmat,
)

__all__ = [
    "binary_confusion_matrix",
    "binary_jaccard_index",
    "boundary_iou",
    "cohen_kappa",
    "cohen_kappa_from_confmat",
    "confusion_matrix",
    "dice",
    "dice_from_confmat",
    "fbeta",
    "fbeta_from_confmat",
    "frequency_weighted_iou",
    "frequency_weighted_iou_from_confmat",
    "generalized_dice",
    "generalized_dice_from_confmat",
    "jaccard_index",
    "matthews_corrcoef",
    "matthews_corrcoef_from_confmat",
    "mean_accuracy",
    "mean_accuracy_from_confmat",
    "mean_iou",
    "mean_iou_from_confmat",
    "multiclass_confusion_matrix",
    "multiclass_jaccard_index",
    "multilabel_confusion_matrix",
    "multilabel_jaccard_index",
    "pixel_accuracy",
    "pixel_accuracy_from_confmat",
    "precision",
    "precision_from_confmat",
    "recall",
    "recall_from_confmat",
    "segmentation_metrics",
    "segmentation_metrics_from_confmat",
    "threshold_sweep",
    "trimap_iou",
]
