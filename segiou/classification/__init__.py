"""Metrics under the names, and with the arguments, that they have in torchmetrics.classification."""

from segiou.classification.confusion_matrix import (
    BinaryConfusionMatrix,
    ConfusionMatrix,
    MulticlassConfusionMatrix,
    MultilabelConfusionMatrix,
)
from segiou.classification.jaccard import (
    BinaryJaccardIndex,
    JaccardIndex,
    MulticlassJaccardIndex,
    MultilabelJaccardIndex,
)

__all__ = [
    "BinaryConfusionMatrix",
    "BinaryJaccardIndex",
    "ConfusionMatrix",
    "JaccardIndex",
    "MulticlassConfusionMatrix",
    "MulticlassJaccardIndex",
    "MultilabelConfusionMatrix",
    "MultilabelJaccardIndex",
]
