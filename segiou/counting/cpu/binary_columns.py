"""One score per pixel against a threshold."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray
from numba.core import types
from numba.extending import intrinsic, overload

from segiou.counting.cpu.native import part, pointer
from segiou.counting.cpu.sweep import VECTOR, family
from segiou.counting.cpu.vectors import BIT, LONG, SHORT, loop, place, prefetch, splat, vector

_AHEAD = 2048  # bytes


def in_order(value: Any) -> Any:
    """A stored score in a form whose ``<`` is the order of the numbers."""
    raise NotImplementedError


@overload(in_order)
def _in_order(value: Any) -> Any:
    if isinstance(value, types.Float):

        def same(value: Any) -> Any:
            return value

        return same

    def key(value: Any) -> Any:  # as ``_sweep._Patterns.ordered``
        sign = value >> np.int16(15)
        return np.int16((value ^ (sign & np.int16(32767))) - sign)

    return key


@intrinsic
def _compare(typingctx: Any, threshold: Any, least: Any, greatest: Any, address: Any, columns: Any, count: Any) -> Any:
    """Write 1 for each of ``count`` scores (whole vectors) above the threshold, else 0.

    Returns whether any is NaN or beyond the bounds.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        size = threshold.bitwidth // 8
        lanes = VECTOR // size
        scores = family(threshold)(builder, context.get_value_type(threshold), lanes, args[0])
        limit, low, high = (splat(builder, value, lanes) for value in args[:3])
        address, columns, count = args[3:]

        def body(index: Any, states: list[Any]) -> list[Any]:
            value = scores.ordered(builder.load(place(builder, address, index, size, scores.type), align=size))
            prefetch(builder, builder.add(address, builder.mul(builder.add(index, LONG(_AHEAD // size)), LONG(size))))
            chosen = builder.zext(scores.above(value, limit), vector(SHORT, lanes))
            builder.store(chosen, place(builder, columns, index, 2, chosen.type), align=2)
            return [builder.or_(states[0], scores.outside(value, low, high))]

        (state,) = loop(builder, LONG(0), count, lanes, [ir.Constant(vector(BIT, lanes), None)], body)
        mask = builder.bitcast(state, ir.IntType(lanes))
        return builder.zext(builder.icmp_unsigned("!=", mask, mask.type(0)), LONG)

    return types.int64(threshold, threshold, threshold, *[types.int64] * 3), codegen


@part
def _above(values, start, stride, limits, columns):
    """The same for any stride; returns how many scores are NaN, and how many beyond the bounds."""
    threshold, infinity, least, greatest = limits
    nans = beyond = 0
    for i in range(columns.size):
        value = in_order(values[start + i * stride])
        real = -infinity <= value <= infinity
        columns[i] = real and value > threshold
        nans += not real
        beyond += real and not least <= value <= greatest
    return nans, beyond


def columns_from_binary(source: Any, start: Any, stride: Any, columns: Any, best: Any) -> Any:
    """1 where the score is above the threshold, else 0.

    The limits are ``in_order``. With patterns for scores a NaN is a key beyond one of the infinities.
    """
    threshold, infinity, least, greatest, address, span = source
    values = carray(pointer(address, threshold), span)
    size = values.itemsize
    done = 0
    if stride == 1:
        whole = columns.size - columns.size % (VECTOR // size)
        if not _compare(threshold, least, greatest, address + start * size, columns.ctypes.data, whole):
            done = whole
    return _above(values, start + done * stride, stride, (threshold, infinity, least, greatest), columns[done:])
