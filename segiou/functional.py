"""The metrics as functions: one call gives one value, nothing is kept, and nothing is synchronized.

``preds`` and ``target`` are as in ``MeanIoU.update``, the arguments and the errors as in the metric of that name.
Labels outside the classes raise on every device. The Jaccard indices and confusion matrices
have the arguments of the functions of these names in ``torchmetrics.functional``, in their order.

>>> import torch
>>> from segiou.functional import mean_iou
>>> mean_iou(torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 2]]), num_classes=3)
tensor(0.6667)
"""

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from typing_extensions import Unpack

from segiou import classification, metrics
from segiou.classification.confusion_matrix import Normalize
from segiou.counting import IgnoreIndex, Task
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import (
    Absent,
    ClassNames,
    ClassScoreArguments,
    ConfusionMatrixArguments,
    JaccardArguments,
    MatrixScoreArguments,
    ScoreArguments,
    UpsampleArguments,
)
from segiou.metrics.pixels import PixelMetric
from segiou.metrics.signatures import signed
from segiou.metrics.signed_metric import Value
from segiou.metrics.threshold_sweep import Best, SweepTask
from segiou.scoring.averaging import Average


@signed(metrics.MeanIoU)
def mean_iou(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Mean intersection over union: TP / (TP + FP + FN). See ``segiou.MeanIoU``."""
    return _value(metrics.MeanIoU(num_classes, **kwargs), preds, target)


@signed(metrics.Dice)
def dice(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Dice coefficient: 2 TP / (2 TP + FP + FN). See ``segiou.Dice``."""
    return _value(metrics.Dice(num_classes, **kwargs), preds, target)


@signed(metrics.Precision)
def precision(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Precision: TP / (TP + FP). See ``segiou.Precision``."""
    return _value(metrics.Precision(num_classes, **kwargs), preds, target)


@signed(metrics.Recall)
def recall(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Recall: TP / (TP + FN). See ``segiou.Recall``."""
    return _value(metrics.Recall(num_classes, **kwargs), preds, target)


@signed(metrics.FBeta)
def fbeta(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    *,
    beta: float = 1.0,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Precision and recall in one, recall weighted ``beta`` times as much. See ``segiou.FBeta``."""
    return _value(metrics.FBeta(num_classes, beta=beta, **kwargs), preds, target)


@signed(metrics.MeanAccuracy)
def mean_accuracy(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Mean over classes of the share of their pixels that are right. See ``segiou.MeanAccuracy``."""
    return _value(metrics.MeanAccuracy(num_classes, **kwargs), preds, target)


@signed(metrics.FrequencyWeightedIoU)
def frequency_weighted_iou(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ClassScoreArguments],
) -> Tensor:
    """IoU weighted by the target pixels of the classes. See ``segiou.FrequencyWeightedIoU``."""
    return _value(metrics.FrequencyWeightedIoU(num_classes, **kwargs), preds, target)


@signed(metrics.PixelAccuracy)
def pixel_accuracy(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreArguments],
) -> Tensor:
    """Share of all counted pixels that are right. See ``segiou.PixelAccuracy``."""
    return _value(metrics.PixelAccuracy(num_classes, **kwargs), preds, target)


@signed(metrics.CohenKappa)
def cohen_kappa(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreArguments],
) -> Tensor:
    """Agreement beyond chance. See ``segiou.CohenKappa``."""
    return _value(metrics.CohenKappa(num_classes, **kwargs), preds, target)


@signed(metrics.MatthewsCorrCoef)
def matthews_corrcoef(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreArguments],
) -> Tensor:
    """Correlation of prediction and target. See ``segiou.MatthewsCorrCoef``."""
    return _value(metrics.MatthewsCorrCoef(num_classes, **kwargs), preds, target)


@signed(metrics.BoundaryIoU)
def boundary_iou(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    *,
    ratio: float = 0.02,
    pixels: int | None = None,
    border: bool = True,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Mean IoU of the pixels near contours. See ``segiou.BoundaryIoU``."""
    return _value(metrics.BoundaryIoU(num_classes, ratio=ratio, pixels=pixels, border=border, **kwargs), preds, target)


@signed(metrics.TrimapIoU)
def trimap_iou(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    *,
    ratio: float = 0.02,
    pixels: int | None = None,
    border: bool = False,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Mean IoU of the pixels near a change of label in the target. See ``segiou.TrimapIoU``."""
    return _value(metrics.TrimapIoU(num_classes, ratio=ratio, pixels=pixels, border=border, **kwargs), preds, target)


@signed(metrics.SegmentationMetrics)
def segmentation_metrics(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    *,
    per_class: bool = False,
    beta: float = 1.0,
    prefix: str = "",
    **kwargs: Unpack[ClassScoreArguments],
) -> dict[str, Tensor]:
    """Every score by its name. See ``segiou.SegmentationMetrics``."""
    return _value(
        metrics.SegmentationMetrics(num_classes, per_class=per_class, beta=beta, prefix=prefix, **kwargs), preds, target
    )


@signed(metrics.ThresholdSweep)
def threshold_sweep(
    preds: Any,
    target: Any,
    task: SweepTask = "binary",
    thresholds: int | Iterable[float] = 101,
    *,
    num_labels: int | None = None,
    ignore_index: IgnoreIndex = None,
    from_logits: bool = False,
    validate_args: bool = True,
    class_names: ClassNames = None,
    best: Best = "Dice",
    **kwargs: Unpack[UpsampleArguments],
) -> metrics.Sweep:
    """Scores at many thresholds, and the best threshold. See ``segiou.ThresholdSweep``."""
    metric = metrics.ThresholdSweep(
        task,
        thresholds,
        num_labels=num_labels,
        ignore_index=ignore_index,
        from_logits=from_logits,
        validate_args=validate_args,
        class_names=class_names,
        best=best,
        **kwargs,
    )
    return _value(metric, preds, target)


@signed(classification.JaccardIndex)
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
    *,
    absent: Absent | None = None,
    from_logits: bool | None = None,
    **kwargs: Unpack[JaccardArguments],
) -> Tensor:
    """Intersection over union with torchmetrics' arguments and results. See ``segiou.JaccardIndex``."""
    metric = classification.JaccardIndex(
        task,
        threshold,
        num_classes,
        num_labels,
        average,
        ignore_index,
        validate_args,
        zero_division,
        absent=absent,
        from_logits=from_logits,
        **kwargs,
    )
    return _value(metric, preds, target)


@signed(classification.BinaryJaccardIndex)
def binary_jaccard_index(
    preds: Any,
    target: Any,
    threshold: float = 0.5,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    *,
    absent: Absent | None = None,
    from_logits: bool | None = None,
    **kwargs: Unpack[JaccardArguments],
) -> Tensor:
    """Intersection over union of the positive class. See ``segiou.BinaryJaccardIndex``."""
    metric = classification.BinaryJaccardIndex(
        threshold, ignore_index, validate_args, zero_division, absent=absent, from_logits=from_logits, **kwargs
    )
    return _value(metric, preds, target)


@signed(classification.MulticlassJaccardIndex)
def multiclass_jaccard_index(
    preds: Any,
    target: Any,
    num_classes: NumClasses,
    average: Average | None = "macro",
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    *,
    absent: Absent | None = None,
    **kwargs: Unpack[JaccardArguments],
) -> Tensor:
    """Intersection over union of several classes. See ``segiou.MulticlassJaccardIndex``."""
    metric = classification.MulticlassJaccardIndex(
        num_classes, average, ignore_index, validate_args, zero_division, absent=absent, **kwargs
    )
    return _value(metric, preds, target)


@signed(classification.MultilabelJaccardIndex)
def multilabel_jaccard_index(
    preds: Any,
    target: Any,
    num_labels: int,
    threshold: float = 0.5,
    average: Average | None = "macro",
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    *,
    absent: Absent | None = None,
    from_logits: bool | None = None,
    **kwargs: Unpack[JaccardArguments],
) -> Tensor:
    """Intersection over union of labels that may overlap. See ``segiou.MultilabelJaccardIndex``."""
    metric = classification.MultilabelJaccardIndex(
        num_labels,
        threshold,
        average,
        ignore_index,
        validate_args,
        zero_division,
        absent=absent,
        from_logits=from_logits,
        **kwargs,
    )
    return _value(metric, preds, target)


@signed(classification.ConfusionMatrix)
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
    *,
    from_logits: bool | None = None,
    **kwargs: Unpack[ConfusionMatrixArguments],
) -> Tensor:
    """The matrix of pixels, ``(C, C)``, for multilabel ``(L, 2, 2)``. See ``segiou.ConfusionMatrix``."""
    metric = classification.ConfusionMatrix(
        task,
        threshold,
        num_classes,
        num_labels,
        normalize,
        ignore_index,
        validate_args,
        from_logits=from_logits,
        **kwargs,
    )
    return _value(metric, preds, target)


@signed(classification.BinaryConfusionMatrix)
def binary_confusion_matrix(
    preds: Any,
    target: Any,
    threshold: float = 0.5,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    *,
    from_logits: bool | None = None,
    **kwargs: Unpack[ConfusionMatrixArguments],
) -> Tensor:
    """The matrix of a binary task, ``(2, 2)``. See ``segiou.BinaryConfusionMatrix``."""
    metric = classification.BinaryConfusionMatrix(
        threshold, ignore_index, normalize, validate_args, from_logits=from_logits, **kwargs
    )
    return _value(metric, preds, target)


@signed(classification.MulticlassConfusionMatrix)
def multiclass_confusion_matrix(
    preds: Any,
    target: Any,
    num_classes: NumClasses,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    **kwargs: Unpack[ConfusionMatrixArguments],
) -> Tensor:
    """The matrix of several classes, ``(C, C)``. See ``segiou.MulticlassConfusionMatrix``."""
    metric = classification.MulticlassConfusionMatrix(num_classes, ignore_index, normalize, validate_args, **kwargs)
    return _value(metric, preds, target)


@signed(classification.MultilabelConfusionMatrix)
def multilabel_confusion_matrix(
    preds: Any,
    target: Any,
    num_labels: int,
    threshold: float = 0.5,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    *,
    from_logits: bool | None = None,
    **kwargs: Unpack[ConfusionMatrixArguments],
) -> Tensor:
    """A matrix for each of the labels, ``(L, 2, 2)``. See ``segiou.MultilabelConfusionMatrix``."""
    metric = classification.MultilabelConfusionMatrix(
        num_labels, threshold, ignore_index, normalize, validate_args, from_logits=from_logits, **kwargs
    )
    return _value(metric, preds, target)


def _value(metric: PixelMetric[Value], preds: Any, target: Any) -> Value:
    counts, errors = metric.counted(preds, target)
    metric.check(errors)
    return metric.value_of(counts)
