"""The scores of one batch of pixels."""

from collections.abc import Iterable
from typing import Any

from torch import Tensor
from typing_extensions import Unpack

from segiou import metrics
from segiou.counting import IgnoreIndex
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import (
    ClassNames,
    ClassScoreArguments,
    MatrixScoreArguments,
    ScoreArguments,
    UpsampleArguments,
)
from segiou.metrics.pixels import value_of_batch
from segiou.metrics.signatures import signed
from segiou.metrics.threshold_sweep import Best, SweepTask
from segiou.scoring.formulas import WeightType


@signed(metrics.MeanIoU)
def mean_iou(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Mean intersection over union: TP / (TP + FP + FN). See ``segiou.MeanIoU``."""
    return value_of_batch(metrics.MeanIoU(num_classes, **kwargs), preds, target)


@signed(metrics.Dice)
def dice(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Dice coefficient: 2 TP / (2 TP + FP + FN). See ``segiou.Dice``."""
    return value_of_batch(metrics.Dice(num_classes, **kwargs), preds, target)


@signed(metrics.Precision)
def precision(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Precision: TP / (TP + FP). See ``segiou.Precision``."""
    return value_of_batch(metrics.Precision(num_classes, **kwargs), preds, target)


@signed(metrics.Recall)
def recall(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Recall: TP / (TP + FN). See ``segiou.Recall``."""
    return value_of_batch(metrics.Recall(num_classes, **kwargs), preds, target)


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
    return value_of_batch(metrics.FBeta(num_classes, beta=beta, **kwargs), preds, target)


@signed(metrics.MeanAccuracy)
def mean_accuracy(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreArguments],
) -> Tensor:
    """Mean over classes of the share of their pixels that are right. See ``segiou.MeanAccuracy``."""
    return value_of_batch(metrics.MeanAccuracy(num_classes, **kwargs), preds, target)


@signed(metrics.FrequencyWeightedIoU)
def frequency_weighted_iou(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ClassScoreArguments],
) -> Tensor:
    """IoU weighted by the target pixels of the classes. See ``segiou.FrequencyWeightedIoU``."""
    return value_of_batch(metrics.FrequencyWeightedIoU(num_classes, **kwargs), preds, target)


@signed(metrics.GeneralizedDice)
def generalized_dice(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    *,
    weight_type: WeightType = "square",
    **kwargs: Unpack[ClassScoreArguments],
) -> Tensor:
    """Generalized Dice score, one of all classes. See ``segiou.GeneralizedDice``."""
    return value_of_batch(metrics.GeneralizedDice(num_classes, weight_type=weight_type, **kwargs), preds, target)


@signed(metrics.PixelAccuracy)
def pixel_accuracy(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreArguments],
) -> Tensor:
    """Share of all counted pixels that are right. See ``segiou.PixelAccuracy``."""
    return value_of_batch(metrics.PixelAccuracy(num_classes, **kwargs), preds, target)


@signed(metrics.CohenKappa)
def cohen_kappa(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreArguments],
) -> Tensor:
    """Agreement beyond chance. See ``segiou.CohenKappa``."""
    return value_of_batch(metrics.CohenKappa(num_classes, **kwargs), preds, target)


@signed(metrics.MatthewsCorrCoef)
def matthews_corrcoef(
    preds: Any,
    target: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreArguments],
) -> Tensor:
    """Correlation of prediction and target. See ``segiou.MatthewsCorrCoef``."""
    return value_of_batch(metrics.MatthewsCorrCoef(num_classes, **kwargs), preds, target)


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
    return value_of_batch(
        metrics.BoundaryIoU(num_classes, ratio=ratio, pixels=pixels, border=border, **kwargs), preds, target
    )


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
    return value_of_batch(
        metrics.TrimapIoU(num_classes, ratio=ratio, pixels=pixels, border=border, **kwargs), preds, target
    )


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
    return value_of_batch(
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
    return value_of_batch(metric, preds, target)
