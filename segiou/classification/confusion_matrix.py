"""The confusion matrix, as torchmetrics names it, normalizes it and orders its arguments."""

from typing import Any, Literal, get_args

from torch import Tensor
from torchmetrics.utilities import rank_zero_warn
from typing_extensions import Unpack

from segiou.classification.tasks import TaskMetric, arguments_of
from segiou.counting import IgnoreIndex, Task
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import ConfusionMatrixMetricArguments
from segiou.scoring import formulas

Normalize = Literal["true", "pred", "all", "none"]


class ConfusionMatrix(TaskMetric[Tensor]):
    """The matrix of pixels, rows target and columns predicted class, ``(C, C)``; for multilabel ``(L, 2, 2)``.

    With the arguments, their order and the results of ``torchmetrics.ConfusionMatrix``. Gives a
    ``BinaryConfusionMatrix``, ``MulticlassConfusionMatrix`` or ``MultilabelConfusionMatrix``. Ignored pixels
    and void predictions are not shown; the property ``confmat`` has them.

    Args:
        task: "binary", "multiclass" or "multilabel"; or in its place the number of classes, or
            a label set.
        threshold: binary and multilabel scores are positive where the probability is above it.
        num_classes: C, for multiclass.
        num_labels: L, for multilabel.
        normalize: None or "none", int64 counts; "true", shares of each target class; "pred", shares of each
            predicted class; "all", shares of all counted pixels. A share of nothing is 0, and warned of. float32.
        ignore_index: target values whose pixels are not counted, one or several.
        validate_args: whether labels outside the classes raise an error.
        from_logits: whether binary and multilabel scores are logits; None looks at the values of each
            batch: logits if one is outside 0 to 1.

    Raises:
        ValueError: an argument outside its choices or range.
        TypeError: an argument of another type.

    >>> import torch
    >>> from segiou import ConfusionMatrix
    >>> preds, target = torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]])
    >>> ConfusionMatrix(task="multiclass", num_classes=2)(preds, target)
    tensor([[2, 1],
            [0, 1]])
    """

    of_matrix = True
    higher_is_better = None  # type: ignore[assignment]  # torchmetrics allows None

    def __init__(
        self,
        task: Task | NumClasses = "multiclass",
        threshold: float = 0.5,
        num_classes: NumClasses = None,
        num_labels: int | None = None,
        normalize: Normalize | None = None,
        ignore_index: IgnoreIndex = None,
        validate_args: bool = True,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[ConfusionMatrixMetricArguments],
    ) -> None:
        own = arguments_of(task, threshold, num_classes, num_labels)
        if normalize not in (None, *get_args(Normalize)):
            raise ValueError(f'normalize must be None, "true", "pred" or "all", got {normalize!r}')
        super().__init__(
            **own, ignore_index=ignore_index, validate_args=validate_args, from_logits=from_logits, **kwargs
        )
        self.normalize = normalize
        if type(self) is ConfusionMatrix:
            self.__class__ = _CLASSES[own["task"]]  # has nothing of its own but the order of its arguments

    def value_of(self, counts: Tensor) -> Tensor:
        """The counts of the classes, or their shares."""
        if self.classes.groups is not None:
            counts = formulas.merged(counts, self.classes.members)
        matrix = counts[..., :-1, :-1]
        if self.normalize in (None, "none"):
            return matrix
        a = formulas.floating(formulas.areas_of(counts))
        whole = {
            "true": a.target[..., None],
            "pred": a.predicted[..., None, :],
            "all": a.target.sum(-1)[..., None, None],
        }
        shares = matrix / whole[self.normalize]
        nothing = int(shares.isnan().sum())
        if nothing:
            rank_zero_warn(
                f"{nothing} entries of the normalized confusion matrix are shares of nothing, NaN, and were set to 0",
                UserWarning,
            )
        return shares.nan_to_num().float()

    def plot(self, val: Tensor | None = None, ax: Any = None) -> Any:
        """Plot the matrix as a labelled heat map, a row of them for multilabel.

        Args:
            val: a result of ``compute`` or ``forward``; the metric's own if None.
            ax: a matplotlib axis to draw on, for one matrix; a new figure if None.

        Returns:
            The figure, or None where an axis was given, and the axis, or axes for multilabel.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
        """
        from segiou.plots import heat_map, heat_maps

        matrix = self.compute() if val is None else val
        if matrix.ndim == 3:
            return heat_maps(matrix, ("0", "1"), self.class_names)
        return heat_map(matrix, self.classes.scored, ax)


class BinaryConfusionMatrix(ConfusionMatrix):
    """The matrix of a binary task, ``(2, 2)``; see ``ConfusionMatrix``.

    >>> import torch
    >>> from segiou import BinaryConfusionMatrix
    >>> BinaryConfusionMatrix()(torch.tensor([[0.1, 0.9, 0.2]]), torch.tensor([[0, 1, 1]]))
    tensor([[1, 0],
            [1, 1]])
    """

    tasks = ("binary",)

    def __init__(
        self,
        threshold: float = 0.5,
        ignore_index: IgnoreIndex = None,
        normalize: Normalize | None = None,
        validate_args: bool = True,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[ConfusionMatrixMetricArguments],
    ) -> None:
        super().__init__(
            "binary", threshold, None, None, normalize, ignore_index, validate_args, from_logits=from_logits, **kwargs
        )


class MulticlassConfusionMatrix(ConfusionMatrix):
    """The matrix of several classes, ``(C, C)``; see ``ConfusionMatrix``.

    >>> import torch
    >>> from segiou import MulticlassConfusionMatrix
    >>> MulticlassConfusionMatrix(2, normalize="true")(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    tensor([[0.5000, 0.5000],
            [0.0000, 1.0000]])
    """

    tasks = ("multiclass",)

    def __init__(
        self,
        num_classes: NumClasses,
        ignore_index: IgnoreIndex = None,
        normalize: Normalize | None = None,
        validate_args: bool = True,
        **kwargs: Unpack[ConfusionMatrixMetricArguments],
    ) -> None:
        super().__init__("multiclass", 0.5, num_classes, None, normalize, ignore_index, validate_args, **kwargs)


class MultilabelConfusionMatrix(ConfusionMatrix):
    """A matrix for each of the labels, ``(L, 2, 2)``; see ``ConfusionMatrix``.

    >>> import torch
    >>> from segiou import MultilabelConfusionMatrix
    >>> MultilabelConfusionMatrix(1)(torch.tensor([[0.9], [0.8]]), torch.tensor([[1], [0]]))
    tensor([[[0, 1],
             [0, 1]]])
    """

    tasks = ("multilabel",)

    def __init__(
        self,
        num_labels: int,
        threshold: float = 0.5,
        ignore_index: IgnoreIndex = None,
        normalize: Normalize | None = None,
        validate_args: bool = True,
        *,
        from_logits: bool | None = None,
        **kwargs: Unpack[ConfusionMatrixMetricArguments],
    ) -> None:
        super().__init__(
            "multilabel",
            threshold,
            None,
            num_labels,
            normalize,
            ignore_index,
            validate_args,
            from_logits=from_logits,
            **kwargs,
        )


_CLASSES: dict[str, type[ConfusionMatrix]] = {
    "binary": BinaryConfusionMatrix,
    "multiclass": MulticlassConfusionMatrix,
    "multilabel": MultilabelConfusionMatrix,
}
