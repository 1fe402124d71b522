"""Stateless twins of the metrics: one call, one value, no synchronisation.

``preds`` and ``target`` are as in ``MeanIoU.update``, the keyword arguments as in ``MeanIoU``, and so are
the errors; labels outside the classes raise on every device. The Jaccard indices and confusion matrices
have the arguments of the functions of these names in ``torchmetrics.functional``, in their order.

>>> import torch
>>> from segiou.functional import mean_iou
>>> mean_iou(torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 2]]), num_classes=3)
tensor(0.6667)
"""

from typing import Any

from torch import Tensor

from segiou import classification, metrics
from segiou.classification.confusion_matrix import Normalize
from segiou.counting import IgnoreIndex, Task
from segiou.counting.compiling import uncompiled
from segiou.labels.class_names import NumClasses
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.pixels import PixelMetric
from segiou.scoring.averaging import Average


def mean_iou(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Mean intersection over union: TP / (TP + FP + FN). See ``segiou.MeanIoU``."""
    return _score(metrics.MeanIoU(num_classes, **kwargs), preds, target)


def dice(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Dice coefficient: 2 TP / (2 TP + FP + FN). See ``segiou.Dice``."""
    return _score(metrics.Dice(num_classes, **kwargs), preds, target)


def precision(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Precision: TP / (TP + FP). See ``segiou.Precision``."""
    return _score(metrics.Precision(num_classes, **kwargs), preds, target)


def recall(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Recall: TP / (TP + FN). See ``segiou.Recall``."""
    return _score(metrics.Recall(num_classes, **kwargs), preds, target)


def fbeta(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """F-beta; takes ``beta``. See ``segiou.FBeta``."""
    return _score(metrics.FBeta(num_classes, **kwargs), preds, target)


def mean_accuracy(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Mean over classes of the share of their pixels that are right. See ``segiou.MeanAccuracy``."""
    return _score(metrics.MeanAccuracy(num_classes, **kwargs), preds, target)


def frequency_weighted_iou(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """IoU weighted by the target pixels of the classes. See ``segiou.FrequencyWeightedIoU``."""
    return _score(metrics.FrequencyWeightedIoU(num_classes, **kwargs), preds, target)


def generalized_dice(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Generalized Dice score; takes ``weight_type``. See ``segiou.GeneralizedDice``."""
    return _score(metrics.GeneralizedDice(num_classes, **kwargs), preds, target)


def pixel_accuracy(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Share of all counted pixels that are right. See ``segiou.PixelAccuracy``."""
    return _score(metrics.PixelAccuracy(num_classes, **kwargs), preds, target)


def cohen_kappa(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Agreement beyond chance. See ``segiou.CohenKappa``."""
    return _score(metrics.CohenKappa(num_classes, **kwargs), preds, target)


def matthews_corrcoef(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Correlation of prediction and target. See ``segiou.MatthewsCorrCoef``."""
    return _score(metrics.MatthewsCorrCoef(num_classes, **kwargs), preds, target)


def boundary_iou(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Mean IoU of the pixels near contours; takes ``ratio`` or ``pixels``. See ``segiou.BoundaryIoU``."""
    return _score(metrics.BoundaryIoU(num_classes, **kwargs), preds, target)


def trimap_iou(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Mean IoU near changes of the target; takes ``ratio`` or ``pixels``. See ``segiou.TrimapIoU``."""
    return _score(metrics.TrimapIoU(num_classes, **kwargs), preds, target)


def segmentation_metrics(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> dict[str, Tensor]:
    """Every score by its name; takes ``per_class`` and ``beta``. See ``segiou.SegmentationMetrics``."""
    values: dict[str, Tensor] = _value(metrics.SegmentationMetrics(num_classes, **kwargs), preds, target)
    return values


def threshold_sweep(preds: Any, target: Any, **kwargs: Any) -> metrics.Sweep:
    """Scores at many thresholds, and the best threshold; takes ``thresholds``. See ``segiou.ThresholdSweep``."""
    value: metrics.Sweep = _value(metrics.ThresholdSweep(**kwargs), preds, target)
    return value


def jaccard_index(
    preds: Any,
    target: Any,
    task: Task | NumClasses = "multiclass",
    threshold: float = 0.5,
    num_classes: NumClasses = None,
    num_labels: int | None = None,
    average: Average | None = "macro",
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    **kwargs: Any,
) -> Tensor:
    """Intersection over union with torchmetrics' arguments and results. See ``segiou.JaccardIndex``."""
    metric = classification.JaccardIndex(
        task, threshold, num_classes, num_labels, average, ignore_index, validate_args, zero_division, **kwargs
    )
    return _score(metric, preds, target)


def binary_jaccard_index(
    preds: Any,
    target: Any,
    threshold: float = 0.5,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    **kwargs: Any,
) -> Tensor:
    """Intersection over union of the positive class. See ``segiou.BinaryJaccardIndex``."""
    metric = classification.BinaryJaccardIndex(threshold, ignore_index, validate_args, zero_division, **kwargs)
    return _score(metric, preds, target)


def multiclass_jaccard_index(
    preds: Any,
    target: Any,
    num_classes: NumClasses,
    average: Average | None = "macro",
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    **kwargs: Any,
) -> Tensor:
    """Intersection over union of several classes. See ``segiou.MulticlassJaccardIndex``."""
    metric = classification.MulticlassJaccardIndex(
        num_classes, average, ignore_index, validate_args, zero_division, **kwargs
    )
    return _score(metric, preds, target)


def multilabel_jaccard_index(
    preds: Any,
    target: Any,
    num_labels: int,
    threshold: float = 0.5,
    average: Average | None = "macro",
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    **kwargs: Any,
) -> Tensor:
    """Intersection over union of labels that may overlap. See ``segiou.MultilabelJaccardIndex``."""
    metric = classification.MultilabelJaccardIndex(
        num_labels, threshold, average, ignore_index, validate_args, zero_division, **kwargs
    )
    return _score(metric, preds, target)


def confusion_matrix(
    preds: Any,
    target: Any,
    task: Task | NumClasses = "multiclass",
    threshold: float = 0.5,
    num_classes: NumClasses = None,
    num_labels: int | None = None,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    **kwargs: Any,
) -> Tensor:
    """The matrix of pixels, ``(C, C)``, for multilabel ``(L, 2, 2)``. See ``segiou.ConfusionMatrix``."""
    metric = classification.ConfusionMatrix(
        task, threshold, num_classes, num_labels, normalize, ignore_index, validate_args, **kwargs
    )
    return _score(metric, preds, target)


def binary_confusion_matrix(
    preds: Any,
    target: Any,
    threshold: float = 0.5,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    **kwargs: Any,
) -> Tensor:
    """The matrix of a binary task, ``(2, 2)``. See ``segiou.BinaryConfusionMatrix``."""
    metric = classification.BinaryConfusionMatrix(threshold, ignore_index, normalize, validate_args, **kwargs)
    return _score(metric, preds, target)


def multiclass_confusion_matrix(
    preds: Any,
    target: Any,
    num_classes: NumClasses,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    **kwargs: Any,
) -> Tensor:
    """The matrix of several classes, ``(C, C)``. See ``segiou.MulticlassConfusionMatrix``."""
    metric = classification.MulticlassConfusionMatrix(num_classes, ignore_index, normalize, validate_args, **kwargs)
    return _score(metric, preds, target)


def multilabel_confusion_matrix(
    preds: Any,
    target: Any,
    num_labels: int,
    threshold: float = 0.5,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    **kwargs: Any,
) -> Tensor:
    """A matrix for each of the labels, ``(L, 2, 2)``. See ``segiou.MultilabelConfusionMatrix``."""
    metric = classification.MultilabelConfusionMatrix(
        num_labels, threshold, ignore_index, normalize, validate_args, **kwargs
    )
    return _score(metric, preds, target)


def _score(metric: ConfusionMatrixMetric, preds: Any, target: Any) -> Tensor:
    value: Tensor = _value(metric, preds, target)
    return value


@uncompiled
def _value(metric: PixelMetric, preds: Any, target: Any) -> Any:
    return metric.checked_value(*metric.counted(preds, target))
