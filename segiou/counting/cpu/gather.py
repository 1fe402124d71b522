"""Bring scores whose neighbours are far apart in memory (channels_last, every second pixel) into small planes."""

from typing import Any

from llvmlite import ir
from numba import carray
from numba.core import types
from numba.extending import intrinsic

from segiou.counting.cpu.native import part, pointer
from segiou.counting.cpu.vectors import INT, LONG, prefetch, vector

SIDE = 8  # of the square blocks that are turned in registers
SMALLEST, LARGEST = 64, 256  # pixels of a tile
_AHEAD = 8192  # bytes
_CELLS = 4096  # scores of a tile that stay in the first-level cache


def tile_size(classes: int) -> int:
    """Pixels brought together at a time."""
    return max(SMALLEST, min(LARGEST, _CELLS // classes // SMALLEST * SMALLEST))


def _exchange(builder: Any, rows: list[Any], step: int) -> list[Any]:
    """Swap the off-diagonal blocks of ``step`` cells; with steps 1, 2, 4 this turns eight rows into eight columns."""
    kind = ir.VectorType(INT, SIDE)
    upper = ir.Constant(kind, [SIDE + lane - step if lane & step else lane for lane in range(SIDE)])
    lower = ir.Constant(kind, [SIDE + lane if lane & step else lane + step for lane in range(SIDE)])
    turned = list(rows)
    for row in range(SIDE):
        if not row & step:
            turned[row] = builder.shuffle_vector(rows[row], rows[row + step], upper)
            turned[row + step] = builder.shuffle_vector(rows[row], rows[row + step], lower)
    return turned


@intrinsic
def _turn(typingctx: Any, like: Any, source: Any, source_step: Any, target: Any, target_step: Any) -> Any:
    """Write eight rows of eight scores as columns; addresses, and steps from row to row in bytes."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        _, source, source_step, target, target_step = args
        kind, size = vector(context.get_value_type(like), SIDE).as_pointer(), like.bitwidth // 8
        rows = []
        for _ in range(SIDE):
            rows.append(builder.load(builder.inttoptr(source, kind), align=size))
            prefetch(builder, builder.add(source, LONG(_AHEAD)))
            source = builder.add(source, source_step)
        for step in (1, 2, 4):
            rows = _exchange(builder, rows, step)
        for row in rows:
            builder.store(row, builder.inttoptr(target, kind), align=size)
            target = builder.add(target, target_step)
        return LONG(0)

    return types.int64(like, *[types.int64] * 4), codegen


@part
def gather(like, scores, address, start, class_stride, stride, classes, count, area, tile):
    """Copy ``count`` pixels into planes of ``tile`` pixels at the address ``area``."""
    planes = carray(pointer(area, like), tile * classes)
    size = scores.itemsize
    turned = count - count % SIDE if class_stride == 1 and classes >= SIDE else 0
    for pixel in range(0, turned, SIDE):
        for block in range(0, classes, SIDE):
            label = min(block, classes - SIDE)  # the last block may overlap the one before
            source = address + (start + pixel * stride + label) * size
            _turn(like, source, stride * size, area + (label * tile + pixel) * size, tile * size)
    for pixel in range(turned, count):
        for label in range(classes):
            planes[label * tile + pixel] = scores[start + pixel * stride + label * class_stride]
