"""Labels of any integer type as row or column numbers: what is no class becomes the last."""

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from segiou.counting.cpu.vectors import INT, LONG, SHORT, choose, greatest, least, loop, place, prefetch, splat, vector

# Bits and signedness. From 16 bits on the sign is of no matter: read as unsigned, a negative label is above any class.
KINDS = ((8, False), (8, True), (16, False), (32, False), (64, False))
UINT8, INT8, BITS16, BITS32, BITS64 = range(len(KINDS))
_LANES = 32
_AHEAD = 4096  # bytes

Step = Callable[[Any, int, Any, Any], Any]  # labels, lanes, their number, state -> state


def _over(builder: Any, bits: int, args: Any, state: Any, step: Step) -> tuple[Any, Any]:
    """Run over labels: by vectors where they lie next to each other, then one by one. The two states at the end."""
    address, start, stride, count = args
    kind, size = ir.IntType(bits), bits // 8
    address = builder.add(address, builder.mul(start, LONG(size)))
    together = builder.icmp_signed("==", stride, LONG(1))
    whole = builder.select(together, builder.and_(count, LONG(-_LANES)), LONG(0))

    def vectors(index: Any, states: list[Any]) -> list[Any]:
        many = builder.load(place(builder, address, index, size, vector(kind, _LANES)), align=size)
        ahead = builder.add(address, builder.add(builder.mul(index, LONG(size)), LONG(_AHEAD)))
        for line in range(0, _LANES * size, 64):
            prefetch(builder, builder.add(ahead, LONG(line)))
        return [step(many, _LANES, index, states[0])]

    def single(index: Any, states: list[Any]) -> list[Any]:
        one = builder.load(place(builder, address, builder.mul(index, stride), size, kind), align=size)
        return [step(one, 1, index, states[0])]

    (wide,) = loop(builder, LONG(0), whole, _LANES, [splat(builder, state, _LANES)], vectors)
    (narrow,) = loop(builder, whole, count, 1, [state], single)
    return wide, narrow


def _reduce(builder: Any, wide: Any, join: Callable[[Any, Any], Any]) -> Any:
    """The lanes of a vector joined into one value."""
    lanes = wide.type.count
    while lanes > 1:
        lanes //= 2
        halves = (list(range(lanes)), list(range(lanes, 2 * lanes)))
        low, high = (
            builder.shuffle_vector(wide, wide, ir.Constant(ir.VectorType(INT, lanes), half)) for half in halves
        )
        wide = join(low, high)
    return builder.extract_element(wide, INT(0))


@intrinsic
def bring(
    typingctx: Any, address: Any, kind: Any, start: Any, stride: Any, classes: Any, numbers: Any, count: Any
) -> Any:
    """Write ``count`` labels, ``stride`` apart from the one at ``start``, as 16-bit numbers to the address ``numbers``.

    No number is above ``classes``. Returns the largest.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, kind, start, stride, classes, numbers, count = args

        def emit(number: int) -> Any:
            bits, signed = KINDS[number]
            wider = ir.IntType(max(bits, 16))
            limit = builder.trunc(classes, wider) if bits < 64 else classes

            def step(labels: Any, lanes: int, index: Any, most: Any) -> Any:
                if bits == 8:
                    labels = (builder.sext if signed else builder.zext)(labels, vector(wider, lanes))
                labels = least(builder, labels, splat(builder, limit, lanes), signed=False)
                if bits > 16:
                    labels = builder.trunc(labels, vector(SHORT, lanes))
                builder.store(labels, place(builder, numbers, index, 2, labels.type), align=2)
                return greatest(builder, labels, most, signed=False)

            wide, narrow = _over(builder, bits, (address, start, stride, count), SHORT(0), step)
            most = _reduce(builder, wide, lambda low, high: greatest(builder, low, high, signed=False))
            return builder.zext(greatest(builder, most, narrow, signed=False), LONG)

        return choose(builder, kind, len(KINDS), emit)

    return types.int64(*[types.int64] * 7), codegen


@intrinsic
def matches(typingctx: Any, address: Any, kind: Any, start: Any, stride: Any, value: Any, count: Any) -> Any:
    """How many of ``count`` labels (below 2^31) are ``value``, a number their type can hold."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        address, kind, start, stride, value, count = args

        def emit(number: int) -> Any:
            bits = KINDS[number][0]
            wanted = builder.trunc(value, ir.IntType(bits)) if bits < 64 else value

            def step(labels: Any, lanes: int, index: Any, found: Any) -> Any:
                same = builder.icmp_unsigned("==", labels, splat(builder, wanted, lanes))
                return builder.add(found, builder.zext(same, found.type))

            wide, narrow = _over(builder, bits, (address, start, stride, count), INT(0), step)
            return builder.zext(builder.add(_reduce(builder, wide, builder.add), narrow), LONG)

        return choose(builder, kind, len(KINDS), emit)

    return types.int64(*[types.int64] * 6), codegen


def columns_from_labels(source: Any, start: Any, stride: Any, columns: Any, best: Any) -> Any:
    """Predicted labels."""
    address, kind, classes = source
    bring(address, kind, start, stride, classes, columns.ctypes.data, columns.size)
    return 0, 0
