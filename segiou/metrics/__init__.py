"""The stateful metrics: ``torchmetrics.Metric`` classes whose states are integer counts."""

from segiou.metrics.bootstrap import ConfidenceInterval, PairedComparison
from segiou.metrics.boundary import BoundaryIoU, TrimapIoU
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric, ScoreMetric
from segiou.metrics.generalized_dice import GeneralizedDice
from segiou.metrics.image_means import ImageScores
from segiou.metrics.imagewise import Imagewise, ImagewiseDice, ImagewiseIoU
from segiou.metrics.instances import InstanceIoU
from segiou.metrics.intervals import Comparison, Interval
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
from segiou.scoring.class_table import ClassTable

__all__ = [
    "BoundaryIoU",
    "ClassTable",
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
