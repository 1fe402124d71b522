"""How the work on score maps of another size is cut: strips of columns, bands of rows, and their tables."""

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segiou.counting.cpu.bilinear import HELD, SLACK
from segiou.counting.cpu.blend import MOST_ROWS
from segiou.counting.cpu.by_corners import CELL_ROWS
from segiou.counting.cpu.cells import LANES, LENGTHS, MARKS
from segiou.counting.cpu.driver import PART
from segiou.counting.cpu.resizing import CORNERS, taps
from segiou.counting.cpu.rows import BFLOAT16, FLOAT16, FLOAT32, FLOAT64, MARGIN, TOGETHER, lanes_for

CACHE = 384 * 1024  # bytes for two rows of every class: less than half of a usual second-level cache
PIECES = 16  # for every thread
LEAST_ROWS = 16  # target rows of a piece
FLOATS = {torch.float32: FLOAT32, torch.float64: FLOAT64, torch.float16: FLOAT16, torch.bfloat16: BFLOAT16}


def strips_of(width: int, classes: int) -> tuple[int, int, int, int, int]:
    """Number of strips, pixels of one, pixels from row to row in the scratch, the width, and ``MOST_ROWS``."""
    most = max(64, CACHE // (8 * classes) // 64 * 64)
    number = -(-width // most)
    strip = -(-width // (64 * number)) * 64
    # not a power of two, for then the rows of all classes would fight for the same cache sets
    return -(-width // strip), strip, strip + 2 * MARGIN, width, MOST_ROWS


@lru_cache(maxsize=64)
def across(size: int, width: int, strip: int, align_corners: bool) -> tuple[Any, ...]:
    """Runs of target pixels between the same source pixels, cut where strips begin; and every pixel's weights."""
    first, second, weight, other = taps(size, width, align_corners)
    x = np.arange(width)
    new = (np.diff(first, prepend=-1) != 0) | (np.diff(second, prepend=-1) != 0) | (x % strip == 0)
    starts = np.flatnonzero(new)
    begins = np.searchsorted(starts, [*range(0, width, strip), width]).astype(np.int64)
    padding = np.zeros(MARGIN, np.float32)
    return (
        np.append(starts, width).astype(np.int32),
        first[starts],
        second[starts],
        begins,
        np.concatenate([weight, padding]),
        np.concatenate([other, padding]),
        lanes_for(size, width),
    )


@lru_cache(maxsize=64)
def cells_across(size: int, width: int, align_corners: bool) -> tuple[Any, ...]:
    """As ``across``, in runs of at most a row of ``cells``; the last is what ``by_corners`` needs to know of these."""
    first, second, weight, other = taps(size, width, align_corners)
    choice = next((i for i, length in enumerate(LENGTHS) if width <= 1.1 * length * size), len(LENGTHS) - 1)
    starts: list[int] = []
    for x in range(width):
        if not starts or x == starts[-1] + LENGTHS[choice] or (first[x], second[x]) != (first[x - 1], second[x - 1]):
            starts.append(x)
    padding = np.zeros(MARGIN, np.float32)
    return (
        np.array([*starts, width], np.int32),
        first[starts],
        second[starts],
        np.concatenate([weight, padding]),
        np.concatenate([other, padding]),
        (size, choice),
    )


@lru_cache(maxsize=64)
def down(size: int, height: int, align_corners: bool) -> tuple[NDArray[Any], ...]:
    """The two source rows of every target row, and what each weighs; there are weights behind the last."""
    first, second, weight, other = taps(size, height, align_corners)
    padding = np.zeros(CELL_ROWS, np.float32)
    return first, second, np.concatenate([weight, padding]), np.concatenate([other, padding])


def layout(preds: Tensor, width: int, height: int, align_corners: bool, arithmetic: str) -> tuple[Any, Any, int]:
    """``(across, down)`` and ``strips`` of ``count_bilinear``, and the words of its scratch beside the histogram."""
    classes, rows, columns = preds.shape[1:]
    if arithmetic == CORNERS:
        strips = (1, width, width + 2 * MARGIN, width, CELL_ROWS)
        widths, kept = (
            cells_across(columns, width, align_corners),
            8 * (columns * classes + classes + MARKS + 3 * LANES),
        )
    else:
        strips = strips_of(width, classes)
        widths, kept = (
            across(columns, width, strips[1], align_corners),
            8 * classes * strips[2] + 4 * TOGETHER * columns,
        )
    labels = 2 * SLACK + 2 * strips[4] * (SLACK + strips[2])
    return (widths, down(rows, height, align_corners)), strips, HELD + -(-(6 * PART + labels + kept) // 8)


def bands_of(height: int, columns: int, threads: int) -> tuple[int, int, int]:
    """Number of bands, rows of one, and the height; ``columns`` is the number of strips of all images.

    A band begins with source rows that the one before has had too: no more bands than the threads need.
    """
    wanted = 1 if threads == 1 else -(-PIECES * threads // columns)
    rows = max(LEAST_ROWS, -(-height // wanted))
    return -(-height // rows), rows, height
