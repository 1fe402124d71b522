"""Accuracy, precision, recall and specificity, as torchmetrics names them, averages them and orders its arguments.

Each is a share of the counts of ``StatScores``, whose docstring says what the arguments are.
"""

import torch
from torch import Tensor

from segiou.classification.stat_scores import (
    BinaryStatScores,
    MulticlassStatScores,
    MultilabelStatScores,
    StatScores,
)


class StatShare(StatScores):
    """A share of the pixels, averaged as torchmetrics does; a subclass overrides ``share``.

    The macro average of classes leaves out those in neither target nor prediction, that of labels does not.
    """

    higher_is_better = True

    def share(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> tuple[Tensor, Tensor]:
        """Numerator and denominator of the score, in float64."""
        raise NotImplementedError

    def reduced(self, stats: Tensor) -> Tensor:
        """Statistics ``(..., K, 4)`` to scores ``(...)``, or for "none" ``(..., K)``; float32."""
        if self.average == "micro":
            return self._divided(stats.sum(-2)).float()
        scores = self._divided(stats)
        if self.average == "none":
            return scores.float()
        tp, fp, _, fn = stats.double().unbind(-1)
        if self.average == "weighted":
            weights = tp + fn
        else:
            weights = torch.ones_like(tp) if self.rules.task == "multilabel" else (tp + fp + fn > 0).double()
        return ((weights * scores).sum(-1) / weights.sum(-1)).nan_to_num(0).float()

    def _divided(self, stats: Tensor) -> Tensor:
        numerator, denominator = self.share(*stats.double().unbind(-1))
        return (numerator / denominator).masked_fill(denominator == 0, self.zero_division)


class Accuracy(StatShare):
    """Share of pixels that are right; of several classes each class's own, TP / (TP + FN).

    With the arguments, their order and the results of ``torchmetrics.Accuracy``; see ``StatScores``.

    >>> import torch
    >>> from segiou.classification import Accuracy
    >>> Accuracy(task="multiclass", num_classes=2)(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor(0.7500)
    """

    def share(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> tuple[Tensor, Tensor]:
        """(TP + TN) / all, for several classes TP / (TP + FN)."""
        return (tp, tp + fn) if self.rules.task == "multiclass" else (tp + tn, tp + tn + fp + fn)


class Precision(StatShare):
    """Share of the pixels predicted as a class that are of it: TP / (TP + FP).

    With the arguments, their order and the results of ``torchmetrics.Precision``; see ``StatScores``.
    ``segiou.Precision`` is the same score with nan for a class that is never predicted.

    >>> import torch
    >>> from segiou.classification import Precision
    >>> Precision("multiclass", num_classes=2, average=None)(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor([1.0000, 0.5000])
    """

    takes_zero_division = True

    def share(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> tuple[Tensor, Tensor]:
        """TP / (TP + FP)."""
        return tp, tp + fp


class Recall(StatShare):
    """Share of the pixels of a class that are predicted as it: TP / (TP + FN).

    With the arguments, their order and the results of ``torchmetrics.Recall``; see ``StatScores``. ``segiou.Recall``
    is the same score with nan for a class that is not in the target.

    >>> import torch
    >>> from segiou.classification import Recall
    >>> Recall("multiclass", num_classes=2, average=None)(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor([0.5000, 1.0000])
    """

    takes_zero_division = True

    def share(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> tuple[Tensor, Tensor]:
        """TP / (TP + FN)."""
        return tp, tp + fn


class Specificity(StatShare):
    """Share of the pixels that are not of a class and are not predicted as it: TN / (TN + FP).

    With the arguments, their order and the results of ``torchmetrics.Specificity``; see ``StatScores``.

    >>> import torch
    >>> from segiou.classification import Specificity
    >>> Specificity("binary")(torch.tensor([[0.1, 0.9, 0.8]]), torch.tensor([[0, 1, 0]]))
    tensor(0.5000)
    """

    def share(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> tuple[Tensor, Tensor]:
        """TN / (TN + FP)."""
        return tn, tn + fp


class BinaryAccuracy(Accuracy, BinaryStatScores):
    """Share of pixels that are right, of a binary task; see ``Accuracy``."""


class MulticlassAccuracy(Accuracy, MulticlassStatScores):
    """Share of the pixels of each class that are right, averaged; see ``Accuracy``."""


class MultilabelAccuracy(Accuracy, MultilabelStatScores):
    """Share of pixels that are right, of labels that may overlap; see ``Accuracy``."""


class BinaryPrecision(Precision, BinaryStatScores):
    """Precision of the positive class; see ``Precision``."""


class MulticlassPrecision(Precision, MulticlassStatScores):
    """Precision of several classes; see ``Precision``."""


class MultilabelPrecision(Precision, MultilabelStatScores):
    """Precision of labels that may overlap; see ``Precision``."""


class BinaryRecall(Recall, BinaryStatScores):
    """Recall of the positive class; see ``Recall``."""


class MulticlassRecall(Recall, MulticlassStatScores):
    """Recall of several classes; see ``Recall``."""


class MultilabelRecall(Recall, MultilabelStatScores):
    """Recall of labels that may overlap; see ``Recall``."""


class BinarySpecificity(Specificity, BinaryStatScores):
    """Specificity of the positive class; see ``Specificity``."""


class MulticlassSpecificity(Specificity, MulticlassStatScores):
    """Specificity of several classes; see ``Specificity``."""


class MultilabelSpecificity(Specificity, MultilabelStatScores):
    """Specificity of labels that may overlap; see ``Specificity``."""


Accuracy.by_task = {"binary": BinaryAccuracy, "multiclass": MulticlassAccuracy, "multilabel": MultilabelAccuracy}
Precision.by_task = {"binary": BinaryPrecision, "multiclass": MulticlassPrecision, "multilabel": MultilabelPrecision}
Recall.by_task = {"binary": BinaryRecall, "multiclass": MulticlassRecall, "multilabel": MultilabelRecall}
Specificity.by_task = {
    "binary": BinarySpecificity,
    "multiclass": MulticlassSpecificity,
    "multilabel": MultilabelSpecificity,
}
