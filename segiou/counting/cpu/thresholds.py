"""Scores against many thresholds, as one thread counts them.

The span of the bounds is cut into even cells, and a table knows the bounds below each: what is left to search are the
few in the score's own cell. Which cell that is may be rounded as it likes, so long as no higher score has a lower one.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import carray
from numpy.typing import NDArray

from segiou.counting.cpu.driver import PART, locate, start_of
from segiou.counting.cpu.histogram import flush, tally
from segiou.counting.cpu.label_rows import bring, matches
from segiou.counting.cpu.native import compiled, fetch_add, part, pointer, team

CELLS = 16  # for each bound
MOST_CELLS = 8192
MOST_BOUNDS = 65534  # columns are kept in 16 bits


class Bounds(NamedTuple):
    """Rising bounds in the type of the scores, how many are below each cell, the first cell's edge, cells per unit."""

    values: NDArray[Any]
    below: NDArray[np.int32]
    edge: float
    scale: float


@part
def _cell(value, edge, scale, last):
    cell = (np.float64(value) - edge) * scale
    cell = cell if cell > 0.0 else 0.0  # nan too
    return np.int32(cell if cell < last else last)


@compiled
def _cells(values, edge, scale, last, out):
    for i in range(values.size):
        out[i] = _cell(values[i], edge, scale, last)


def bounds_of(values: NDArray[Any]) -> Bounds:
    """The table for two or more rising bounds, infinite ones among them."""
    finite = values[np.isfinite(values)].astype(np.float64)
    edge, span = (finite[0], finite[-1] - finite[0]) if finite.size else (0.0, 0.0)
    number = min(CELLS * values.size, MOST_CELLS)
    scale = number / span if span > 1e-300 else 0.0  # 0: all in one cell
    cells = np.empty(values.size, np.int32)
    _cells(values, float(edge), float(scale), float(number - 1), cells)
    return Bounds(values, np.searchsorted(cells, np.arange(number + 1)).astype(np.int32), float(edge), float(scale))


@part
def _columns(values, start, stride, bounds, allowed, cells, columns):
    """How many bounds each score is above; returns how many scores are NaN, and how many are not ``allowed``.

    A NaN is in the first cell and above no bound of it: 0.
    """
    limits, below, edge, scale = bounds
    last = np.float64(below.size - 2)
    nans = beyond = 0
    for i in range(columns.size):
        value = values[start + i * stride]
        nans += value != value
        beyond += (value < allowed[0]) | (value > allowed[1])
        cells[i] = _cell(value, edge, scale, last)
    for i in range(columns.size):
        value, low, high = values[start + i * stride], below[cells[i]], below[cells[i] + 1]
        while low < high:
            middle = (low + high) >> 1
            if limits[middle] < value:
                low = middle + 1
            else:
                high = middle
        columns[i] = low
    return nans, beyond


@compiled
def count_above(launch, threads, job):
    """Count pixels by target (0, 1, neither) and by how many bounds their score is above.

    ``source`` is ``(bounds, allowed, address, span)``, the span in scores; the rest is as for ``driver.count``.
    """
    if launch:
        team(launch, threads, job)
        return
    room, source, target, axes, strides, label_strides, cut, outside, memory, work, counts, errors = job
    scratch = memory[fetch_add(work, 2, 1)]
    bounds, allowed, scores, span = source
    width = bounds[0].size + 1
    scratch[:room] = 0
    histogram, offset = (scratch[:room], 3 * width if room > 3 * width else 0) if room else (counts, 0)
    area = np.int64(scratch.ctypes.data) + 8 * room
    keys, cells = carray(pointer(area, np.uint32(0)), PART), carray(pointer(area + 4 * PART, np.int32(0)), PART)
    rows = carray(pointer(area + 8 * PART, np.uint16(0)), PART)
    columns = carray(pointer(area + 10 * PART, np.uint16(0)), PART)
    values = carray(pointer(scores, allowed[0]), span)
    address, kind = target
    total = cut[0] * axes[0] * axes[1] * axes[2]
    turn = fetch_add(work, 0, work[1])
    while turn < total:
        for piece in range(turn, min(turn + work[1], total)):
            place, size = locate(piece, cut, axes)
            start, first = start_of(place, strides), start_of(place, label_strides)
            nans, beyond = _columns(values, start, strides[3], bounds, allowed, cells, columns[:size])
            matched = 0
            if bring(address, kind, first, label_strides[3], 2, rows.ctypes.data, size) == 2:
                for value in outside:
                    matched += matches(address, kind, first, label_strides[3], value, size)
            tally(rows, columns[:size], width, keys[:size], histogram, offset)
            if nans + beyond + matched:
                fetch_add(errors, 1, -matched)
                fetch_add(errors, 2, nans)
                fetch_add(errors, 3, beyond)
        turn = fetch_add(work, 0, work[1])
    if room:
        flush(histogram, 3 * width, counts, 0)
