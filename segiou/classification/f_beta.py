"""F-beta and F1, as torchmetrics names them, averages them and orders its arguments.

Each is a share of the counts of ``StatScores``, whose docstring says what the arguments are.
"""

from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import number_in
from segiou.classification.ratios import StatShare
from segiou.classification.stat_scores import MultidimAverage
from segiou.counting import IgnoreIndex, Task
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import StatMetricArguments
from segiou.scoring.averaging import Average


class FBetaScore(StatShare):
    """Precision and recall in one, recall weighted ``beta`` times: (1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP).

    With the arguments, their order and the results of ``torchmetrics.FBetaScore``; see ``StatScores``.
    ``segiou.FBeta`` is the same score with nan for absent classes.

    >>> import torch
    >>> from segiou.classification import MulticlassFBetaScore
    >>> MulticlassFBetaScore(2.0, num_classes=2)(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor(0.6944)
    """

    takes_zero_division = True

    def __init__(
        self,
        task: Task | NumClasses = "multiclass",
        beta: float = 1.0,
        threshold: float = 0.5,
        num_classes: NumClasses = None,
        num_labels: int | None = None,
        average: Average | None = "micro",
        multidim_average: MultidimAverage = "global",
        top_k: int = 1,
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        number = number_in("beta", beta, "a number above 0, up to 1e9", 0, 1e9)
        if not number:
            raise ValueError(f"beta must be a number above 0, up to 1e9, got {beta!r}")
        how = average, multidim_average, top_k, ignore_index, validate_args
        super().__init__(
            task,
            threshold,
            num_classes,
            num_labels,
            *how,
            zero_division=zero_division,
            from_logits=from_logits,
            **kwargs,
        )
        self.beta = number

    def share(self, tp: Tensor, fp: Tensor, tn: Tensor, fn: Tensor) -> tuple[Tensor, Tensor]:
        """(1 + b^2) TP / ((1 + b^2) TP + b^2 FN + FP)."""
        square = self.beta**2
        return (1 + square) * tp, (1 + square) * tp + square * fn + fp


class BinaryFBetaScore(FBetaScore):
    """F-beta of the positive class; see ``FBetaScore``."""

    def __init__(
        self,
        beta: float,
        threshold: float = 0.5,
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = multidim_average, 1, ignore_index, validate_args, zero_division
        super().__init__("binary", beta, threshold, None, None, None, *how, from_logits=from_logits, **kwargs)


class MulticlassFBetaScore(FBetaScore):
    """F-beta of several classes; see ``FBetaScore``."""

    def __init__(
        self,
        beta: float,
        num_classes: NumClasses,
        top_k: int = 1,
        average: Average | None = "macro",
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = average, multidim_average, top_k, ignore_index, validate_args, zero_division
        super().__init__("multiclass", beta, 0.5, num_classes, None, *how, **kwargs)


class MultilabelFBetaScore(FBetaScore):
    """F-beta of labels that may overlap; see ``FBetaScore``."""

    def __init__(
        self,
        beta: float,
        num_labels: int,
        threshold: float = 0.5,
        average: Average | None = "macro",
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = average, multidim_average, 1, ignore_index, validate_args, zero_division
        super().__init__("multilabel", beta, threshold, None, num_labels, *how, from_logits=from_logits, **kwargs)


class F1Score(FBetaScore):
    """Precision and recall in one, the Dice coefficient of pixels: 2 TP / (2 TP + FN + FP).

    With the arguments, their order and the results of ``torchmetrics.F1Score``; see ``StatScores``. ``segiou.Dice`` is
    the same score with nan for absent classes.

    >>> import torch
    >>> from segiou.classification import F1Score
    >>> F1Score("multiclass", num_classes=2, average="macro")(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor(0.6667)
    """

    def __init__(
        self,
        task: Task | NumClasses = "multiclass",
        threshold: float = 0.5,
        num_classes: NumClasses = None,
        num_labels: int | None = None,
        average: Average | None = "micro",
        multidim_average: MultidimAverage = "global",
        top_k: int = 1,
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = average, multidim_average, top_k, ignore_index, validate_args, zero_division
        super().__init__(task, 1.0, threshold, num_classes, num_labels, *how, from_logits=from_logits, **kwargs)


class BinaryF1Score(F1Score):
    """F1 of the positive class; see ``F1Score``."""

    def __init__(
        self,
        threshold: float = 0.5,
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = multidim_average, 1, ignore_index, validate_args, zero_division
        super().__init__("binary", threshold, None, None, None, *how, from_logits=from_logits, **kwargs)


class MulticlassF1Score(F1Score):
    """F1 of several classes; see ``F1Score``."""

    def __init__(
        self,
        num_classes: NumClasses,
        top_k: int = 1,
        average: Average | None = "macro",
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = average, multidim_average, top_k, ignore_index, validate_args, zero_division
        super().__init__("multiclass", 0.5, num_classes, None, *how, **kwargs)


class MultilabelF1Score(F1Score):
    """F1 of labels that may overlap; see ``F1Score``."""

    def __init__(
        self,
        num_labels: int,
        threshold: float = 0.5,
        average: Average | None = "macro",
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = average, multidim_average, 1, ignore_index, validate_args, zero_division
        super().__init__("multilabel", threshold, None, num_labels, *how, from_logits=from_logits, **kwargs)


FBetaScore.by_task = {
    "binary": BinaryFBetaScore,
    "multiclass": MulticlassFBetaScore,
    "multilabel": MultilabelFBetaScore,
}
F1Score.by_task = {"binary": BinaryF1Score, "multiclass": MulticlassF1Score, "multilabel": MultilabelF1Score}
