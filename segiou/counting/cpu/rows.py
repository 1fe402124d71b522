"""Rows of scores as float32, and wider: each target pixel between two source pixels."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray
from numba.core import types
from numba.extending import intrinsic

from segiou.counting.cpu.native import part, pointer
from segiou.counting.cpu.vectors import FLOAT, INT, LONG, choose, fma, loop, place, splat, vector

FLOAT32, FLOAT64, FLOAT16, BFLOAT16 = range(4)
TOGETHER = 4  # classes widened at a time: they share the loads of weights and places
MARGIN = 16  # pixels that may be written behind a row
_LANES = (4, 8, 16)  # pixels written at a time, about as many as lie between two source pixels


def lanes_for(size: int, wanted: int) -> int:
    """The choice among the widths that ``widen`` has."""
    return 0 if wanted <= 4 * size else 1 if wanted <= 8 * size else 2


@intrinsic
def _as_float(typingctx: Any, bits: Any) -> Any:
    """The float32 of a 32-bit pattern."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.bitcast(args[0], FLOAT)

    return types.float32(types.uint32), codegen


@part
def _half(bits):
    """A float16 pattern: the exponent is rescaled by a product, which also makes the smallest numbers normal."""
    sign, magnitude = (bits & np.uint32(0x8000)) << np.uint32(16), (bits & np.uint32(0x7FFF)) << np.uint32(13)
    value = _as_float(magnitude) * np.float32(2.0**112)
    if magnitude >= np.uint32(0x0F800000):  # infinities and NaN
        value = _as_float(magnitude | np.uint32(0x7F800000))
    return -value if sign else value


@part
def fetch(address, kind, start, stride, out):
    """Scores of a kind, ``stride`` apart from the one at ``start``, as float32 into ``out``."""
    count = out.size
    span = start + (count - 1) * stride + 1
    if kind == FLOAT32:
        singles = carray(pointer(address, np.float32(0)), span)
        for i in range(count):
            out[i] = singles[start + i * stride]
    elif kind == FLOAT64:
        doubles = carray(pointer(address, np.float64(0)), span)
        for i in range(count):
            out[i] = np.float32(doubles[start + i * stride])
    elif kind == BFLOAT16:
        halves = carray(pointer(address, np.uint16(0)), span)
        for i in range(count):
            out[i] = _as_float(np.uint32(halves[start + i * stride]) << np.uint32(16))
    else:
        halves = carray(pointer(address, np.uint16(0)), span)
        for i in range(count):
            out[i] = _half(np.uint32(halves[start + i * stride]))


def _number(builder: Any, table: Any, index: Any) -> Any:
    return builder.sext(builder.load(place(builder, table, index, 4, INT), align=4), LONG)


def _odd(builder: Any, states: list[Any], lanes: int) -> Any:
    """Whether any lane is NaN, as int64."""
    odd = None
    for state in states:
        unequal = builder.fcmp_unordered("uno", state, state)
        odd = unequal if odd is None else builder.or_(odd, unequal)
    mask = builder.bitcast(odd, ir.IntType(lanes))
    return builder.zext(builder.icmp_unsigned("!=", mask, mask.type(0)), LONG)


def _widen(builder: Any, lanes: int, sources: list[Any], targets: list[Any], runs: Any, weights: Any) -> Any:
    """The code for a number of lanes, and of rows; the rest as ``widen``."""
    starts, firsts, seconds, begin, end = (builder.extract_value(runs, i) for i in range(5))
    weight, other = (builder.extract_value(weights, i) for i in range(2))
    kind = vector(FLOAT, lanes)
    zero = ir.Constant(kind, None)

    def scores(table: Any, run: Any) -> list[Any]:
        at = _number(builder, table, run)
        places = [place(builder, row, at, 4, FLOAT) for row in sources]
        return [splat(builder, builder.load(score, align=4), lanes) for score in places]

    def one_run(run: Any, states: list[Any]) -> list[Any]:
        start, stop = _number(builder, starts, run), _number(builder, starts, builder.add(run, LONG(1)))
        ends = scores(firsts, run), scores(seconds, run)

        def pixels(x: Any, states: list[Any]) -> list[Any]:
            left, right = (builder.load(place(builder, table, x, 4, kind), align=4) for table in (weight, other))
            after = []
            for row, low, high, state in zip(targets, *ends, states, strict=True):
                value = fma(builder, low, left, builder.fmul(high, right))
                builder.store(value, place(builder, row, x, 4, kind), align=4)
                after.append(fma(builder, value, zero, state))  # zero times what is not finite is NaN
            return after

        return loop(builder, start, stop, lanes, states, pixels)

    return _odd(builder, loop(builder, begin, end, 1, [zero] * len(sources), one_run), lanes)


@intrinsic
def widen(typingctx: Any, rows: Any, runs: Any, weights: Any, lanes: Any, together: Any) -> Any:
    """Write rows as wide as the target: between two source pixels there is one run of target pixels.

    ``rows``: ``(source, step, target, pitch)``, two addresses, of rows ``step`` and ``pitch`` bytes apart; ``together``
    whether there are ``TOGETHER`` or one. ``runs``: ``(starts, firsts, seconds, from, to)``, three addresses of int32
    and two run numbers. ``weights``: two addresses of float32. What is written behind a run the next one overwrites.
    Returns whether any value is NaN or infinite.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        rows, runs, weights, choice, together = args
        source, step, target, pitch = (builder.extract_value(rows, i) for i in range(4))

        def emit(number: int) -> Any:
            planes = range(TOGETHER if number >= len(_LANES) else 1)
            sources = [builder.add(source, builder.mul(step, LONG(plane))) for plane in planes]
            targets = [builder.add(target, builder.mul(pitch, LONG(plane))) for plane in planes]
            return _widen(builder, _LANES[number % len(_LANES)], sources, targets, runs, weights)

        many = builder.select(together, LONG(len(_LANES)), LONG(0))
        return choose(builder, builder.add(choice, many), 2 * len(_LANES), emit)

    tuples = [types.UniTuple(types.int64, size) for size in (4, 5, 2)]
    return types.int64(*tuples, types.int64, types.boolean), codegen
