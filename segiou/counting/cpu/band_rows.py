"""Marking the interior pixels of label maps row by row, at a cost that depends neither on the distance nor on C.

``source`` tells what the labels are read from, as in ``driver``, ``strides`` the steps from image to image, from row
to row and from pixel to pixel; ``table`` is what each class becomes, what is outside last, and empty where each stays;
``labels`` is how many that makes.
"""

from typing import Any

import numpy as np
from numba.extending import overload
from numpy.typing import NDArray

from segiou.counting.cpu.binary_columns import columns_from_binary
from segiou.counting.cpu.gather import LARGEST
from segiou.counting.cpu.label_rows import bring
from segiou.counting.cpu.native import compiled, fetch_add, part, team
from segiou.counting.cpu.score_columns import columns_from_scores


def read_row(source: Any, start: Any, stride: Any, columns: Any, best: Any) -> Any:
    """Labels of neighbouring pixels into ``columns``."""
    raise NotImplementedError


@overload(read_row)
def _read_row(source: Any, start: Any, stride: Any, columns: Any, best: Any) -> Any:
    def from_labels(source: Any, start: Any, stride: Any, columns: Any, best: Any) -> Any:
        address, kind, classes = source
        bring(address, kind, start, stride, classes, columns.ctypes.data, columns.size)

    return {3: from_labels, 6: columns_from_binary, 7: columns_from_scores}[len(source)]


@part
def renumber(columns, table, row):
    if table.size:
        for x in range(row.size):
            row[x] = table[columns[x]]
    else:
        for x in range(row.size):
            row[x] = columns[x]


@part
def add_to_runs(row, above, runs):
    """Count in ``runs`` how many rows up to this one hold the same label in a column."""
    for x in range(row.size):
        runs[x] = runs[x] + 1 if row[x] == above[x] else 1


@part
def mark_edges(row, runs, needed, border, edges, short):
    """Mark the edges between pixels of two labels, and both edges of a column whose run is shorter than ``needed``.

    ``edges`` has one to the left of every pixel and one to the right of the last.
    """
    width = row.size
    for x in range(width):
        short[x] = runs[x] < needed
    edges[0], edges[width] = border | short[0], border | short[width - 1]
    left, right, between = row[: width - 1], row[1:width], edges[1:width]
    before, after = short[: width - 1], short[1:width]  # slices of one size: what LLVM makes vectors of
    for x in range(between.size):
        between[x] = (left[x] != right[x]) | before[x] | after[x]


@part
def widen(marks, spare, span):
    """Each mark joined with the ``span - 1`` behind it, in one of the two arrays; the reach doubles at every step."""
    reach, size = 1, marks.size
    while reach < span:
        step = min(reach, span - reach)
        reach, size = reach + step, size - step
        near, far, joined = marks[:size], marks[step : step + size], spare[:size]
        for x in range(joined.size):
            joined[x] = near[x] | far[x]
        marks, spare = spare, marks
    return marks


@part
def finish(row, marks, labels):
    """Pixels without a mark become ``labels``, those outside become ``labels + 1``."""
    marks = marks[: row.size]
    for x in range(row.size):
        label = row[x]
        row[x] = label + 1 if label == labels else labels if marks[x] == 0 else label


@part
def mark_band(source, start, strides, rows, table, labels, distance, border, marked, scratch):
    """Some rows of an image, each finished when the ``distance`` rows below it have been read."""
    columns, best, runs, marks, spare, outer = scratch
    height, width = marked.shape
    first = max(0, rows[0] - distance)
    runs[:] = 0
    above = outer[0]
    for y in range(first, rows[1] + distance):
        if y < height:
            read_row(source, start + y * strides[1], strides[2], columns[:width], best)
            row = marked[y] if rows[0] <= y < rows[1] else outer[y % 2]
            renumber(columns, table, row)
            add_to_runs(row, row if y == first else above, runs)
            above = row
        centre = y - distance
        if centre < rows[0]:
            continue
        marks[:] = border
        if border and (centre < distance or y >= height):
            finish(marked[centre], marks, labels)
        else:
            needed = min(y, height - 1) - max(0, centre - distance) + 1
            mark_edges(marked[centre], runs, needed, border, marks[distance - 1 : distance + width], spare)
            finish(marked[centre], widen(marks, spare, 2 * distance), labels)


def memory_for(threads: int, width: int, distance: int, room: int) -> tuple[NDArray[Any], ...]:
    """What each thread needs for a row; ``room`` is the bytes of memory that finding the labels needs."""
    return (
        np.empty((threads, width + LARGEST), np.uint16),
        np.empty((threads, room // 8 + 1), np.int64),
        np.empty((threads, width), np.int32),
        np.empty((threads, 2, width + 2 * distance - 1), np.uint8),
        np.empty((threads, 2, width), np.uint16),
    )


@compiled
def mark_bands(launch, threads, job):
    """As ``driver.count``: a thread takes the next of ``pieces`` bands of every image, until there are none.

    ``memory`` is what ``memory_for`` gives; ``work`` is ``[next piece, threads at work]``.
    """
    if launch:
        team(launch, threads, job)
        return
    source, strides, table, labels, distance, border, pieces, memory, marked, work = job
    images, height, _ = marked.shape
    columns, words, runs, marks, outer = memory
    own = fetch_add(work, 1, 1)
    scratch = columns[own], np.int64(words[own].ctypes.data), runs[own], marks[own, 0], marks[own, 1], outer[own]
    piece = fetch_add(work, 0, 1)
    while piece < images * pieces:
        image, number = divmod(piece, pieces)
        rows = number * height // pieces, (number + 1) * height // pieces
        start = image * strides[0]
        mark_band(source, start, strides, rows, table, labels, distance, border, marked[image], scratch)
        piece = fetch_add(work, 0, 1)
