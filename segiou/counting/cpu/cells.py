"""Cells: the target pixels between the same four source pixels, of which every class is contiguous in memory.

Which classes can win in a cell is found first, many classes at a time; between these the pixels are decided, many
pixels at a time. All values are torch's: the four scores weighed at once, in one order for whole vectors of eight
classes and in another for the rest.
"""

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from segiou.counting.cpu.vectors import (
    FLOAT,
    INT,
    LONG,
    SHORT,
    choose,
    fma,
    least,
    loop,
    place,
    splat,
    vector,
)

EIGHT = 8  # classes that torch computes together
LANES = 16  # pixels decided at a time: rows of 1, 2, 4, 8 or 16
LENGTHS = (1, 2, 4, 8, 16)
MARKS = 32  # classes looked at together
FEWEST = 4  # classes that can be bounded
_BOUNDED = (4, 8, 16)  # classes bounded at a time
# rounding moves a mean of four by less than 2^-20 of the largest, or by a few of the smallest numbers
_SHARE, _LEAST = 2.0**-18, 1e-37


def _four(builder: Any, corners: Any, offset: Any, kind: Any) -> list[Any]:
    addresses = [builder.add(builder.extract_value(corners, i), offset) for i in range(4)]
    return [builder.load(builder.inttoptr(address, kind.as_pointer()), align=4) for address in addresses]


def _extreme(builder: Any, values: list[Any], compared: str) -> Any:
    """The largest (">") or smallest ("<") of each lane; no care is taken of NaN."""
    best, *others = values
    for value in others:
        best = builder.select(builder.fcmp_ordered(compared, value, best), value, best)
    return best


def _folded(builder: Any, values: Any) -> Any:
    """The largest of the lanes, in all lanes."""
    lanes = values.type.count
    for step in (8, 4, 2, 1):
        if step < lanes:
            order = ir.Constant(vector(INT, lanes), [lane ^ step for lane in range(lanes)])
            values = _extreme(builder, [values, builder.shuffle_vector(values, values, order)], ">")
    return values


def _bound(builder: Any, lanes: int, corners: Any, classes: Any, bounds: Any) -> Any:
    """The code for a number of lanes; the rest as ``bound``."""
    kind = vector(FLOAT, lanes)
    final = builder.sub(classes, LONG(lanes))
    zero, lowest = ir.Constant(kind, None), ir.Constant(kind, [float("-inf")] * lanes)

    def some_classes(index: Any, states: list[Any]) -> list[Any]:
        label = least(builder, index, final)  # the last may overlap the ones before
        offset = builder.mul(label, LONG(4))
        scores = _four(builder, corners, offset, kind)
        builder.store(_extreme(builder, scores, ">"), place(builder, bounds, label, 4, kind), align=4)
        low = _extreme(builder, [states[0], _extreme(builder, scores, "<")], ">")
        total = builder.fadd(builder.fadd(*scores[:2]), builder.fadd(*scores[2:]))
        return [low, fma(builder, total, zero, states[1])]  # zero times what is not finite is NaN

    low, odd = loop(builder, LONG(0), classes, lanes, [lowest, zero], some_classes)
    low = _folded(builder, low)
    lost = builder.fcmp_unordered("uno", odd, odd)
    anything = builder.icmp_unsigned("!=", builder.bitcast(lost, ir.IntType(lanes)), ir.IntType(lanes)(0))
    best = builder.extract_element(low, INT(0))
    size = builder.select(builder.fcmp_ordered("<", best, FLOAT(0)), builder.fneg(best), best)
    margin = builder.fadd(builder.fmul(size, FLOAT(_SHARE)), FLOAT(_LEAST))
    least_bound = builder.select(anything, FLOAT(float("nan")), builder.fsub(best, margin))
    return builder.zext(builder.bitcast(least_bound, INT), LONG)


@intrinsic
def bound(typingctx: Any, corners: Any, classes: Any, bounds: Any) -> Any:
    """Write what no pixel of the cell exceeds, class by class, to the address ``bounds``; ``FEWEST`` classes or more.

    ``corners`` are the addresses of the four source pixels. Returns the pattern of what some class reaches everywhere,
    less a margin for the rounding: a class whose bound is below cannot win. It is NaN if any score is not finite.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        corners, classes, bounds = args
        wide = [builder.icmp_signed(">=", classes, LONG(lanes)) for lanes in _BOUNDED[1:]]
        case = builder.add(*(builder.zext(enough, LONG) for enough in wide))
        return choose(
            builder, case, len(_BOUNDED), lambda number: _bound(builder, _BOUNDED[number], corners, classes, bounds)
        )

    return types.int64(types.UniTuple(types.int64, 4), types.int64, types.int64), codegen


@intrinsic
def reaching(typingctx: Any, bounds: Any, pattern: Any) -> Any:
    """A bit for each of the 32 bounds from an address on: is it not below the float32 of a pattern?"""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        values = builder.load(builder.inttoptr(args[0], vector(FLOAT, MARKS).as_pointer()), align=4)
        wanted = splat(builder, builder.bitcast(builder.trunc(args[1], INT), FLOAT), MARKS)
        mask = builder.fcmp_unordered(">=", values, wanted)
        return builder.zext(builder.bitcast(mask, ir.IntType(MARKS)), LONG)

    return types.int64(types.int64, types.int64), codegen


def _arranged(builder: Any, address: Any, length: int, source: list[int]) -> Any:
    """``length`` floats at an address, as the lanes of a vector."""
    values = builder.load(builder.inttoptr(address, vector(FLOAT, length).as_pointer()), align=4)
    if length == 1:
        return splat(builder, values, LANES)
    return builder.shuffle_vector(values, values, ir.Constant(vector(INT, LANES), source))


@intrinsic
def weigh(typingctx: Any, tables: Any, shares: Any, choice: Any) -> Any:
    """What each of the four source pixels weighs in ``LANES`` target pixels, in rows of ``LENGTHS[choice]``.

    ``tables``: addresses of what the upper and the lower source row weigh, row by row, and of what the left and the
    right pixel weigh. The four vectors go to the address ``shares``.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        tables, shares, choice = args
        addresses = [builder.extract_value(tables, i) for i in range(4)]

        def emit(number: int) -> Any:
            length = LENGTHS[number]
            rows, columns = [lane // length for lane in range(LANES)], [lane % length for lane in range(LANES)]
            down = [_arranged(builder, table, LANES // length, rows) for table in addresses[:2]]
            across = [_arranged(builder, table, length, columns) for table in addresses[2:]]
            for corner in range(4):
                share = builder.fmul(down[corner // 2], across[corner % 2])
                builder.store(share, place(builder, shares, LONG(corner), 4 * LANES, share.type), align=4)
            return LONG(0)

        return choose(builder, choice, len(LENGTHS), emit)

    return types.int64(types.UniTuple(types.int64, 4), types.int64, types.int64), codegen


def _values(builder: Any, whole: bool, scores: list[Any], shares: list[Any]) -> Any:
    """The mean of four, in torch's order for whole vectors of classes, or for the rest."""
    (v0, v1, v2, v3), (g0, g1, g2, g3) = scores, shares
    if whole:
        return fma(builder, v0, g0, fma(builder, v1, g1, fma(builder, v3, g3, builder.fmul(v2, g2))))
    return fma(builder, v3, g3, fma(builder, v2, g2, fma(builder, v0, g0, builder.fmul(v1, g1))))


def _decide(builder: Any, odd: bool, corners: Any, candidates: Any, shares: Any, out: Any) -> Any:
    """The code for scores that may be NaN or not; the rest as ``decide``."""
    labels, whole, every = (builder.extract_value(candidates, i) for i in range(3))
    kind = vector(FLOAT, LANES)
    weights = [builder.load(place(builder, shares, LONG(i), 4 * LANES, kind), align=4) for i in range(4)]

    def compare(in_whole: bool, index: Any, states: list[Any]) -> list[Any]:
        top, winner = states
        label = builder.load(place(builder, labels, index, 4, INT), align=4)
        offset = builder.mul(builder.zext(label, LONG), LONG(4))
        scores = [splat(builder, score, LANES) for score in _four(builder, corners, offset, FLOAT)]
        value = _values(builder, in_whole, scores, weights)
        if odd:  # the first NaN is the winner
            number = builder.fcmp_ordered("ord", top, top)
            larger = builder.and_(builder.fcmp_unordered(">", value, top), number)
        else:
            larger = builder.fcmp_ordered(">", value, top)
        here = splat(builder, builder.trunc(label, SHORT), LANES)
        return [builder.select(larger, value, top), builder.select(larger, here, winner)]

    states = [ir.Constant(kind, [float("-inf")] * LANES), ir.Constant(vector(SHORT, LANES), None)]
    states = loop(builder, LONG(0), whole, 1, states, lambda index, states: compare(True, index, states))
    top, winner = loop(builder, whole, every, 1, states, lambda index, states: compare(False, index, states))
    builder.store(winner, builder.inttoptr(out, winner.type.as_pointer()), align=2)
    lost = builder.fcmp_unordered("uno", top, top)
    return builder.zext(builder.bitcast(lost, ir.IntType(LANES)), LONG)


@intrinsic
def decide(typingctx: Any, corners: Any, candidates: Any, shares: Any, out: Any, odd: Any) -> Any:
    """Write the winners (16 bits) of ``LANES`` pixels to the address ``out``; returns a bit for each that is NaN.

    ``corners`` as for ``bound``, ``shares`` as for ``weigh``; ``candidates``: ``(labels, whole, all)``, the address of
    int32 class labels in order, how many of them torch computes in whole vectors, and how many there are; ``odd``:
    whether any score may be not finite.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        *inputs, odd = args
        return choose(builder, builder.zext(odd, LONG), 2, lambda number: _decide(builder, number == 1, *inputs))

    tuples = [types.UniTuple(types.int64, size) for size in (4, 3)]
    return types.int64(*tuples, types.int64, types.int64, types.boolean), codegen


@intrinsic
def same(typingctx: Any, label: Any, out: Any) -> Any:
    """As ``decide``, where one class alone can win."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        winners = splat(builder, builder.trunc(args[0], SHORT), LANES)
        builder.store(winners, builder.inttoptr(args[1], winners.type.as_pointer()), align=2)
        return LONG(0)

    return types.int64(types.int64, types.int64), codegen


@intrinsic
def spread(typingctx: Any, winners: Any, out: Any, step: Any, choice: Any) -> Any:
    """Copy ``LANES`` winners as rows of ``LENGTHS[choice]``, ``step`` bytes apart, to the address ``out``."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        winners, out, step, choice = args

        def emit(number: int) -> Any:
            kind, address = vector(SHORT, LENGTHS[number]), out
            for row in range(LANES // LENGTHS[number]):
                part = builder.load(place(builder, winners, LONG(row), 2 * LENGTHS[number], kind), align=2)
                builder.store(part, builder.inttoptr(address, kind.as_pointer()), align=2)
                address = builder.add(address, step)
            return LONG(0)

        return choose(builder, choice, len(LENGTHS), emit)

    return types.int64(*[types.int64] * 4), codegen
