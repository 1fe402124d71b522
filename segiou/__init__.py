"""Exact, fast metrics of semantic segmentation: torchmetrics classes, functions and a Lightning callback.

>>> import torch
>>> from segiou import MeanIoU
>>> metric = MeanIoU(num_classes=21, ignore_index=255)
>>> metric.update(torch.randn(2, 21, 8, 8), torch.full((2, 8, 8), 255))
>>> metric.compute()
tensor(nan)

The callback is ``segiou.lightning.SegmentationMonitor``, the functions are in ``segiou.functional``. Metrics with the
arguments of torchmetrics' packages of these names are in ``segiou.classification`` and ``segiou.segmentation``.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from segiou import functional
from segiou.classification import (
    BinaryConfusionMatrix,
    BinaryJaccardIndex,
    ConfusionMatrix,
    JaccardIndex,
    MulticlassConfusionMatrix,
    MulticlassJaccardIndex,
    MultilabelConfusionMatrix,
    MultilabelJaccardIndex,
)
from segiou.labels import LabelSet
from segiou.metrics import (
    BoundaryIoU,
    CohenKappa,
    ConfidenceInterval,
    Dice,
    FBeta,
    FrequencyWeightedIoU,
    GeneralizedDice,
    Imagewise,
    ImagewiseDice,
    ImagewiseIoU,
    InstanceIoU,
    MatthewsCorrCoef,
    MeanAccuracy,
    MeanIoU,
    PairedComparison,
    PixelAccuracy,
    Precision,
    Recall,
    SegmentationMetrics,
    Sweep,
    ThresholdSweep,
    TrimapIoU,
)

if TYPE_CHECKING:
    from segiou import segmentation as segmentation

__version__ = "0.1.0"

__all__ = [
    "BinaryConfusionMatrix",
    "BinaryJaccardIndex",
    "BoundaryIoU",
    "CohenKappa",
    "ConfidenceInterval",
    "ConfusionMatrix",
    "Dice",
    "FBeta",
    "FrequencyWeightedIoU",
    "GeneralizedDice",
    "Imagewise",
    "ImagewiseDice",
    "ImagewiseIoU",
    "InstanceIoU",
    "JaccardIndex",
    "LabelSet",
    "MatthewsCorrCoef",
    "MeanAccuracy",
    "MeanIoU",
    "MulticlassConfusionMatrix",
    "MulticlassJaccardIndex",
    "MultilabelConfusionMatrix",
    "MultilabelJaccardIndex",
    "PairedComparison",
    "PixelAccuracy",
    "Precision",
    "Recall",
    "SegmentationMetrics",
    "Sweep",
    "ThresholdSweep",
    "TrimapIoU",
    "functional",
]


def __getattr__(name: str) -> Any:
    """``segiou.segmentation``, which is imported when it is asked for."""
    if name == "segmentation":
        return import_module("segiou.segmentation")
    raise AttributeError(f"module 'segiou' has no attribute {name!r}")
