"""The winning class of a block of pixels: the first maximum, and the first NaN before any number."""

from typing import Any

import numpy as np
from numba import carray, types
from numba.extending import overload

from segiou.counting.cpu.gather import SMALLEST, gather
from segiou.counting.cpu.native import part, pointer
from segiou.counting.cpu.sweep import VECTOR, WIDEST, sweep


def is_nan(value: Any, infinity: Any) -> Any:
    """Whether a stored score is NaN."""
    raise NotImplementedError


@overload(is_nan)
def _is_nan(value: Any, infinity: Any) -> Any:
    if isinstance(value, types.Float):

        def unequal(value: Any, infinity: Any) -> Any:
            return value != value

        return unequal

    def beyond(value: Any, infinity: Any) -> Any:
        return (value & np.int16(32767)) > infinity

    return beyond


@part
def sweep_planes(infinity, lowest, source, stride, classes, best, winner, count):
    """Winners of ``count`` neighbouring pixels in planes ``stride`` bytes apart; returns whether there was a NaN.

    ``best`` and ``winner`` are addresses; no score is below ``lowest``.
    """
    tops, labels = carray(pointer(best, infinity), count), carray(pointer(winner, np.uint16(0)), count)
    for i in range(count):
        tops[i] = lowest
        labels[i] = 0
    passes = (classes + WIDEST - 1) // WIDEST
    seen = 0
    label = 0
    for done in range(passes):
        width = (classes - label + passes - done - 1) // (passes - done)
        seen |= sweep(infinity, best, winner, source + label * stride, stride, label, count, width)
        label += width
    return seen != 0


@part
def mark_nans(scores, start, class_stride, stride, classes, infinity, winner):
    """Give the pixels that hold a NaN to their first NaN; returns how many there are."""
    found = 0
    for pixel in range(winner.size):
        for label in range(classes):
            if is_nan(scores[start + label * class_stride + pixel * stride], infinity):
                winner[pixel] = label
                found += 1
                break
    return found


def columns_from_scores(source: Any, start: Any, stride: Any, columns: Any, best: Any) -> Any:
    """Winning classes of some pixels, into ``columns``, behind which there is room for a tile more."""
    infinity, lowest, address, span, class_stride, classes, tile = source
    scores = carray(pointer(address, infinity), span)
    size, count = scores.itemsize, columns.size
    winner = np.int64(columns.ctypes.data)
    seen = False
    if stride == 1 and count * size >= VECTOR:
        seen = sweep_planes(infinity, lowest, address + start * size, class_stride * size, classes, best, winner, count)
    else:
        area = best + tile * size
        for first in range(0, count, tile):
            here = min(tile, count - first)
            gather(infinity, scores, address, start + first * stride, class_stride, stride, classes, here, area, tile)
            whole = (here + SMALLEST - 1) // SMALLEST * SMALLEST
            seen |= sweep_planes(infinity, lowest, area, tile * size, classes, best, winner + 2 * first, whole)
    return (mark_nans(scores, start, class_stride, stride, classes, infinity, columns) if seen else 0), 0
