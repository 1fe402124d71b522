"""Counting score maps that are brought to the target's size on the way, never held at that size.

A piece of work is a band of target rows of one image. Those between the same two source rows are found together.
"""

from typing import Any

import numba
import numpy as np
from numba import carray
from numba.extending import overload

from segiou.counting.cpu.by_axes import columns_by_axes
from segiou.counting.cpu.by_corners import columns_by_corners
from segiou.counting.cpu.driver import PART, count_part
from segiou.counting.cpu.histogram import flush
from segiou.counting.cpu.native import compiled, fetch_add, part, pointer, team

HELD = 4  # words in which a thread remembers its two source rows
SLACK = 32  # 16-bit numbers before a row of columns: the count looks at the one before the first


def columns_of_rows(source: Any, piece: Any, across: Any, down: Any, y: Any, many: Any, room: Any, held: Any) -> Any:
    """Winners of ``many`` target rows of a piece from ``y`` on; returns how many pixels hold a NaN.

    ``room``: address of the columns, bytes from row to row of them, address of the memory for anything else, pixels
    from row to row there, most rows found together. ``held`` is ``[row, row, not finite, not finite]`` of what that
    memory has of the source.
    """
    raise NotImplementedError


@overload(columns_of_rows)
def _columns_of_rows(source: Any, piece: Any, across: Any, down: Any, y: Any, many: Any, room: Any, held: Any) -> Any:
    return {6: columns_by_corners, 7: columns_by_axes}[len(across)]


@part
def rows_alike(down, y, end):
    """How many target rows from ``y`` to ``end`` lie between the same two source rows."""
    many = 1
    while y + many < end and down[0][y + many] == down[0][y] and down[1][y + many] == down[1][y]:
        many += 1
    return many


@part
def piece_of(number, strips, bands):
    """Image, strip, and band of a piece: first pixel and number of pixels, first and last row but one."""
    rest, band = divmod(number, bands[0])
    image, strip = divmod(rest, strips[0])
    left, top = strip * strips[1], band * bands[1]
    return image, strip, (left, min(strips[1], strips[3] - left)), (top, min(top + bands[1], bands[2]))


@numba.njit(inline="always")  # compiled once, with ``count_bilinear``
def count_band(piece, source, target, across, down, room, held, classes, outside, rows, keys, histogram, offset):
    """Count one piece; returns how many labels lie in ``outside``, and how many pixels hold a NaN."""
    image, _, (left, count), (y, bottom) = piece
    held[:2], held[2:] = -1, 0
    matched = nans = 0
    while y < bottom:
        many = rows_alike(down, y, min(bottom, y + room[4]))
        nans += columns_of_rows(source, piece, across, down, y, many, room, held)
        for i in range(many):
            found = carray(pointer(room[0] + i * room[1], np.uint16(0)), count)
            at = image * target[2][0] + (y + i) * target[2][1] + left * target[2][2]
            matched += count_part(found, target[:2], at, target[2][2], classes, outside, rows, keys, histogram, offset)
        y += many
    return matched, nans


@compiled
def count_bilinear(launch, threads, job):
    """As ``driver.count``; ``work`` is ``[next piece, pieces, threads at work]``.

    ``source``: ``(address, kind, strides, classes)``; ``target``: ``(address, kind, strides)``; ``across`` and
    ``down``: the tables of ``pieces``; ``strips``: ``(number, pixels, pixels from row to row, target width, most rows
    found together)``; ``bands``: ``(number, rows, target height)``.
    """
    if launch:
        team(launch, threads, job)
        return
    room, source, target, across, down, strips, bands, classes, outside, each, memory, work, counts, errors = job
    scratch = memory[fetch_add(work, 2, 1)]
    bins = (classes + 1) ** 2
    scratch[:room] = 0
    histogram, offset = scratch[:room], (bins if room > bins else 0)
    held = scratch[room : room + HELD]
    area = np.int64(scratch.ctypes.data) + 8 * (room + HELD)
    keys, rows = carray(pointer(area, np.uint32(0)), PART), carray(pointer(area + 4 * PART, np.uint16(0)), PART)
    columns, step = area + 6 * PART + 2 * SLACK, 2 * (SLACK + strips[2])
    places = (columns, step, columns + strips[4] * step, strips[2], strips[4])
    item = 0
    turn = fetch_add(work, 0, 1)
    while turn < work[1]:
        piece = piece_of(turn, strips, bands)
        if each and piece[0] != item:
            if room:
                flush(histogram, bins, counts, item * bins)
            item = piece[0]
        if room == 0:
            histogram = counts[item * bins : (item + 1) * bins]
        matched, nans = count_band(
            piece, source, target, across, down, places, held, classes, outside, rows, keys, histogram, offset
        )
        if nans + matched:
            fetch_add(errors, 1, -matched)
            fetch_add(errors, 2, nans)
        turn = fetch_add(work, 0, 1)
    if room:
        flush(histogram, bins, counts, item * bins)
