"""Means of scores over images, by sums of integers: the same in any order, and on any number of processes."""

from typing import NamedTuple

import torch
from torch import Tensor

UNIT = 2.0**36  # scores are summed as integers of this fraction


class ImageScores(NamedTuple):
    """Scores of single images, in the order in which they came.

    ``ids``: as they were given, None where not. ``values``: float32 ``(n,)``, the score of each image.
    ``per_class``: float32 ``(n, C)``, nan where a class is absent from an image.
    """

    ids: list[int | str | None]
    values: Tensor
    per_class: Tensor

    def worst(self, k: int) -> list[tuple[int | str | None, float]]:
        """The ids and scores of the ``k`` images that scored lowest, the worst first."""
        order = sorted((value, place) for place, value in enumerate(self.values.tolist()) if value == value)
        return [(self.ids[place], value) for value, place in order[:k]]


def sums_of(scores: Tensor) -> Tensor:
    """Sums over images in units, and the number of images that have a score: float64 ``(N, K)`` to int64 ``(2, K)``."""
    found = ~scores.isnan()
    units = (scores.nan_to_num(0) * UNIT).round().to(torch.int64)
    return torch.stack([units.sum(0), found.sum(0)])


def means_of(sums: Tensor) -> Tensor:
    """Means of what ``sums_of`` summed, float64 ``(K,)``; nan where no image has a score."""
    total, images = sums.cpu().double().unbind(0)
    return total / UNIT / images


def worst_of(scores: Tensor, percent: float) -> Tensor:
    """For each column the mean of its lowest ``percent`` of scores, at least of one; float64 ``(K,)``."""
    columns = [column[~column.isnan()].sort().values for column in scores.cpu().unbind(1)]
    lowest = [column[: max(1, int(percent * len(column) / 100))] for column in columns]
    return torch.stack([column.double().mean() for column in lowest])
