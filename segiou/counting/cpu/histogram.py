"""Joint counts of rows and columns: by runs of equal pairs where there are few, else pixel by pixel."""

from typing import Any

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

from segiou.counting.cpu.native import compiled, fetch_add, part
from segiou.counting.cpu.vectors import BIT, LONG, SHORT, place, splat, vector

GROUP = 32  # pixels looked at together
COPIES = 4  # histograms, so that neighbours with the same pair do not wait for each other's addition
FEW = 2048  # bins: up to here the copies stay in the first-level cache
_RUNS = 8  # in a group, up to which it pays to count by runs
_NOISE = 256  # pixels counted singly once a group has more runs
_SEARCH = 3  # rows (two classes and the rest) up to which it pays to look for every pair in turn


@intrinsic
def _changes(typingctx: Any, rows: Any, columns: Any, index: Any) -> Any:
    """A bit for each of the 32 pixels from ``index`` on: does it differ from the pixel before?

    Both are addresses of 16-bit numbers.
    """

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        kind, mask = vector(SHORT, GROUP), None
        for numbers in args[:2]:
            here = builder.load(place(builder, numbers, args[2], 2, kind), align=2)
            before = builder.load(place(builder, numbers, builder.sub(args[2], LONG(1)), 2, kind), align=2)
            differs = builder.icmp_unsigned("!=", here, before)
            mask = differs if mask is None else builder.or_(mask, differs)
        return builder.zext(builder.bitcast(mask, ir.IntType(GROUP)), LONG)

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def _marks(typingctx: Any, numbers: Any, index: Any, wanted: Any) -> Any:
    """A bit for each of the 32 pixels from ``index`` on: is its number the one that is wanted?"""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        here = builder.load(place(builder, args[0], args[1], 2, vector(SHORT, GROUP)), align=2)
        same = builder.icmp_unsigned("==", here, splat(builder, builder.trunc(args[2], SHORT), GROUP))
        return builder.zext(builder.bitcast(same, ir.IntType(GROUP)), LONG)

    return types.int64(types.int64, types.int64, types.int64), codegen


@intrinsic
def _ones(typingctx: Any, mask: Any) -> Any:
    """How many bits are set."""
    return types.int64(types.int64), lambda context, builder, signature, args: builder.ctpop(args[0])


@intrinsic
def first_bit(typingctx: Any, mask: Any) -> Any:
    """The lowest bit that is set."""

    def codegen(context: Any, builder: Any, signature: Any, args: Any) -> Any:
        return builder.cttz(args[0], BIT(1))

    return types.int64(types.int64), codegen


@part
def _fuse(rows, columns, start, width, keys):
    """From ``start`` on, each pair as one number.

    Long before they are read: for what a vector has just written a single load must wait.
    """
    above, beside, out = rows[start:], columns[start:], keys[start:]
    for i in range(beside.size):
        out[i] = np.uint32(above[i]) * np.uint32(width) + np.uint32(beside[i])


@part
def _singly(keys, histogram, offset):
    """Count whole groups pixel by pixel."""
    second, third, fourth = np.uint64(offset), np.uint64(2 * offset), np.uint64(3 * offset)
    for start in range(0, keys.size, 8):
        group = keys[start : start + 8]
        for i in range(0, 8, 4):
            histogram[group[i]] += 1
            histogram[group[i + 1] + second] += 1
            histogram[group[i + 2] + third] += 1
            histogram[group[i + 3] + fourth] += 1


@part
def _search(top, left, start, end, width, histogram):
    """Count whole groups of one or two classes pair by pair: four of the nine by looking, the rest from the sums."""
    pair00 = pair01 = pair10 = pair11 = row0 = row1 = column0 = column1 = 0
    for index in range(start, end, GROUP):
        rows0, rows1 = _marks(top, index, 0), _marks(top, index, 1)
        columns0, columns1 = _marks(left, index, 0), _marks(left, index, 1)
        pair00 += _ones(rows0 & columns0)
        pair01 += _ones(rows0 & columns1)
        pair10 += _ones(rows1 & columns0)
        pair11 += _ones(rows1 & columns1)
        row0 += _ones(rows0)
        row1 += _ones(rows1)
        column0 += _ones(columns0)
        column1 += _ones(columns1)
    histogram[0] += pair00
    histogram[1] += pair01
    histogram[width] += pair10
    histogram[width + 1] += pair11
    if width == 3:
        down0, down1 = column0 - pair00 - pair10, column1 - pair01 - pair11
        histogram[2] += row0 - pair00 - pair01
        histogram[5] += row1 - pair10 - pair11
        histogram[6] += down0
        histogram[7] += down1
        histogram[8] += end - start - row0 - row1 - down0 - down1


@part
def tally(rows, columns, width, keys, histogram, offset):
    """Count pairs. ``keys`` is for the pairs as numbers, ``offset`` the distance of the histogram's copies, 0 for one.

    The two bytes before either array are read, and mean nothing.
    """
    size = columns.size
    whole = size - size % GROUP
    top, left = np.int64(rows.ctypes.data), np.int64(columns.ctypes.data)
    fused = False
    begin = 0  # of the run that is going on
    after = np.int64(0)  # not 0: numba would compile what is called with it twice
    while after < whole:
        start = after
        after += GROUP
        mask = _changes(top, left, start)
        if start == begin:
            mask &= -2
        if mask == 0:
            continue
        if _ones(mask) <= _RUNS:
            while mask:
                i = start + first_bit(mask)
                histogram[np.int64(rows[i - 1]) * width + columns[i - 1]] += i - begin
                begin = i
                mask &= mask - 1
            continue
        if begin < start:
            histogram[np.int64(rows[start - 1]) * width + columns[start - 1]] += start - begin
        after = min(start + _NOISE, whole)
        if width <= _SEARCH:
            _search(top, left, start, after, width, histogram)
        else:
            if not fused:
                _fuse(rows, columns, start, width, keys)
                fused = True
            _singly(keys[start:after], histogram, offset)
        begin = after
    if begin < whole:
        histogram[np.int64(rows[whole - 1]) * width + columns[whole - 1]] += whole - begin
    for i in range(whole, size):
        histogram[np.int64(rows[i]) * width + columns[i]] += 1


@part
def flush(histogram, bins, counts, base):
    """Move a histogram into the counts of one item, and leave it empty."""
    for i in range(bins):
        total = 0
        for copy in range(i, histogram.size, bins):
            total += histogram[copy]
            histogram[copy] = 0
        if total:  # other threads may be adding theirs
            fetch_add(counts, base + i, total)


@compiled
def finish(counts, width, ignored, errors):
    """Add up the labels out of range, and move the rows of ignored classes into the last."""
    for base in range(0, counts.size, width * width):
        last = base + (width - 1) * width
        for i in range(width):
            errors[1] += counts[last + i]
        for label in ignored:
            for i in range(width):
                counts[last + i] += counts[base + label * width + i]
                counts[base + label * width + i] = 0
        for i in range(width - 1):
            errors[0] += counts[base + i * width + width - 1]
