"""The scores of a confusion matrix that was counted elsewhere.

``confmat`` is as in ``MeanIoU.update_confmat``: integers, rows are the target and columns the prediction.

>>> from segiou.functional import mean_iou_from_confmat
>>> mean_iou_from_confmat([[6, 2], [0, 4]], num_classes=2)
tensor(0.7083)
"""

from typing import Any

from torch import Tensor
from typing_extensions import Unpack

from segiou import metrics
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import (
    ClassScoreOfConfmatArguments,
    MatrixScoreOfConfmatArguments,
    ScoreOfConfmatArguments,
)
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.given_counts import GivenCounts
from segiou.metrics.signatures import signed
from segiou.metrics.signed_metric import Value
from segiou.scoring.formulas import WeightType


@signed(metrics.MeanIoU)
def mean_iou_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreOfConfmatArguments],
) -> Tensor:
    """Mean intersection over union: TP / (TP + FP + FN). See ``segiou.MeanIoU``."""
    return _value(metrics.MeanIoU(num_classes, **kwargs), confmat)


@signed(metrics.Dice)
def dice_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreOfConfmatArguments],
) -> Tensor:
    """Dice coefficient: 2 TP / (2 TP + FP + FN). See ``segiou.Dice``."""
    return _value(metrics.Dice(num_classes, **kwargs), confmat)


@signed(metrics.Precision)
def precision_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreOfConfmatArguments],
) -> Tensor:
    """Precision: TP / (TP + FP). See ``segiou.Precision``."""
    return _value(metrics.Precision(num_classes, **kwargs), confmat)


@signed(metrics.Recall)
def recall_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreOfConfmatArguments],
) -> Tensor:
    """Recall: TP / (TP + FN). See ``segiou.Recall``."""
    return _value(metrics.Recall(num_classes, **kwargs), confmat)


@signed(metrics.FBeta)
def fbeta_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    *,
    beta: float = 1.0,
    **kwargs: Unpack[ScoreOfConfmatArguments],
) -> Tensor:
    """Precision and recall in one, recall weighted ``beta`` times as much. See ``segiou.FBeta``."""
    return _value(metrics.FBeta(num_classes, beta=beta, **kwargs), confmat)


@signed(metrics.MeanAccuracy)
def mean_accuracy_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ScoreOfConfmatArguments],
) -> Tensor:
    """Mean over classes of the share of their pixels that are right. See ``segiou.MeanAccuracy``."""
    return _value(metrics.MeanAccuracy(num_classes, **kwargs), confmat)


@signed(metrics.FrequencyWeightedIoU)
def frequency_weighted_iou_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[ClassScoreOfConfmatArguments],
) -> Tensor:
    """IoU weighted by the target pixels of the classes. See ``segiou.FrequencyWeightedIoU``."""
    return _value(metrics.FrequencyWeightedIoU(num_classes, **kwargs), confmat)


@signed(metrics.GeneralizedDice)
def generalized_dice_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    *,
    weight_type: WeightType = "square",
    **kwargs: Unpack[ClassScoreOfConfmatArguments],
) -> Tensor:
    """Generalized Dice score, one of all classes. See ``segiou.GeneralizedDice``."""
    return _value(metrics.GeneralizedDice(num_classes, weight_type=weight_type, **kwargs), confmat)


@signed(metrics.PixelAccuracy)
def pixel_accuracy_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreOfConfmatArguments],
) -> Tensor:
    """Share of all counted pixels that are right. See ``segiou.PixelAccuracy``."""
    return _value(metrics.PixelAccuracy(num_classes, **kwargs), confmat)


@signed(metrics.CohenKappa)
def cohen_kappa_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreOfConfmatArguments],
) -> Tensor:
    """Agreement beyond chance. See ``segiou.CohenKappa``."""
    return _value(metrics.CohenKappa(num_classes, **kwargs), confmat)


@signed(metrics.MatthewsCorrCoef)
def matthews_corrcoef_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    **kwargs: Unpack[MatrixScoreOfConfmatArguments],
) -> Tensor:
    """Correlation of prediction and target. See ``segiou.MatthewsCorrCoef``."""
    return _value(metrics.MatthewsCorrCoef(num_classes, **kwargs), confmat)


@signed(metrics.SegmentationMetrics)
def segmentation_metrics_from_confmat(
    confmat: Any,
    num_classes: NumClasses = None,
    *,
    per_class: bool = False,
    beta: float = 1.0,
    prefix: str = "",
    **kwargs: Unpack[ClassScoreOfConfmatArguments],
) -> dict[str, Tensor]:
    """Every score by its name. See ``segiou.SegmentationMetrics``."""
    metric = metrics.SegmentationMetrics(num_classes, per_class=per_class, beta=beta, prefix=prefix, **kwargs)
    return _value(metric, confmat)


def _value(metric: ConfusionMatrixMetric[Value], confmat: Any) -> Value:
    """The value of a matrix; the metric keeps nothing of it."""
    return metric.value_of(GivenCounts(confmat).counted(metric, per_image=False).counts)
