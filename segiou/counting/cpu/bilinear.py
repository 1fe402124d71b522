"""Counting score maps that are brought to the target's size on the way, never held at that size.

A piece of work is a band of target rows of one image, no wider than leaves two rows of every class in the
second-level cache. Of these two the next band row that needs another source row replaces one.
"""

import numba
import numpy as np
from numba import carray

from segiou.counting.cpu.blend import MOST_ROWS, blend, mark_nans
from segiou.counting.cpu.driver import PART, count_part
from segiou.counting.cpu.histogram import flush
from segiou.counting.cpu.native import compiled, fetch_add, part, pointer
from segiou.counting.cpu.rows import FLOAT32, TOGETHER, fetch, widen

HELD = 4  # words in which a thread remembers its two source rows
SLACK = 32  # 16-bit numbers before a row of columns: the count looks at the one before the first


@part
def widen_row(source, image, row, runs, weights, lanes, buffer, out, pitch):
    """One source row of every class, as wide as the target, to the address ``out``; returns 0 if all are finite.

    ``buffer`` is room for the rows of as many classes as are widened together, where they must be brought first.
    """
    address, kind, strides, classes = source
    direct = kind == FLOAT32 and strides[3] == 1
    begin = carray(pointer(runs[1] + 4 * runs[3], np.int32(0)), 1)[0]
    end = carray(pointer(runs[2] + 4 * runs[4] - 4, np.int32(0)), 1)[0] + 1
    odd = 0
    label = 0
    while label < classes:
        many = TOGETHER if label + TOGETHER <= classes else 1
        start = image * strides[0] + label * strides[1] + row * strides[2]
        at, step = address + 4 * start, 4 * strides[1]
        if not direct:
            at, step = buffer - 4 * begin, 4 * (end - begin)
            for plane in range(many):
                wanted = carray(pointer(buffer + plane * step, np.float32(0)), end - begin)
                fetch(address, kind, start + plane * strides[1] + begin * strides[3], strides[3], wanted)
        odd |= widen((at, step, out + label * pitch, pitch), runs[:5], weights, lanes, many == TOGETHER)
        label += many
    return odd


@part
def columns_between(planes, odd, down, y, many, out):
    """Winners of ``many`` target rows from ``y`` on, between two widened rows; returns how many pixels hold a NaN.

    ``planes`` and ``out`` as for ``blend``.
    """
    weight, other = down[2:]
    blend(planes, (weight.ctypes.data + 4 * y, other.ctypes.data + 4 * y), out, many)
    nans = 0
    for i in range(many if odd else 0):
        found = carray(pointer(out[0] + i * out[1], np.uint16(0)), out[2])
        nans += mark_nans(planes, weight[y + i], other[y + i], found)
    return nans


@part
def rows_alike(down, y, end):
    """How many target rows from ``y`` on lie between the same two source rows, as far as they are counted together."""
    many = 1
    while many < MOST_ROWS and y + many < end and down[0][y + many] == down[0][y] and down[1][y + many] == down[1][y]:
        many += 1
    return many


@part
def bring_rows(held, source, image, upper, lower, runs, weights, lanes, room):
    """Have both source rows in the two slots; ``held`` is ``[row, row, not finite, not finite]`` of what is there."""
    for wanted, other in ((upper, lower), (lower, upper)):
        if held[0] != wanted and held[1] != wanted:
            slot = 1 if held[0] == other else 0
            held[slot] = wanted
            out = room[2 + slot] - 4 * runs[5]
            held[2 + slot] = widen_row(source, image, wanted, runs, weights, lanes, room[4], out, room[5])


@part
def piece_of(number, strips, bands):
    """Image, strip, and band of a piece: first pixel and number of pixels, first and last row but one."""
    rest, band = divmod(number, bands[0])
    image, strip = divmod(rest, strips[0])
    left, top = strip * strips[1], band * bands[1]
    return image, strip, (left, min(strips[1], strips[3] - left)), (top, min(top + bands[1], bands[2]))


@numba.njit(inline="always")  # compiled once, with ``count_bilinear``
def count_band(piece, source, target, across, down, room, held, classes, outside, rows, keys, histogram, offset):
    """Count one piece; returns how many labels lie in ``outside``, and how many pixels hold a NaN.

    ``room``: address of the columns, bytes from row to row of them, addresses of the two slots and of the buffer, bytes
    from class to class in a slot.
    """
    image, strip, (left, count), (y, bottom) = piece
    columns, step, first, second, _, pitch = room
    starts, firsts, seconds, begins, weights, others, lanes = across
    runs = (starts.ctypes.data, firsts.ctypes.data, seconds.ctypes.data, begins[strip], begins[strip + 1], left)
    held[:2], held[2:] = -1, 0
    matched = nans = 0
    while y < bottom:
        upper, lower = down[0][y], down[1][y]
        many = rows_alike(down, y, bottom)
        bring_rows(held, source, image, upper, lower, runs, (weights.ctypes.data, others.ctypes.data), lanes, room)
        planes = (first if held[0] == upper else second, first if held[0] == lower else second, pitch, classes)
        nans += columns_between(planes, held[2] | held[3], down, y, many, (columns, step, count))
        for i in range(many):
            found = carray(pointer(columns + i * step, np.uint16(0)), count)
            at = image * target[2][0] + (y + i) * target[2][1] + left * target[2][2]
            matched += count_part(found, target[:2], at, target[2][2], classes, outside, rows, keys, histogram, offset)
        y += many
    return matched, nans


@compiled
def count_bilinear(
    source, target, across, down, strips, bands, classes, outside, each, room, scratch, work, counts, errors
):
    """As ``driver.count``; ``work`` is ``[next piece, pieces]``.

    ``source``: ``(address, kind, strides, classes)``; ``target``: ``(address, kind, strides)``; ``across``: ``(starts,
    firsts, seconds, runs of each strip, weights, others, lanes)``; ``down``: the taps of the rows; ``strips``:
    ``(number, pixels, pixels from class to class, target width)``; ``bands``: ``(number, rows, target height)``.
    """
    bins = (classes + 1) ** 2
    scratch[:room] = 0
    histogram, offset = scratch[:room], (bins if room > bins else 0)
    held = scratch[room : room + HELD]
    area = np.int64(scratch.ctypes.data) + 8 * (room + HELD)
    keys, rows = carray(pointer(area, np.uint32(0)), PART), carray(pointer(area + 4 * PART, np.uint16(0)), PART)
    columns, step, pitch = area + 6 * PART + 2 * SLACK, 2 * (SLACK + strips[2]), 4 * strips[2]
    wide = columns + MOST_ROWS * step
    places = (columns, step, wide, wide + classes * pitch, wide + 2 * classes * pitch, pitch)
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
