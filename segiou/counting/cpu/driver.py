"""The count as one thread runs it: take the next pieces of work until there are none.

Memory is read by address. ``source`` tells what the columns are (see ``columns_of``), ``target`` is ``(address,
kind)`` of the labels; ``axes`` are the sizes of the four nested pixel axes, ``strides`` and ``label_strides`` their
steps in elements; a row of pixels is cut into ``cut[0]`` pieces of ``cut[1]``; ``work`` is ``[next piece, pieces per
turn, threads at work]``, shared by all threads.
"""

from typing import Any

import numba
import numpy as np
from numba import carray
from numba.extending import overload

from segiou.counting.cpu.binary_columns import columns_from_binary
from segiou.counting.cpu.gather import LARGEST
from segiou.counting.cpu.histogram import flush, tally
from segiou.counting.cpu.label_rows import bring, columns_from_labels, matches
from segiou.counting.cpu.native import compiled, fetch_add, part, pointer, team
from segiou.counting.cpu.score_columns import columns_from_scores

PART = 2048  # pixels counted at a time, in the first-level cache


def columns_of(source: Any, start: Any, stride: Any, columns: Any, best: Any) -> Any:
    """Predicted classes of pixels into ``columns``; returns how many scores are NaN, and how many out of bounds."""
    raise NotImplementedError


@overload(columns_of)
def _columns_of(source: Any, start: Any, stride: Any, columns: Any, best: Any) -> Any:
    return {3: columns_from_labels, 6: columns_from_binary, 7: columns_from_scores}[len(source)]


@part
def locate(piece, cut, axes):
    """Indices of a piece on the four axes, and how many pixels it has."""
    row, part = divmod(piece, cut[0])
    rest, third = divmod(row, axes[2])
    first, second = divmod(rest, axes[1])
    begin = part * cut[1]
    return (first, second, third, begin), max(0, min(cut[1], axes[3] - begin))


@part
def start_of(place, strides):
    return place[0] * strides[0] + place[1] * strides[1] + place[2] * strides[2] + place[3] * strides[3]


@numba.njit(inline="always")  # compiled once, with ``count``
def count_part(columns, target, start, stride, classes, outside, rows, keys, histogram, offset):
    """Bring the labels of some pixels and count them against their columns; returns how many lie in ``outside``."""
    address, kind = target
    matched = 0
    for begin in range(0, columns.size, PART):
        size = min(PART, columns.size - begin)
        first = start + begin * stride
        if bring(address, kind, first, stride, classes, rows.ctypes.data, size) == classes:
            for value in outside:
                matched += matches(address, kind, first, stride, value, size)
        tally(rows, columns[begin : begin + size], classes + 1, keys[:size], histogram, offset)
    return matched


@compiled
def count(launch, threads, job):
    """Count on this thread, or on several where ``launch`` tells how to start them (see ``native.team``).

    ``room`` is the size of a thread's own histogram; without one it counts straight into the result. ``memory`` has a
    row for each thread: the histogram, then the pairs, rows and columns of a piece, and what finding the columns needs.
    """
    if launch:
        team(launch, threads, job)
        return
    room, source, target, axes, strides, label_strides, cut, classes, outside, each, memory, work, counts, errors = job
    scratch = memory[fetch_add(work, 2, 1)]
    bins = (classes + 1) ** 2
    scratch[:room] = 0
    histogram, offset = scratch[:room], (bins if room > bins else 0)
    area = np.int64(scratch.ctypes.data) + 8 * room
    keys, rows = carray(pointer(area, np.uint32(0)), PART), carray(pointer(area + 4 * PART, np.uint16(0)), PART)
    columns = carray(pointer(area + 6 * PART, np.uint16(0)), cut[1] + LARGEST)
    best = area + 6 * PART + 2 * (cut[1] + LARGEST)
    total = cut[0] * axes[0] * axes[1] * axes[2]
    item = 0
    turn = fetch_add(work, 0, work[1])
    while turn < total:
        for piece in range(turn, min(turn + work[1], total)):
            place, size = locate(piece, cut, axes)
            if each and place[0] != item:
                if room:
                    flush(histogram, bins, counts, item * bins)
                item = place[0]
            if room == 0:
                histogram = counts[item * bins : (item + 1) * bins]
            nans, beyond = columns_of(source, start_of(place, strides), strides[3], columns[:size], best)
            first = start_of(place, label_strides)
            matched = count_part(
                columns[:size], target, first, label_strides[3], classes, outside, rows, keys, histogram, offset
            )
            if nans + beyond + matched:
                fetch_add(errors, 1, -matched)
                fetch_add(errors, 2, nans)
                fetch_add(errors, 3, beyond)
        turn = fetch_add(work, 0, work[1])
    if room:
        flush(histogram, bins, counts, item * bins)
