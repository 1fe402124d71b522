"""True and false positives and negatives, as torchmetrics names them, averages them and orders its arguments.

``StatScores`` is also the base of all scores that follow from them: ``Accuracy``, ``Precision``, ``Recall``,
``Specificity``, ``FBetaScore`` and ``F1Score`` override ``share``.
"""

from typing import Any, ClassVar, Literal, get_args

import torch
from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import number_in
from segiou.classification.tasks import TaskMetric, arguments_of
from segiou.counting import IgnoreIndex, Task
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import StatMetricArguments
from segiou.metrics.given_counts import counted_or_given
from segiou.metrics.pixels import here
from segiou.scoring.averaging import Average
from segiou.scoring.formulas import areas_of

MultidimAverage = Literal["global", "samplewise"]


class StatScores(TaskMetric):
    """Pixels that are true positives, false positives, true negatives, false negatives and support, ``(..., 5)``.

    With the arguments, their order and the results of ``torchmetrics.StatScores``. Gives a ``BinaryStatScores``,
    ``MulticlassStatScores`` or ``MultilabelStatScores``. The counts are those of ``JaccardIndex`` and
    ``ConfusionMatrix``, with which it shares its state in a ``MetricCollection``. Unlike there, a predicted label
    outside the classes is an error; so are probabilities in one batch and logits in another; and with "samplewise" each
    image of a multilabel task has weights of its own, and one image is not taken for L.

    Args:
        task: "binary", "multiclass" or "multilabel"; or in its place the number of classes, or a label set.
        threshold: binary and multilabel scores are positive where the probability is above it.
        num_classes: C, for multiclass.
        num_labels: L, for multilabel.
        average: "micro", of the summed counts; "macro", the mean over classes or labels; "weighted", weighted by
            target pixels; "none" or None, for each class or label. Binary has one.
        multidim_average: "global", of all pixels; "samplewise", of each image, ``(N, ...)``: the state then keeps four
            integers for each image and class.
        top_k: 1, the largest score.
        ignore_index: target values whose pixels are not counted, one or several.
        validate_args: whether labels outside the classes raise an error.
        zero_division: a score that is 0/0, between 0 and 1; for the scores that have it in torchmetrics.
        from_logits: as in ``segiou.JaccardIndex``.

    Raises:
        ValueError: an argument outside its choices or range, or one that does not apply.
        TypeError: an argument of another type.

    >>> import torch
    >>> from segiou.classification import StatScores
    >>> preds, target = torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]])
    >>> StatScores(task="multiclass", num_classes=2, average=None)(preds, target)
    tensor([[2, 0, 1, 1, 3],
            [1, 1, 2, 0, 1]])
    """

    takes_zero_division: ClassVar[bool] = False
    by_task: ClassVar[dict[str, type["StatScores"]]]  # of a class that is for any task
    higher_is_better: bool | None = None  # type: ignore[assignment]  # torchmetrics allows None

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
        *,
        zero_division: float = 0.0,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        own = arguments_of(task, threshold, num_classes, num_labels)
        self._require(average, multidim_average, top_k)
        if zero_division and not self.takes_zero_division:
            raise ValueError(f"zero_division does not apply to {type(self).__name__}, whose 0/0 is 0: leave it out")
        zero = number_in("zero_division", zero_division, "a score between 0 and 1", 0, 1)
        super().__init__(
            **own, ignore_index=ignore_index, validate_args=validate_args, from_logits=from_logits, **kwargs
        )
        self.average: Average = "micro" if own["task"] == "binary" else average or "none"
        self.multidim_average = multidim_average
        self.zero_division = zero
        if multidim_average == "samplewise":
            self._images_name = f"stats_of_images_{self.rules.identity}"
            self.add_rows(self._images_name, (len(self.class_names) if own["task"] != "binary" else 1, 4), torch.int64)
        if "by_task" in vars(type(self)):
            self.__class__ = type(self).by_task[own["task"]]  # has nothing of its own but the order of its arguments

    def _require(self, average: Any, multidim_average: Any, top_k: Any) -> None:
        """Raise for arguments outside their choices."""
        if average not in (None, *get_args(Average)):
            raise ValueError(f'average must be "macro", "micro", "weighted", "none" or None, got {average!r}')
        if multidim_average not in get_args(MultidimAverage):
            raise ValueError(f'multidim_average must be "global" or "samplewise", got {multidim_average!r}')
        if top_k != 1 or isinstance(top_k, bool):
            raise ValueError(
                f"top_k must be 1, got {top_k!r}: one matrix holds the largest score alone, use "
                f"torchmetrics.classification.{type(self).__name__} for the {top_k!r} largest"
            )

    def stats(self, counts: Tensor) -> Tensor:
        """TP, FP, TN, FN of each class or label for counts ``(..., C + 1, C + 1)``: int64 ``(..., K, 4)``."""
        areas = areas_of(counts)
        total = counts[..., :-1, :].sum((-2, -1))
        if self.rules.task == "multilabel":
            areas = areas.map(lambda area: area[..., 1])
        else:
            total = total[..., None]
        if self.rules.task == "binary":
            areas = areas.map(lambda area: area[..., 1:])
        tp, fp, fn = areas.intersection, areas.predicted - areas.intersection, areas.target - areas.intersection
        return torch.stack([tp, fp, total - tp - fp - fn, fn], -1)

    def batch_states(self, preds: Any, target: Any) -> dict[str, Any]:
        """The counts of one batch, its errors, and with "samplewise" a row of each image."""
        if self.multidim_average == "global":
            return super().batch_states(preds, target)
        least = 3 if self.rules.task == "multilabel" else 2
        if 0 < getattr(target, "ndim", 0) < least:
            raise ValueError(
                f'target must have at least {least} axes for multidim_average="samplewise", which scores each image, '
                f"got shape {tuple(target.shape)}"
            )
        counts, errors = here(counted_or_given(self, preds, target, per_image=True), self.errors.device)
        return {self._state_name: counts.sum(0), "errors": errors, self._images_name: [self.stats(counts)]}

    def compute(self) -> Tensor:
        """The value over all batches and processes, with "samplewise" of each image; float32, counts as int64.

        Raises:
            ValueError: bad labels or scores that were counted on an accelerator.
        """
        self.check(self.errors)
        if self.multidim_average == "global":
            return self.value_of(self.counts)
        return self.reduced(self._stacked(self._images_name))

    def value_of(self, counts: Tensor) -> Tensor:
        """The value for counts of shape ``(C + 1, C + 1)``, for multilabel ``(L, 3, 3)``."""
        return self.reduced(self.stats(counts))

    def reduced(self, stats: Tensor) -> Tensor:
        """Statistics ``(..., K, 4)`` to a value ``(...)``, or ``(..., K)`` where each class has its own."""
        stats = torch.cat([stats, (stats[..., 0] + stats[..., 3])[..., None]], -1)
        if self.average == "none":
            return stats
        if self.average == "micro":
            return stats.sum(-2)
        if self.average == "macro":
            return stats.double().mean(-2).float()
        support = stats[..., 4:].double()
        return (stats * (support / support.sum(-2, keepdim=True))).sum(-2).float()

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot one value or several over time, as torchmetrics does; needs matplotlib."""
        return self._plot(val, ax)

    def argument(self, name: str) -> Any:
        """The value of an argument that the metric was made with."""
        return self.average if name == "average" else super().argument(name)

    def is_default(self, name: str, value: Any, default: Any) -> bool:
        """Whether ``repr`` may leave out an argument."""
        return bool(value == default) if name == "average" else super().is_default(name, value, default)


class BinaryStatScores(StatScores):
    """Statistics of the positive class, ``(5,)``; see ``StatScores``.

    >>> import torch
    >>> from segiou.classification import BinaryStatScores
    >>> BinaryStatScores()(torch.tensor([[0.1, 0.9, 0.2]]), torch.tensor([[0, 1, 1]]))
    tensor([1, 0, 1, 1, 2])
    """

    def __init__(
        self,
        threshold: float = 0.5,
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        *,
        zero_division: float = 0.0,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        super().__init__(
            "binary",
            threshold,
            None,
            None,
            "micro",
            multidim_average,
            1,
            ignore_index,
            validate_args,
            zero_division=zero_division,
            from_logits=from_logits,
            **kwargs,
        )


class MulticlassStatScores(StatScores):
    """Statistics of several classes, ``(C, 5)``, or ``(5,)`` of an average; see ``StatScores``.

    >>> import torch
    >>> from segiou.classification import MulticlassStatScores
    >>> MulticlassStatScores(2, average="micro")(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor([2, 1, 2, 1, 3])
    """

    def __init__(
        self,
        num_classes: NumClasses = None,
        top_k: int = 1,
        average: Average | None = "macro",
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        *,
        zero_division: float = 0.0,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = average, multidim_average, top_k, ignore_index, validate_args
        super().__init__("multiclass", 0.5, num_classes, None, *how, zero_division=zero_division, **kwargs)


class MultilabelStatScores(StatScores):
    """Statistics of labels that may overlap, ``(L, 5)``, or ``(5,)`` of an average; see ``StatScores``.

    >>> import torch
    >>> from segiou.classification import MultilabelStatScores
    >>> MultilabelStatScores(2, average=None)(torch.tensor([[0.9, 0.2], [0.8, 0.7]]), torch.tensor([[1, 1], [1, 1]]))
    tensor([[2, 0, 0, 0, 2],
            [1, 0, 0, 1, 2]])
    """

    def __init__(
        self,
        num_labels: int,
        threshold: float = 0.5,
        average: Average | None = "macro",
        multidim_average: MultidimAverage = "global",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        *,
        zero_division: float = 0.0,
        from_logits: bool | None = None,
        **kwargs: Unpack[StatMetricArguments],
    ) -> None:
        how = average, multidim_average, 1, ignore_index, validate_args
        super().__init__(
            "multilabel",
            threshold,
            None,
            num_labels,
            *how,
            zero_division=zero_division,
            from_logits=from_logits,
            **kwargs,
        )


StatScores.by_task = {
    "binary": BinaryStatScores,
    "multiclass": MulticlassStatScores,
    "multilabel": MultilabelStatScores,
}
