"""Counting on the CPU with compiled kernels. Needs numba (the extra ``fast``); import it only where it is used."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from segiou.counting import eager
from segiou.counting.cpu import label_rows
from segiou.counting.cpu.bilinear import count_bilinear
from segiou.counting.cpu.driver import PART, count
from segiou.counting.cpu.gather import LARGEST, tile_size
from segiou.counting.cpu.geometry import Axis, nest, span
from segiou.counting.cpu.histogram import COPIES, FEW, finish
from segiou.counting.cpu.nearest import count_nearest
from segiou.counting.cpu.pieces import FLOATS, bands_of, layout
from segiou.counting.cpu.resizing import arithmetic
from segiou.counting.cpu.threads import together
from segiou.counting.cpu.thresholds import MOST_BOUNDS, Bounds, bounds_of, count_above
from segiou.counting.inputs import BAD_TARGET, Batch, Counted
from segiou.counting.rules import Rules, Upsample
from segiou.counting.upsample import image_by_image

ONE_THREAD = 200_000  # scores or pixels: below, handing work to another thread takes longer than doing it
SCORES_BLOCK = 16384  # pixels: long for the memory to stream, short for the second-level cache
TURNS = 32  # turns in which the threads share out the pieces
MOST_CLASSES = 32766  # rows and columns are kept in 16 bits, pairs in 32

_KINDS = {
    torch.bool: label_rows.UINT8,
    torch.uint8: label_rows.UINT8,
    torch.int8: label_rows.INT8,
    torch.uint16: label_rows.BITS16,
    torch.int16: label_rows.BITS16,
    torch.uint32: label_rows.BITS32,
    torch.int32: label_rows.BITS32,
    torch.uint64: label_rows.BITS64,
    torch.int64: label_rows.BITS64,
}
_RANGES = {dtype: (torch.iinfo(dtype).min, torch.iinfo(dtype).max) for dtype in _KINDS if dtype is not torch.bool}
_RANGES[torch.bool] = (0, 1)
# infinity, and what no score is below; for 16 bits the pattern of the one and a key for the other
_LIMITS: dict[torch.dtype, tuple[Any, Any]] = {
    torch.float32: (np.float32(np.inf), np.float32(-np.inf)),
    torch.float64: (np.float64(np.inf), np.float64(-np.inf)),
    torch.float16: (np.int16(0x7C00), np.int16(-32768)),
    torch.bfloat16: (np.int16(0x7F80), np.int16(-32768)),
}


class _Shape(NamedTuple):
    """How a kernel likes its work: scores per pixel, pixels in a piece, and the memory for tiles."""

    scores: int
    block: int
    size: int
    tile: int


_PLAIN = _Shape(1, 4096, 0, 0)


@lru_cache(maxsize=256)
def _ignored(
    ignore: tuple[int, ...], num_classes: int, dtype: torch.dtype
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The ignored classes, and the ignored values outside the classes that a tensor of this type can hold."""
    low, high = _RANGES[dtype]
    classes = sorted({value for value in ignore if 0 <= value < num_classes})
    possible = {value for value in ignore if low <= value <= high}
    outside = sorted(value for value in possible if not 0 <= value < num_classes)
    return np.array(classes, np.int64), np.array(outside, np.uint64 if low == 0 else np.int64).astype(np.int64)


def _run(
    source: tuple[Any, ...],
    axes: list[Axis],
    target: Tensor,
    num_classes: int,
    ignore: tuple[int, ...],
    each: bool,
    shape: _Shape,
) -> Counted:
    """Cut the work into pieces, let the threads count them, and add up the labels out of range."""
    ignored, outside = _ignored(ignore, num_classes, target.dtype)
    width = num_classes + 1
    counts, errors = np.zeros((len(target) if each else 1, width, width), np.int64), np.zeros(4, np.int64)
    flat = counts.reshape(-1)
    (a, p, t), (b, q, u), (c, r, v), (d, s, w) = axes
    if a * b * c * d:
        bins = width * width
        scores = a * b * c * d * shape.scores
        threads = 1 if scores < ONE_THREAD or scores < 4 * bins else torch.get_num_threads()
        parts = -(-d // shape.block)
        length = -(-d // (64 * parts)) * 64
        pieces = a * b * c * parts
        room = bins * COPIES if bins <= FEW else 0 if threads == 1 else bins
        words = room + (6 * PART + 2 * (length + LARGEST) + shape.size * max(length + LARGEST, shape.tile)) // 8 + 1
        work = np.array([0, pieces if threads == 1 else max(1, pieces // (TURNS * threads)), 0], np.int64)
        memory = np.empty((threads, words), np.int64)
        loops = ((a, b, c, d), (p, q, r, s), (t, u, v, w), (parts, length))
        found = (target.data_ptr(), _KINDS[target.dtype])
        job = (room, source, found, *loops, num_classes, outside, each, memory, work, flat, errors)
        together(threads, count, job)
    finish(flat, width, ignored, errors)
    return Counted(torch.from_numpy(counts if each else counts[0]), torch.from_numpy(errors))


def labels(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count two label maps of one shape ``(N, ...)``, of any integer types and strides."""
    if num_classes > MOST_CLASSES:
        return eager.labels(preds, target, num_classes, ignore, each)
    axes = nest(list(zip(target.shape, preds.stride(), target.stride(), strict=True)), each)
    if axes is None:
        return labels(preds.contiguous(), target.contiguous(), num_classes, ignore, each)
    source = (preds.data_ptr(), _KINDS[preds.dtype], num_classes)
    return _run(source, axes, target, num_classes, ignore, each, _PLAIN)


def scores(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count scores ``(N, C, ...)`` against labels ``(N, ...)``: the prediction is ``preds.argmax(1)``."""
    if preds.dtype not in _LIMITS or num_classes > MOST_CLASSES:
        return eager.scores(preds, target, num_classes, ignore, each)
    first, class_stride, *others = strides = preds.stride()
    axes = nest(list(zip(target.shape, (first, *others), target.stride(), strict=True)), each)
    if axes is None:
        return scores(preds.contiguous(), target.contiguous(), num_classes, ignore, each)
    tile = tile_size(num_classes)
    source = (*_LIMITS[preds.dtype], preds.data_ptr(), span(preds.shape, strides), class_stride, num_classes, tile)
    shape = _Shape(num_classes, SCORES_BLOCK, preds.element_size(), tile * (num_classes + 1))
    return _run(source, axes, target, num_classes, ignore, each, shape)


@lru_cache(maxsize=64)
def _bounds(threshold: float, probabilities: bool, dtype: torch.dtype) -> tuple[Any, ...]:
    """Threshold in the scores' type, infinity, and the least and greatest score allowed; for 16 bits their keys."""
    inner = (0.0, 1.0) if probabilities else (-np.inf, np.inf)
    values = torch.tensor([threshold, np.inf, *inner], dtype=torch.float64).to(dtype)
    if dtype.itemsize > 2:
        return tuple(values.numpy())
    patterns = values.view(torch.int16).tolist()
    return tuple(np.int16(pattern if pattern >= 0 else -32768 - pattern) for pattern in patterns)


def binary(
    preds: Tensor, target: Tensor, threshold: float, probabilities: bool, ignore: tuple[int, ...], each: bool
) -> Counted:
    """Count one score per pixel, above the threshold or not, against labels 0 and 1."""
    axes = nest(list(zip(target.shape, preds.stride(), target.stride(), strict=True)), each)
    if axes is None:
        return binary(preds.contiguous(), target.contiguous(), threshold, probabilities, ignore, each)
    source = (*_bounds(threshold, probabilities, preds.dtype), preds.data_ptr(), span(preds.shape, preds.stride()))
    return _run(source, axes, target, 2, ignore, each, _PLAIN)


@lru_cache(maxsize=64)
def _table(bounds: bytes, double: bool, probabilities: bool) -> tuple[Bounds, tuple[Any, Any]]:
    """The bounds as the kernel takes them, and the least and greatest score allowed."""
    values = np.frombuffer(bounds, np.float64 if double else np.float32)
    low, high = (0, 1) if probabilities else (-np.inf, np.inf)
    return bounds_of(values), (values.dtype.type(low), values.dtype.type(high))


def above(preds: Tensor, target: Tensor, bounds: Tensor, probabilities: bool, ignore: tuple[int, ...]) -> Counted:
    """Count one score per pixel by how many rising bounds it is above, against labels 0 and 1, ``(2, T + 1)``."""
    axes = nest(list(zip(target.shape, preds.stride(), target.stride(), strict=True)), False)
    if not 2 <= len(bounds) <= MOST_BOUNDS or not target.numel():
        return eager.above(preds, target, bounds, probabilities, ignore)
    if preds.dtype.itemsize == 2:  # in parts, for they take twice the memory
        step = max(1, eager.CHUNK // target[:1].numel())
        parts = zip(torch.split(preds, step), torch.split(target, step), strict=True)
        found = [above(scores.float(), labels, bounds.float(), probabilities, ignore) for scores, labels in parts]
        return Counted(*(torch.stack(values).sum(0) for values in zip(*found, strict=True)))
    if axes is None:
        return above(preds.contiguous(), target.contiguous(), bounds, probabilities, ignore)
    return _above(
        preds, target, axes, _table(bounds.numpy().tobytes(), preds.dtype == torch.float64, probabilities), ignore
    )


def _above(preds: Tensor, target: Tensor, axes: list[Axis], table: Any, ignore: tuple[int, ...]) -> Counted:
    """As ``_run``, for one table of three rows."""
    ignored, outside = _ignored(ignore, 2, target.dtype)
    width = len(table[0].values) + 1
    counts, errors = np.zeros((3, width), np.int64), np.zeros(4, np.int64)
    (a, p, t), (b, q, u), (c, r, v), (d, s, w) = axes
    threads = 1 if target.numel() < max(ONE_THREAD, 12 * width) else torch.get_num_threads()
    parts = -(-d // PART)
    length = -(-d // (64 * parts)) * 64
    pieces = a * b * c * parts
    room = 3 * width * COPIES if 3 * width <= FEW else 0 if threads == 1 else 3 * width
    work = np.array([0, pieces if threads == 1 else max(1, pieces // (TURNS * threads)), 0], np.int64)
    memory = np.empty((threads, room + 2 * PART), np.int64)
    source = (*table, preds.data_ptr(), span(preds.shape, preds.stride()))
    found = (target.data_ptr(), _KINDS[target.dtype])
    loops = ((a, b, c, d), (p, q, r, s), (t, u, v, w), (parts, length))
    together(threads, count_above, (room, source, found, *loops, outside, memory, work, counts.reshape(-1), errors))
    errors[BAD_TARGET] += counts[2].sum()
    counts[ignored] = 0
    return Counted(torch.from_numpy(counts[:2]), torch.from_numpy(errors))


def upsampled_scores(
    preds: Tensor,
    target: Tensor,
    num_classes: int,
    ignore: tuple[int, ...],
    each: bool,
    mode: Upsample,
    align_corners: bool,
) -> Counted:
    """Count scores ``(N, C, h, w)``, brought to the labels' size ``(N, H, W)`` as ``F.interpolate`` does in float32."""
    height, width = target.shape[1:]
    fused = target.numel() and num_classes <= MOST_CLASSES
    if fused and mode == "nearest":
        counts, errors = count_nearest(labels, preds, target, num_classes, ignore, False)
        return Counted(counts if each else counts.sum(0), errors)
    if fused and (found := arithmetic(preds, height, width)):
        return _bilinear(preds, target, num_classes, ignore, each, align_corners, found)
    rules = Rules("multiclass", num_classes, ignore_index=ignore, upsample=mode, align_corners=align_corners)
    batch = Batch("scores", preds, target)
    return image_by_image(lambda item: scores(*item[1:], num_classes, ignore, False), batch, rules, each)


def _bilinear(
    preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool, align: bool, found: str
) -> Counted:
    """As ``_run``, for pieces that are bands of rows."""
    ignored, outside = _ignored(ignore, num_classes, target.dtype)
    width, items = num_classes + 1, len(target)
    bins = width * width
    counts, errors = np.zeros((items if each else 1, width, width), np.int64), np.zeros(4, np.int64)
    flat = counts.reshape(-1)
    scores = target.numel() * num_classes
    threads = 1 if scores < ONE_THREAD or scores < 4 * bins else torch.get_num_threads()
    tables, strips, words = layout(preds, target.shape[2], target.shape[1], align, found)
    bands = bands_of(target.shape[1], items * strips[0], threads)
    room = bins * COPIES if bins <= FEW else 0 if threads == 1 else bins
    work = np.array([0, items * strips[0] * bands[0], 0], np.int64)
    memory = np.empty((threads, room + words), np.int64)
    source = (preds.data_ptr(), FLOATS[preds.dtype], preds.stride(), num_classes)
    labelled = (target.data_ptr(), _KINDS[target.dtype], target.stride())
    job = (room, source, labelled, *tables, strips, bands, num_classes, outside, each, memory, work, flat, errors)
    together(threads, count_bilinear, job)
    finish(flat, width, ignored, errors)
    return Counted(torch.from_numpy(counts if each else counts[0]), torch.from_numpy(errors))
