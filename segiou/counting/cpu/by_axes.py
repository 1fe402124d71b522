"""Winners of target rows where torch brings one axis after the other to the target's size.

A thread holds two source rows of every class, already as wide as the target. Of these the next target row that
needs another source row replaces one.
"""

from typing import Any

import numpy as np
from numba import carray

from segiou.counting.cpu.blend import blend, mark_nans
from segiou.counting.cpu.native import part, pointer
from segiou.counting.cpu.rows import FLOAT32, TOGETHER, fetch, widen


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
def bring_rows(held, source, image, upper, lower, runs, weights, lanes, slots):
    """Have both source rows in the two slots; ``held`` is ``[row, row, not finite, not finite]`` of what is there."""
    for wanted, other in ((upper, lower), (lower, upper)):
        if held[0] != wanted and held[1] != wanted:
            slot = 1 if held[0] == other else 0
            held[slot] = wanted
            out = slots[slot] - 4 * runs[5]
            held[2 + slot] = widen_row(source, image, wanted, runs, weights, lanes, slots[2], out, slots[3])


def columns_by_axes(source: Any, piece: Any, across: Any, down: Any, y: Any, many: Any, room: Any, held: Any) -> Any:
    """Winners of ``many`` target rows of a piece from ``y`` on; returns how many pixels hold a NaN."""
    image, strip, (left, count), _ = piece
    columns, step, area, pixels, _ = room
    starts, firsts, seconds, begins, weights, others, lanes = across
    runs = (starts.ctypes.data, firsts.ctypes.data, seconds.ctypes.data, begins[strip], begins[strip + 1], left)
    classes, pitch = source[3], 4 * pixels
    slots = (area, area + classes * pitch, area + 2 * classes * pitch, pitch)
    upper, lower = down[0][y], down[1][y]
    bring_rows(held, source, image, upper, lower, runs, (weights.ctypes.data, others.ctypes.data), lanes, slots)
    planes = (slots[0 if held[0] == upper else 1], slots[0 if held[0] == lower else 1], pitch, classes)
    return columns_between(planes, held[2] | held[3], down, y, many, (columns, step, count))
