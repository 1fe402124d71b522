"""Scores of classes as numbers: what a class table has in its columns."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from torch import Tensor

from segiou.scoring import formulas
from segiou.scoring.averaging import Score

CLASS_SCORES = {
    "IoU": Score("mIoU", formulas.iou),
    "Dice": Score("Dice", formulas.dice),
    "Precision": Score("Precision", formulas.precision),
    "Recall": Score("Recall", formulas.recall),
}
Bounds = Callable[[Tensor], tuple[Tensor, Tensor, Tensor]]  # values with a leading axis of replicates to an interval


class Number(NamedTuple):
    """A score as a fraction, nan where it is 0/0, and the bounds of its interval, None where none was drawn."""

    value: float
    low: float | None = None
    high: float | None = None

    @property
    def exists(self) -> bool:
        """Whether there is a score."""
        return self.value == self.value

    @property
    def has_interval(self) -> bool:
        """Whether both bounds are numbers."""
        return self.low is not None and self.high is not None and self.low == self.low and self.high == self.high


class Column(NamedTuple):
    """One score: of each class, and its average over the classes."""

    scores: tuple[Number, ...]
    average: Number

    @classmethod
    def of(
        cls,
        scores: Sequence[float],
        average: float,
        low: Sequence[float] | None = None,
        high: Sequence[float] | None = None,
    ) -> "Column":
        """A column of floats; ``low`` and ``high`` are the bounds of the scores of classes."""
        parts = [scores] if low is None or high is None else [scores, low, high]
        return cls(tuple(Number(*map(float, each)) for each in zip(*parts, strict=True)), Number(float(average)))

    @property
    def has_bounds(self) -> bool:
        """Whether intervals were drawn."""
        return any(number.low is not None for number in self.scores)


def numbers_of(values: Tensor, bounds: Bounds | None) -> tuple[Number, ...]:
    """Scores, a scalar or one for each class, as numbers."""
    parts = (values,) if bounds is None else bounds(values)
    return tuple(Number(*each) for each in zip(*(part.reshape(-1).tolist() for part in parts), strict=True))
