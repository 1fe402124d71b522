"""Stateless twins of the metrics: one call, one value, no synchronisation.

``preds`` and ``target`` are as in ``MeanIoU.update``, the keyword arguments as in ``MeanIoU``, and so are
the errors; labels outside the classes raise on every device.

>>> import torch
>>> from segiou.functional import mean_iou
>>> mean_iou(torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 2]]), num_classes=3)
tensor(0.6667)
"""

from typing import Any

from torch import Tensor

from segiou import boundary, classification, metrics, sweep
from segiou.classes import NumClasses
from segiou.compiling import uncompiled
from segiou.metric import ConfusionMatrixMetric
from segiou.pixels import PixelMetric


def mean_iou(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Mean intersection over union: TP / (TP + FP + FN). See ``segiou.MeanIoU``."""
    return _score(metrics.MeanIoU(num_classes, **kwargs), preds, target)


def jaccard_index(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """``mean_iou`` under its name in torchmetrics. See ``segiou.JaccardIndex``."""
    return _score(classification.JaccardIndex(num_classes, **kwargs), preds, target)


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
    return _score(boundary.BoundaryIoU(num_classes, **kwargs), preds, target)


def trimap_iou(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """Mean IoU near changes of the target; takes ``ratio`` or ``pixels``. See ``segiou.TrimapIoU``."""
    return _score(boundary.TrimapIoU(num_classes, **kwargs), preds, target)


def confusion_matrix(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> Tensor:
    """The matrix of pixels, ``(C, C)``; takes ``normalize``. See ``segiou.ConfusionMatrix``."""
    return _score(classification.ConfusionMatrix(num_classes, **kwargs), preds, target)


def segmentation_metrics(preds: Any, target: Any, num_classes: NumClasses = None, **kwargs: Any) -> dict[str, Tensor]:
    """Every score by its name; takes ``per_class`` and ``beta``. See ``segiou.SegmentationMetrics``."""
    values: dict[str, Tensor] = _value(metrics.SegmentationMetrics(num_classes, **kwargs), preds, target)
    return values


def threshold_sweep(preds: Any, target: Any, **kwargs: Any) -> sweep.Sweep:
    """Scores at many thresholds, and the best threshold; takes ``thresholds``. See ``segiou.ThresholdSweep``."""
    value: sweep.Sweep = _value(sweep.ThresholdSweep(**kwargs), preds, target)
    return value


def _score(metric: ConfusionMatrixMetric, preds: Any, target: Any) -> Tensor:
    value: Tensor = _value(metric, preds, target)
    return value


@uncompiled
def _value(metric: PixelMetric, preds: Any, target: Any) -> Any:
    return metric.checked_value(*metric.counted(preds, target))
