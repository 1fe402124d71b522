"""The Jaccard index, as torchmetrics names it, averages it and orders its arguments."""

from typing import Any, Literal

from segiou.argument_checks import number_in
from segiou.classification.tasks import TaskMetric, arguments_of
from segiou.counting import IgnoreIndex, Task
from segiou.labels.class_names import NumClasses
from segiou.metrics.scores import MeanIoU
from segiou.scoring import formulas
from segiou.scoring.averaging import Average, Score


class JaccardIndex(TaskMetric, MeanIoU):
    """Intersection over union with the arguments, their order and the results of ``torchmetrics.JaccardIndex``.

    Gives a ``BinaryJaccardIndex``, ``MulticlassJaccardIndex`` or ``MultilabelJaccardIndex``. Unlike there, a
    predicted label outside the classes is an error, and so are probabilities in one batch and logits in
    another, where the values of each batch decide how it is read. ``segiou.MeanIoU`` is the same score with
    nan for absent classes, and without guessing.

    Args:
        task: "binary", "multiclass" or "multilabel"; or in its place the number of classes, or
            a label set.
        threshold: binary and multilabel scores are positive where the probability is above it.
        num_classes: C, for multiclass.
        num_labels: L, for multilabel.
        average: "macro", "micro", "weighted", or "none" or None for a score of each class or label. The macro
            average of classes leaves out those in neither target nor prediction, that of labels does not.
            Binary has one score.
        ignore_index: target values whose pixels are not counted, one or several; a class that is ignored is
            left out of averages.
        validate_args: whether labels outside the classes raise an error.
        zero_division: a score that is 0/0, between 0 and 1 or nan. Macro over classes and weighted are nan
            where nothing was counted.
        absent: takes the place of ``zero_division``, as in ``MeanIoU``.
        from_logits: whether binary and multilabel scores are logits; None looks at the values of each
            batch: logits if one is outside 0 to 1.
        kwargs: see ``segiou.metrics.ConfusionMatrixMetric``.

    Raises:
        ValueError: an argument outside its choices or range.
        TypeError: an argument of another type.

    >>> import torch
    >>> from segiou import JaccardIndex
    >>> target = torch.tensor([[0, 1, 1, 0]])
    >>> JaccardIndex(task="multiclass", num_classes=2)(torch.tensor([[0, 1, 0, 0]]), target)
    tensor(0.5833)
    >>> JaccardIndex(task="binary")(torch.tensor([[-3.0, 2.0, -1.0, -2.0]]), target)
    tensor(0.5000)
    """

    score = Score("JaccardIndex", formulas.iou)

    def __init__(
        self,
        task: Task | NumClasses = "multiclass",
        threshold: float = 0.5,
        num_classes: NumClasses = None,
        num_labels: int | None = None,
        average: Average | None = "macro",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        *,
        absent: float | Literal["skip"] | None = None,
        from_logits: bool | None = None,
        **kwargs: Any,
    ) -> None:
        own = arguments_of(task, threshold, num_classes, num_labels)
        average = "macro" if own["task"] == "binary" else average or "none"
        super().__init__(
            **own,
            average=average,
            ignore_index=ignore_index,
            validate_args=validate_args,
            absent=_absent(own["task"], average, zero_division) if absent is None else absent,
            from_logits=from_logits,
            **kwargs,
        )
        if type(self) is JaccardIndex:
            self.__class__ = _CLASSES[own["task"]]  # has nothing of its own but the order of its arguments


class BinaryJaccardIndex(JaccardIndex):
    """Intersection over union of the positive class; see ``JaccardIndex``.

    >>> import torch
    >>> from segiou import BinaryJaccardIndex
    >>> BinaryJaccardIndex()(torch.tensor([[0.1, 0.9, 0.2]]), torch.tensor([[0, 1, 1]]))
    tensor(0.5000)
    """

    tasks = ("binary",)

    def __init__(
        self,
        threshold: float = 0.5,
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__("binary", threshold, None, None, None, ignore_index, validate_args, zero_division, **kwargs)


class MulticlassJaccardIndex(JaccardIndex):
    """Intersection over union of several classes; see ``JaccardIndex``.

    >>> import torch
    >>> from segiou import MulticlassJaccardIndex
    >>> MulticlassJaccardIndex(3, average=None)(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor([0.5000, 0.5000, 0.0000])
    """

    tasks = ("multiclass",)

    def __init__(
        self,
        num_classes: NumClasses,
        average: Average | None = "macro",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            "multiclass", 0.5, num_classes, None, average, ignore_index, validate_args, zero_division, **kwargs
        )


class MultilabelJaccardIndex(JaccardIndex):
    """Intersection over union of labels that may overlap; see ``JaccardIndex``.

    >>> import torch
    >>> from segiou import MultilabelJaccardIndex
    >>> MultilabelJaccardIndex(2)(torch.tensor([[0.9, 0.2], [0.8, 0.7]]), torch.tensor([[1, 1], [1, 1]]))
    tensor(0.7500)
    """

    tasks = ("multilabel",)

    def __init__(
        self,
        num_labels: int,
        threshold: float = 0.5,
        average: Average | None = "macro",
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        zero_division: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            "multilabel", threshold, None, num_labels, average, ignore_index, validate_args, zero_division, **kwargs
        )


_CLASSES: dict[str, type[JaccardIndex]] = {
    "binary": BinaryJaccardIndex,
    "multiclass": MulticlassJaccardIndex,
    "multilabel": MultilabelJaccardIndex,
}


def _absent(task: str, average: str, zero_division: float) -> float | Literal["skip"]:
    """The score of 0/0, where torchmetrics has one and no weight of 0 takes it away."""
    if zero_division != zero_division or average == "weighted" or (task, average) == ("multiclass", "macro"):
        return "skip"
    return number_in("zero_division", zero_division, "a score between 0 and 1, or nan", 0, 1)
