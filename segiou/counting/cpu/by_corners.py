"""Winners of target rows where torch weighs the four source pixels around a target pixel at once.

It does so for channels_last scores. Cell by cell, see ``cells``, the few classes that can win are compared.
"""

from typing import Any

import numpy as np
from numba import carray

from segiou.counting.cpu.cells import EIGHT, FEWEST, LANES, LENGTHS, MARKS, bound, decide, reaching, same, spread, weigh
from segiou.counting.cpu.histogram import first_bit
from segiou.counting.cpu.native import part, pointer
from segiou.counting.cpu.rows import FLOAT32, fetch

CELL_ROWS = 16  # target rows of a cell that are decided together
ALL = 0x7FC00000  # the pattern of a NaN: no class is below


@part
def fetch_row(source, image, row, pixels, out):
    """One source row as float32, all classes of a pixel together, to the address ``out``."""
    address, kind, strides, classes = source
    start = image * strides[0] + row * strides[2]
    if strides[1] == 1 and strides[3] == classes:
        fetch(address, kind, start, 1, carray(pointer(out, np.float32(0)), pixels * classes))
        return
    for x in range(pixels):
        wanted = carray(pointer(out + 4 * x * classes, np.float32(0)), classes)
        fetch(address, kind, start + x * strides[3], strides[1], wanted)


@part
def rows_of(source, image, upper, lower, pixels, area, held):
    """Addresses of two source rows, and the bytes from pixel to pixel; ``held`` are the rows in the two slots."""
    address, kind, strides, classes = source
    if kind == FLOAT32 and strides[1] == 1:
        start = address + 4 * image * strides[0]
        return start + 4 * upper * strides[2], start + 4 * lower * strides[2], 4 * strides[3]
    size = 4 * pixels * classes
    for wanted, other in ((upper, lower), (lower, upper)):
        if held[0] != wanted and held[1] != wanted:
            slot = 1 if held[0] == other else 0
            held[slot] = wanted
            fetch_row(source, image, wanted, pixels, area + slot * size)
    return area + (held[0] != upper) * size, area + (held[0] != lower) * size, 4 * classes


@part
def candidates_of(corners, classes, bounds, labels):
    """Write the classes that can win in a cell.

    Returns how many they are, how many of them in whole eights, and whether any score may be not finite.
    """
    whole = classes - classes % EIGHT
    pattern = bound(corners, classes, bounds) if classes >= FEWEST else ALL
    found = carray(pointer(labels, np.int32(0)), classes)
    every = eights = 0
    for begin in range(0, classes, MARKS):
        mask = reaching(bounds + 4 * begin, pattern)
        if begin + MARKS > classes:  # behind the last class there may be anything
            mask &= (1 << (classes - begin)) - 1
        while mask:
            label = begin + first_bit(mask)
            found[every] = label
            every += 1
            eights += label < whole
            mask &= mask - 1
    return every, eights, pattern == ALL


@part
def inside(odd, length, width, rows):
    """How many of the marked pixels lie in the cell, of rows of ``length`` the first ``width``."""
    number = 0
    for lane in range(LANES):
        number += (odd >> lane) & (lane // length < rows) & (lane % length < width)
    return number


@part
def decide_cell(corners, candidates, odd, tables, scratch, out, step, choice, width, rows):
    """Winners of the pixels of a cell; returns how many hold a NaN."""
    above, below, left, right = tables
    winners, length = scratch + 16 * LANES, LENGTHS[choice]
    alone = candidates[2] == 1 and not odd
    if alone:
        same(carray(pointer(candidates[0], np.int32(0)), 1)[0], winners)
    nans = 0
    for row in range(0, rows, LANES // length):
        if not alone:
            weigh((above + 4 * row, below + 4 * row, left, right), scratch, choice)
            lost = decide(corners, candidates, scratch, winners, odd)
            nans += inside(lost, length, width, rows - row) if lost else 0
        spread(winners, out + row * step, step, choice)
    return nans


def columns_by_corners(source: Any, piece: Any, across: Any, down: Any, y: Any, many: Any, room: Any, held: Any) -> Any:
    """Winners of ``many`` target rows of a piece from ``y`` on; returns how many pixels hold a NaN."""
    classes = source[3]
    columns, step, area = room[:3]
    starts, firsts, seconds, weights, others, (pixels, choice) = across
    upper, lower, pitch = rows_of(source, piece[0], down[0][y], down[1][y], pixels, area, held)
    above, below = down[2].ctypes.data + 4 * y, down[3].ctypes.data + 4 * y
    bounds = area + 8 * pixels * classes
    labels = bounds + 4 * (classes + MARKS)
    scratch = labels + 4 * classes
    nans = 0
    for run in range(firsts.size):
        x = starts[run]
        left, right = pitch * firsts[run], pitch * seconds[run]
        corners = (upper + left, upper + right, lower + left, lower + right)
        every, eights, odd = candidates_of(corners, classes, bounds, labels)
        tables = (above, below, weights.ctypes.data + 4 * x, others.ctypes.data + 4 * x)
        candidates, width = (labels, eights, every), starts[run + 1] - x
        out = columns + 2 * x
        nans += decide_cell(corners, candidates, odd, tables, scratch, out, step, choice, width, many)
    return nans
