"""Nearest neighbours: the winner of a target pixel is that of its source pixel, so only source pixels are compared."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from segiou.counting import eager
from segiou.counting.inputs import NAN, Counted

SCORES = 1 << 18  # compared at a time
PIXELS = 1 << 18  # of the target counted at a time


def nearest(size: int, wanted: int) -> Tensor:
    """The source position of every target position, as torch itself finds it."""
    line = torch.arange(size, dtype=torch.float32, device="cpu").view(1, 1, size)
    return interpolate(line, size=wanted, mode="nearest").view(-1).long()


def count_nearest(
    labels: Callable[..., Counted], preds: Tensor, target: Tensor, num_classes: int, *rest: Any
) -> Counted:
    """Count with ``labels``, one item of axis 0 at a time; ``rest`` is what that takes after the number of classes."""
    rows, columns = nearest(preds.shape[2], target.shape[1]), nearest(preds.shape[3], target.shape[2])
    step = max(1, PIXELS // len(columns))
    parts, flaws = [], torch.zeros(4, dtype=torch.int64, device="cpu")
    for image, truth in zip(preds, target, strict=True):
        winners, nan = _winners(image)
        winners, nan = winners.index_select(1, columns), nan if nan is None else nan.index_select(1, columns)
        counts = torch.zeros((num_classes + 1,) * 2, dtype=torch.int64, device="cpu")
        for start in range(0, len(rows), step):
            here = rows[start : start + step]
            found = labels(winners.index_select(0, here)[None], truth[None, start : start + step], num_classes, *rest)
            counts += found.counts
            flaws += found.errors
            flaws[NAN] += nan.index_select(0, here).sum() if nan is not None else 0
        parts.append(counts)
    return Counted(torch.stack(parts), flaws)


def _winners(scores: Tensor) -> tuple[Tensor, Tensor | None]:
    """The winning class of every pixel of one image, and which pixels hold a NaN, if any does."""
    classes, height, width = scores.shape
    winners = torch.empty(height, width, dtype=torch.int16, device="cpu")
    nan = None
    step = max(1, SCORES // (classes * width))
    for start in range(0, height, step):
        rows = slice(start, start + step)
        part = scores[None, :, rows].float()
        labels, flaws = eager.argmax(part)
        winners[rows] = labels[0]
        if flaws[0]:
            nan = torch.zeros(height, width, dtype=torch.bool, device="cpu") if nan is None else nan
            nan[rows] = part[0].isnan().any(0)
    return winners, nan
