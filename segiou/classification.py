"""Metrics under the names that they have in torchmetrics.classification."""

from typing import Any, Literal, get_args

from torch import Tensor

from segiou import formulas
from segiou.metric import ConfusionMatrixMetric
from segiou.metrics import MeanIoU

Normalize = Literal["true", "pred", "all"]


class JaccardIndex(MeanIoU):
    """``MeanIoU`` under its name in torchmetrics; ``JaccardIndex(num_classes=2)`` is the mean over both classes.

    >>> import torch
    >>> from segiou import JaccardIndex
    >>> target = torch.tensor([[0, 1, 1, 0]])
    >>> JaccardIndex(num_classes=2)(torch.tensor([[0, 1, 0, 0]]), target)
    tensor(0.5833)
    """


class ConfusionMatrix(ConfusionMatrixMetric):
    """The matrix of pixels, rows target and columns predicted class, ``(C, C)``; for multilabel ``(L, 2, 2)``.

    Ignored pixels and void predictions are not shown; the property ``confmat`` has them.

    Args:
        num_classes: the number of classes.
        normalize: None, int64 counts; "true", shares of each target class; "pred", shares of each
            predicted class; "all", shares of all counted pixels. A share of nothing is 0. float32.
        kwargs: see ``segiou.metric.ConfusionMatrixMetric``.

    Raises:
        ValueError: an unknown ``normalize``, and what that raises.

    >>> import torch
    >>> from segiou import ConfusionMatrix
    >>> ConfusionMatrix(num_classes=2)(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    tensor([[2, 1],
            [0, 1]])
    """

    not_applicable = ("average", "exclude")
    of_matrix = True
    higher_is_better = None  # type: ignore[assignment]  # torchmetrics allows None

    def __init__(self, num_classes: int | None = None, *, normalize: Normalize | None = None, **kwargs: Any) -> None:
        super().__init__(num_classes, **kwargs)
        if normalize not in (None, *get_args(Normalize)):
            raise ValueError(f'normalize must be None, "true", "pred" or "all", got {normalize!r}')
        self.normalize = normalize

    def value_of(self, counts: Tensor) -> Tensor:
        """The counts of the classes, or their shares."""
        if self.classes.groups is not None:
            counts = formulas.merged(counts, self.classes.members)
        matrix = counts[..., :-1, :-1]
        if self.normalize is None:
            return matrix
        a = formulas.floating(formulas.areas_of(counts))
        whole = {
            "true": a.target[..., None],
            "pred": a.predicted[..., None, :],
            "all": a.target.sum(-1)[..., None, None],
        }
        return (matrix / whole[self.normalize]).nan_to_num().float()

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
