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

from segiou.environment import first_process as first_process

if TYPE_CHECKING:
    from segiou import classification as classification
    from segiou import functional
    from segiou import segmentation as segmentation
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
        ClassTable,
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

__version__ = "0.1.0"

__all__ = [
    "BinaryConfusionMatrix",
    "BinaryJaccardIndex",
    "BoundaryIoU",
    "ClassTable",
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

_ROOMS = "labels", "metrics", "classification"


def __getattr__(name: str) -> Any:
    """Load what is asked for: torch is loaded with the first metric, so that ``segiou --help`` need not wait for it."""
    if name in ("classification", "functional", "segmentation"):
        return import_module(f"segiou.{name}")
    if name in __all__:
        for room in _ROOMS:
            found = getattr(import_module(f"segiou.{room}"), name, None)
            if found is not None:
                globals()[name] = found
                return found
    raise AttributeError(f"module 'segiou' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, those that are not loaded yet among them."""
    return sorted({*globals(), *__all__})
