"""Up to seven score planes against the best so far, one vector of pixels at a time.

The speed lies in what numba cannot say: several planes per pass (fewer loads and stores of the best so far), and a
prefetch some cache lines ahead in each plane (the hardware's own prefetcher loses its way at every change of plane).

The comparisons take no care of NaN, they only report that there was one: see ``_scores.mark_nans``.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from segiou.counting.cpu.vectors import BIT, LONG, SHORT, choose, greatest, least, loop, place, prefetch, splat, vector

WIDEST = 7  # planes in one pass: more streams than this fight for the same sets of the first-level cache
VECTOR = 64  # bytes
_AHEAD = 1024  # bytes


class _Floats:
    """float32 and float64 compare as they are; the state is where a NaN was seen."""

    def __init__(self, builder: Any, scalar: Any, lanes: int, infinity: Any) -> None:
        self.builder, self.type = builder, vector(scalar, lanes)
        self.start = [ir.Constant(vector(BIT, lanes), None)]

    def ordered(self, value: Any) -> Any:
        return value

    def above(self, value: Any, top: Any) -> Any:
        return self.builder.fcmp_ordered(">", value, top)

    def outside(self, value: Any, low: Any, high: Any) -> Any:
        """NaN counts as outside."""
        below = self.builder.fcmp_unordered("<", value, low)
        return self.builder.or_(below, self.builder.fcmp_unordered(">", value, high))

    def watch(self, states: list[Any], value: Any, other: Any) -> list[Any]:
        return [self.builder.or_(states[0], self.builder.fcmp_unordered("uno", value, other))]

    def seen(self, states: list[Any]) -> Any:
        return states[0]


class _Patterns:
    """float16 and bfloat16 as int16 keys in the order of the scores; the states are the least and the greatest key."""

    def __init__(self, builder: Any, scalar: Any, lanes: int, infinity: Any) -> None:
        self.builder, self.type = builder, vector(scalar, lanes)
        self.lanes, self.limit = lanes, splat(builder, infinity, lanes)
        self.start = [ir.Constant(self.type, None)] * 2

    def ordered(self, value: Any) -> Any:
        # a negative one becomes minus its magnitude, so that -0 is 0
        sign = self.builder.ashr(value, ir.Constant(self.type, [15] * self.lanes))
        magnitude = self.builder.and_(sign, ir.Constant(self.type, [32767] * self.lanes))
        return self.builder.sub(self.builder.xor(value, magnitude), sign)

    def above(self, value: Any, top: Any) -> Any:
        return self.builder.icmp_signed(">", value, top)

    def outside(self, value: Any, low: Any, high: Any) -> Any:
        below = self.builder.icmp_signed("<", value, low)
        return self.builder.or_(below, self.builder.icmp_signed(">", value, high))

    def watch(self, states: list[Any], value: Any, other: Any) -> list[Any]:
        low, high = states
        for key in (value,) if value is other else (value, other):
            low, high = least(self.builder, key, low), greatest(self.builder, key, high)
        return [low, high]

    def seen(self, states: list[Any]) -> Any:
        below = self.builder.icmp_signed("<", states[0], self.builder.neg(self.limit))
        return self.builder.or_(below, self.builder.icmp_signed(">", states[1], self.limit))


def family(scalar: Any) -> Any:
    """How scores of this numba type are compared."""
    return _Patterns if isinstance(scalar, types.Integer) else _Floats


def _planes(builder: Any, scores: Any, size: int, labels: list[Any], args: Any, states: list[Any]) -> list[Any]:
    """Compare one vector of each plane, the first at the address ``source``."""
    best, winner, source, stride = args
    top, chosen = builder.load(best, align=size), builder.load(winner, align=2)
    before = None
    for label in labels:
        score = builder.load(builder.inttoptr(source, scores.type.as_pointer()), align=size)
        prefetch(builder, builder.add(source, LONG(_AHEAD)))
        score = scores.ordered(score)
        above = scores.above(score, top)
        top, chosen = builder.select(above, score, top), builder.select(above, label, chosen)
        if before is None:
            before = score
        else:  # one comparison watches two planes
            states, before = scores.watch(states, before, score), None
        source = builder.add(source, stride)
    builder.store(top, best, align=size)
    builder.store(chosen, winner, align=2)
    return states if before is None else scores.watch(states, before, before)


@intrinsic
def sweep(
    typingctx: Any, infinity: Any, best: Any, winner: Any, source: Any, stride: Any, label: Any, count: Any, width: Any
) -> Any:
    """Put ``width`` planes (1 to 7) of ``count`` pixels (a vector or more) into ``best`` and ``winner``.

    All places are addresses and ``stride`` is in bytes; the first plane is that of class ``label``.
    Returns whether a NaN was seen: then ``winner`` is not to be trusted.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        infinity_value, best, winner, source, stride, label, count, width = args
        size = infinity.bitwidth // 8
        lanes = VECTOR // size
        scores = family(infinity)(builder, context.get_value_type(infinity), lanes, infinity_value)
        final = builder.sub(count, LONG(lanes))

        def emit(number: int) -> Any:
            first = builder.trunc(label, SHORT)
            labels = [splat(builder, builder.add(first, SHORT(plane)), lanes) for plane in range(number + 1)]

            def body(index: Any, states: list[Any]) -> list[Any]:
                # the last vector may overlap the one before: a plane that is compared twice changes nothing
                pixel = least(builder, index, final)
                places = (
                    place(builder, best, pixel, size, scores.type),
                    place(builder, winner, pixel, 2, labels[0].type),
                    builder.add(source, builder.mul(pixel, LONG(size))),
                    stride,
                )
                return _planes(builder, scores, size, labels, places, states)

            mask = builder.bitcast(
                scores.seen(loop(builder, LONG(0), count, lanes, scores.start, body)), ir.IntType(lanes)
            )
            return builder.zext(builder.icmp_unsigned("!=", mask, mask.type(0)), LONG)

        return choose(builder, builder.sub(width, LONG(1)), WIDEST, emit)

    return types.int64(infinity, *[types.int64] * 7), codegen
