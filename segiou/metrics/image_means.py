"""Means over images whose state is an integer: exact in any order, and on any number of processes."""

import torch
from torch import Tensor

UNIT = 2.0**36  # scores are summed as integers of this fraction


def sums_over_images(scores: Tensor) -> Tensor:
    """Sums of scores ``(N, K)`` over images in units, and how many images have a score: int64 ``(2, K)``.

    A score that is nan is left out. The sums hold 2^27 images of score 1.
    """
    found = ~scores.isnan()
    units = (scores.nan_to_num(0) * UNIT).round().to(torch.int64)
    return torch.stack([units.sum(0), found.sum(0)])


def means_over_images(sums: Tensor) -> Tensor:
    """Means of what ``sums_over_images`` summed: float64 ``(K,)``, nan where no image has a score."""
    total, images = sums.cpu().double().unbind(0)
    return total / UNIT / images
