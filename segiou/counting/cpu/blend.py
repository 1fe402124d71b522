"""The winning classes of up to four target rows between one pair of source rows, already as wide as the target.

The class runs innermost, with the best of all rows in registers: each source value is loaded once for all rows,
and nothing is stored but the winners.
"""

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import carray
from numba.core import types
from numba.extending import intrinsic

from segiou.counting.cpu.native import part, pointer
from segiou.counting.cpu.vectors import FLOAT, INT, LONG, SHORT, choose, fma, loop, place, splat, vector

MOST_ROWS = 4
LANES = 16 if binding.get_host_cpu_features().get("avx512f") else 8  # four rows of best and winner stay in registers
_NAN = 0x8000  # set in a column that belongs to a NaN, until they are counted


@intrinsic
def fused(typingctx: Any, left: Any, right: Any, more: Any) -> Any:
    """``left * right + more`` of float32, rounded once."""
    return types.float32(*[types.float32] * 3), lambda context, builder, signature, args: fma(builder, *args)


def _compared(
    builder: Any, label: Any, states: list[Any], weights: tuple[list[Any], list[Any]], pitch: Any
) -> list[Any]:
    """One vector of one class against the best so far. States: best and winner of every row, two addresses."""
    *rest, first, second = states
    rows = len(rest) // 2
    tops, labels = rest[:rows], rest[rows:]
    kind = tops[0].type.as_pointer()
    high, low = (builder.load(builder.inttoptr(address, kind), align=4) for address in (first, second))
    here = splat(builder, builder.trunc(label, INT), LANES)
    for row, (above, below) in enumerate(zip(*weights, strict=True)):
        value = fma(builder, high, above, builder.fmul(low, below))
        larger = builder.fcmp_ordered(">", value, tops[row])
        tops[row] = builder.select(larger, value, tops[row])
        labels[row] = builder.select(larger, here, labels[row])
    return [*tops, *labels, builder.add(first, pitch), builder.add(second, pitch)]


def _blend_rows(builder: Any, rows: int, planes: Any, tables: Any, out: Any) -> Any:
    """The code for a number of rows; the rest as ``blend``."""
    upper, lower, pitch, classes = (builder.extract_value(planes, i) for i in range(4))
    columns, step, count = (builder.extract_value(out, i) for i in range(3))
    kind = vector(FLOAT, LANES)
    lowest, zero = ir.Constant(kind, [float("-inf")] * LANES), ir.Constant(vector(INT, LANES), None)

    def weights(table: int) -> list[Any]:
        places = (place(builder, builder.extract_value(tables, table), LONG(row), 4, FLOAT) for row in range(rows))
        return [splat(builder, builder.load(at, align=4), LANES) for at in places]

    both = weights(0), weights(1)

    def pixels(x: Any, _: list[Any]) -> list[Any]:
        offset = builder.mul(x, LONG(4))
        start = [lowest] * rows + [zero] * rows + [builder.add(upper, offset), builder.add(lower, offset)]

        def one_class(label: Any, states: list[Any]) -> list[Any]:
            return _compared(builder, label, states, both, pitch)

        states = loop(builder, LONG(0), classes, 1, start, one_class)
        for row in range(rows):
            winner = builder.trunc(states[rows + row], vector(SHORT, LANES))
            at = builder.add(columns, builder.mul(step, LONG(row)))
            builder.store(winner, place(builder, at, x, 2, winner.type), align=2)
        return []

    loop(builder, LONG(0), count, LANES, [], pixels)
    return LONG(0)


@intrinsic
def blend(typingctx: Any, planes: Any, weights: Any, out: Any, rows: Any) -> Any:
    """Write the winners of ``rows`` rows of pixels.

    ``planes``: ``(upper, lower, bytes from class to class, classes)``, the first two the addresses of class 0's source
    rows. ``weights``: the addresses of the rows' weights for either. ``out``: ``(columns, step, count)``, ``count``
    winners go to the address ``columns``, those of the next row ``step`` bytes further. Whole vectors are read and
    written. No NaN ever wins.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        planes, weights, out, rows = args

        def emit(number: int) -> Any:
            return _blend_rows(builder, number + 1, planes, weights, out)

        return choose(builder, builder.sub(rows, LONG(1)), MOST_ROWS, emit)

    tuples = [types.UniTuple(types.int64, size) for size in (4, 2, 3)]
    return types.int64(*tuples, types.int64), codegen


@part
def mark_nans(planes, weight, other, columns):
    """Give the pixels of one row that hold a NaN to their first NaN; returns how many there are.

    ``planes`` as for ``blend``, the weights themselves.
    """
    upper, lower, pitch, classes = planes
    count = columns.size
    for label in range(classes - 1, -1, -1):
        high = carray(pointer(upper + label * pitch, np.float32(0)), count)
        low = carray(pointer(lower + label * pitch, np.float32(0)), count)
        for i in range(count):
            value = fused(high[i], weight, low[i] * other)
            if value != value:
                columns[i] = label | _NAN
    found = 0
    for i in range(count):
        found += columns[i] >> 15
        columns[i] &= _NAN - 1
    return found
