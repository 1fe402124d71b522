"""From areas to the reported value: averages, absent classes, excluded classes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from numbers import Real
from typing import Literal, get_args

import torch
from torch import Tensor

from segiou.scoring.formulas import Areas, floating

Formula = Callable[[Areas], Tensor]
Average = Literal["macro", "micro", "weighted", "none"]
AbsentIf = Literal["union", "target", "target_unless_empty"]


@dataclass(frozen=True)
class Averaging:
    """How scores per class become one value.

    Args:
        average: "macro", the mean over classes; "micro", the score of the summed areas; "weighted", the
            mean weighted by target pixels; "none", a score for each class; None, the score's own.
        absent: the score of an absent class, and of any other score that is 0/0: "skip" (nan, left out of
            means) or a number that counts.
        absent_if: a class is absent if it has no pixel in the "union" of target and prediction, or none
            in the "target". "target_unless_empty" is "target" while the target has a pixel of a class that is
            averaged, and "union" where it has none: a false alarm in such an image is a miss of no other class
            that is averaged, and would count nowhere.
        exclude: class ids left out of every average; their pixels are still counted, and "none" still
            shows their score. None is the score's own.
        task: "binary" scores the positive class unless ``exclude`` is given; "multilabel" has one matrix
            for each label, and scores the positive class of each.
    """

    average: Average | None = None
    absent: float | Literal["skip"] = "skip"
    absent_if: AbsentIf = "union"
    exclude: tuple[int, ...] | None = None
    task: str = "multiclass"

    def __post_init__(self) -> None:
        if self.average not in (None, *get_args(Average)):
            raise ValueError(f'average must be "macro", "micro", "weighted", "none" or None, got {self.average!r}')
        if self.absent_if not in get_args(AbsentIf):
            choices = '"union", "target" or "target_unless_empty"'
            raise ValueError(f"absent_if must be {choices}, got {self.absent_if!r}")
        number = isinstance(self.absent, Real) and not isinstance(self.absent, bool)
        if not (number and 0 <= float(self.absent) <= 1) and not (
            isinstance(self.absent, str) and self.absent == "skip"
        ):
            raise ValueError(f'absent must be "skip" or a score between 0 and 1, got {self.absent!r}')

    @property
    def fill(self) -> float:
        """The score of an absent class: nan for "skip"."""
        return torch.nan if self.absent == "skip" else float(self.absent)

    def kept(self, size: int) -> list[int]:
        """The classes, or labels, that averages are over."""
        return [c for c in range(size) if c not in (self.exclude or ())]

    def scored(self, areas: Areas) -> Areas:
        """The areas that have a score each: ``(..., C)``, for multilabel the positive classes, ``(..., L)``."""
        return areas.map(lambda area: area[..., 1]) if self.task == "multilabel" else areas

    def per_class(self, formula: Formula, areas: Areas) -> Tensor:
        """Scores in float64, ``(..., C)``; ``fill`` where a class has none."""
        gone = self._absent(areas, self.kept(areas.target.shape[-1]))
        scores = formula(floating(areas))
        return scores.masked_fill(gone | scores.isnan(), self.fill)

    def _absent(self, areas: Areas, kept: list[int]) -> Tensor:
        """Which classes are absent, where averages are over those that are ``kept``: bool ``(..., C)``."""
        gone = areas.target == 0
        if self.absent_if == "target":
            return gone
        unseen = gone & (areas.predicted == 0)
        if self.absent_if == "union":
            return unseen
        return torch.where(gone[..., kept].all(-1, keepdim=True), unseen, gone)

    def reduce(self, formula: Formula, areas: Areas) -> Tensor:
        """Reduce areas of shape ``(..., C)`` to a score ``(...)``, or to ``(..., C)`` for "none"; float64."""
        if self.average == "none":
            return self.per_class(formula, areas)
        kept = self.kept(areas.target.shape[-1])
        areas = areas.map(lambda area: area[..., kept])
        over_all = replace(self, exclude=None)
        if self.average == "micro":
            summed = areas.map(lambda area: area.sum(-1, keepdim=True))
            return over_all.per_class(formula, summed).squeeze(-1)
        scores = over_all.per_class(formula, areas)
        if self.average == "macro":
            return scores.nanmean(-1)
        weights = areas.target.to(scores.dtype).masked_fill(scores.isnan(), 0)
        total = weights.sum(-1)
        return ((weights * scores.nan_to_num()).sum(-1) / total).masked_fill(total == 0, self.fill)


@dataclass(frozen=True)
class Score:
    """A formula, and how it is averaged where nothing else is asked for.

    Args:
        key: the name in logs.
        formula: from areas to scores, one for each class, or for ``average=None`` one for the matrix.
        average: the average for ``Averaging.average=None``.
        background: whether a binary task averages over both classes, not the positive one alone.
        of_classes: whether a score of the matrix is over the classes that are not excluded, and for multilabel
            over the labels together.
    """

    key: str
    formula: Formula
    average: Average | None = "macro"
    background: bool = False
    of_classes: bool = False

    @property
    def of_matrix(self) -> bool:
        """Whether the formula gives one score for a matrix, not one for each class."""
        return self.average is None

    def __call__(self, areas: Areas, how: Averaging) -> Tensor:
        """The value for areas ``(..., C)``, for multilabel ``(..., L, 2)``; float32."""
        return self.unrounded(areas, how).float()

    def unrounded(self, areas: Areas, how: Averaging) -> Tensor:
        """The value in float64, as a sum over images needs it."""
        if self.of_classes:
            areas, left_out = how.scored(areas), self.left_out(how)
            kept = [c for c in range(areas.target.shape[-1]) if c not in left_out]
            scores = self.formula(floating(areas.map(lambda area: area[..., kept])))
            return scores.masked_fill(scores.isnan(), how.fill)
        if self.of_matrix:
            scores = self.formula(floating(areas))
            scores = scores.masked_fill(scores.isnan(), how.fill)
            return scores[..., how.kept(scores.shape[-1])].nanmean(-1) if how.task == "multilabel" else scores
        how = replace(how, average=how.average or self.average, exclude=self.left_out(how))
        return how.reduce(self.formula, how.scored(areas))

    def left_out(self, how: Averaging) -> tuple[int, ...]:
        """The classes that are not in the average; by default the background of a binary task."""
        if how.exclude is not None:
            return how.exclude
        return (0,) if how.task == "binary" and not self.background else ()

    def per_class(self, areas: Areas, how: Averaging) -> Tensor:
        """The score of each class, ``(..., C)``, or of each label, ``(..., L)``; float32."""
        return self.each(areas, how).float()

    def each(self, areas: Areas, how: Averaging) -> Tensor:
        """As ``per_class``, in float64."""
        return replace(how, exclude=self.left_out(how)).per_class(self.formula, how.scored(areas))
