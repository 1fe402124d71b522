"""The metrics: ``torchmetrics.Metric`` classes whose states are integer counts.

What happens, and which class does it. A new metric overrides one of the four lines that are marked::

    update(preds, target)                          SummedStates
        batch_states(preds, target)                PixelMetric            what one batch adds to each state
            counted(preds, target)           (1)   ConfusionMatrixMetric  pixels -> counts; raises for bad input
    sync                                           SummedStates           one all-reduce over all distributed ranks
    compute()                                      PixelMetric
        check(errors)                              PixelMetric            raises for bad labels seen on a GPU
        value_of(counts)                     (2)   ConfusionMatrixMetric  where the value needs the whole matrix
            areas(counts)                          ConfusionMatrixMetric  intersection, predicted and target pixels
            value_of_areas(areas)            (3)   ScoreMetric            where the value follows from the areas
                score(areas, averaging)      (4)   an attribute           where it is a formula, averaged over classes

Each class of the second column is a subclass of the one before: ``SummedStates`` keeps and synchronizes sums,
``PixelMetric`` counts pixels and their errors, ``ConfusionMatrixMetric`` knows classes and averages, and
``ScoreMetric`` has one score. Per-image metrics and confidence intervals (``PerImageMetric``) are made of any metric
whose value follows from areas, and so need (3) or (4). Whoever overrides (1), since something else is counted, names
the state by it in ``counts_state``. ``update_confmat`` hands ``batch_states`` counts that are there already.

Most metrics are a formula. It takes areas of shape ``(..., C)`` in float64 and returns a score for each class:

>>> import torch
>>> from segiou.metrics import ScoreMetric
>>> from segiou.scoring.averaging import Score
>>> class MissRate(ScoreMetric):
...     'Share of the pixels of a class that are missed: FN / (TP + FN), averaged over classes.'
...
...     score = Score("MissRate", lambda areas: (areas.target - areas.intersection) / areas.target)
...     higher_is_better = False
>>> MissRate(num_classes=2, ignore_index=255)(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
tensor(0.1667)

It takes every argument of ``MeanIoU``, and has its plots, its table and its synchronization.
"""

from segiou.metrics.bootstrap import ConfidenceInterval
from segiou.metrics.boundary import BoundaryIoU, TrimapIoU
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.generalized_dice import GeneralizedDice
from segiou.metrics.image_means import ImageScores
from segiou.metrics.imagewise import Imagewise, ImagewiseDice, ImagewiseIoU
from segiou.metrics.instances import InstanceIoU
from segiou.metrics.intervals import Comparison, Interval
from segiou.metrics.paired_comparison import PairedComparison
from segiou.metrics.score_metric import ScoreMetric
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
