"""The stateful metrics: ``torchmetrics.Metric`` classes whose states are integer counts."""

from segiou.metrics.bootstrap import Comparison, ConfidenceInterval, Interval, PairedComparison
from segiou.metrics.boundary import BoundaryIoU, TrimapIoU
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric, ScoreMetric
from segiou.metrics.generalized_dice import GeneralizedDice
from segiou.metrics.imagewise import ImageScores, Imagewise, ImagewiseDice, ImagewiseIoU
from segiou.metrics.instances import InstanceIoU
from segiou.metrics.scores import (
    CohenKappa,
    Dice,
    FBeta,
    FrequencyWeightedIoU,
    MatthewsCorrCoef,
    MeanAccuracy,
    MeanIoU,
    PixelAccuracy,
    Precision,
    Recall,
    SegmentationMetrics,
)
from segiou.metrics.threshold_sweep import Sweep, ThresholdSweep

__all__ = [
    "BoundaryIoU",
    "CohenKappa",
    "Comparison",
    "ConfidenceInterval",
    "ConfusionMatrixMetric",
    "Dice",
    "FBeta",
    "FrequencyWeightedIoU",
    "GeneralizedDice",
    "ImageScores",
    "Imagewise",
    "ImagewiseDice",
    "ImagewiseIoU",
    "InstanceIoU",
    "Interval",
    "MatthewsCorrCoef",
    "MeanAccuracy",
    "MeanIoU",
    "PairedComparison",
    "PixelAccuracy",
    "Precision",
    "Recall",
    "ScoreMetric",
    "SegmentationMetrics",
    "Sweep",
    "ThresholdSweep",
    "TrimapIoU",
]
