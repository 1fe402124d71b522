"""Counting on the CPU with kernels in C: the functions of ``segiou.counting.eager``, bit for bit.

The extension is built when segiou is installed. Where there was no compiler, importing this raises ImportError.
"""

import math
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from segiou.counting import eager
from segiou.counting.inputs import Batch, Counted
from segiou.counting.native import _native
from segiou.counting.native.resizing import NEAREST, arithmetic, nearest, taps
from segiou.counting.rules import Rules, Upsample
from segiou.counting.threads import team
from segiou.counting.upsample import image_by_image

MOST_CLASSES, MOST_BOUNDS = 32766, 65535  # numbers have 16 bits
INTEGERS = (torch.uint8, torch.int8, torch.uint16, torch.int16, torch.uint32, torch.int32, torch.uint64, torch.int64)
FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
KINDS = {kind: number for number, kind in enumerate((*INTEGERS, *FLOATS))} | {torch.bool: 0}
"""The kernels' numbers of dtypes, as in native.h."""
ZERO = torch.zeros((), dtype=torch.int64, device="cpu")

Described = tuple[int, int, tuple[int, ...], tuple[int, ...]]


def described(x: Tensor) -> Described:
    """A tensor as the kernels take it: address, kind, shape and strides."""
    return x.data_ptr(), KINDS[x.dtype], x.shape, x.stride()


def labels(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count two label maps of one shape ``(N, ...)``, of any integer types and strides."""
    if num_classes > MOST_CLASSES:
        return eager.labels(preds, target, num_classes, ignore, each)
    return _run(_native.labels, preds, target, num_classes, ignore, each, preds.numel())


def scores(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count scores ``(N, C, ...)`` against labels ``(N, ...)``: the prediction is ``preds.argmax(1)``."""
    if preds.dtype not in FLOATS or num_classes > MOST_CLASSES:
        return eager.scores(preds, target, num_classes, ignore, each)
    return _run(_native.scores, preds, target, num_classes, ignore, each, preds.numel())


def binary(
    preds: Tensor, target: Tensor, threshold: float, probabilities: bool, ignore: tuple[int, ...], each: bool
) -> Counted:
    """Count one score per pixel, above the threshold or not, against labels 0 and 1."""
    bounds = limits(threshold, probabilities, preds.dtype)
    return _run(_native.binary, preds, target, 2, ignore, each, preds.numel(), *bounds)


@lru_cache(maxsize=64)
def limits(threshold: float, probabilities: bool, dtype: torch.dtype) -> tuple[float, ...]:
    """Threshold, least and greatest score allowed, rounded to the scores' type; for 16 bits keys in their order."""
    inner = (0.0, 1.0) if probabilities else (-math.inf, math.inf)
    values = torch.tensor([threshold, *inner], dtype=torch.float64, device="cpu").to(dtype)
    if dtype.itemsize > 2:
        return tuple(values.tolist())
    return tuple(float(bits if bits >= 0 else -32768 - bits) for bits in values.view(torch.int16).tolist())


def above(preds: Tensor, target: Tensor, bounds: Tensor, probabilities: bool, ignore: tuple[int, ...]) -> Counted:
    """Count one score per pixel by how many rising bounds it is above, against labels 0 and 1, ``(2, T + 1)``."""
    number = len(bounds)
    if not 1 <= number <= MOST_BOUNDS:
        return eager.above(preds, target, bounds, probabilities, ignore)
    counts, errors = _zeros(3, number + 1), _zeros(4)
    if target.numel():
        allowed = (0.0, 1.0) if probabilities else (-math.inf, math.inf)
        values = bounds.double().contiguous()
        options = (2, 0, ignore, *team(preds.numel(), 3 * (number + 1)), counts.data_ptr(), errors.data_ptr())
        _native.above(described(preds), described(target), *options, (*allowed, values.data_ptr(), number))
    return Counted(counts[:2], errors)


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
    method = None
    if target.numel() and num_classes <= MOST_CLASSES:
        method = NEAREST if mode == "nearest" else arithmetic(preds, *target.shape[1:])
    if method is None:
        rules = Rules("multiclass", num_classes, ignore_index=ignore, upsample=mode, align_corners=align_corners)
        batch = Batch("scores", preds, target)
        return image_by_image(lambda item: scores(*item[1:], num_classes, ignore, False), batch, rules, each)
    sizes = (preds.shape[3], target.shape[2]), (preds.shape[2], target.shape[1])
    tables = [nearest(*size) if method == NEAREST else taps(*size, align_corners) for size in sizes]
    places = [table.addresses() for table in tables]
    work = num_classes * target.numel()
    return _run(_native.upsampled, preds, target, num_classes, ignore, each, work, method, *places)


def _run(
    kernel: Any,
    preds: Tensor,
    target: Tensor,
    num_classes: int,
    ignore: tuple[int, ...],
    each: bool,
    work: int,
    *more: Any,
) -> Counted:
    """Count with a kernel into one matrix, or one for each item; ``more`` is what only this kernel takes."""
    width, items = num_classes + 1, len(target) if each else 0
    counts, errors = _zeros(items, width, width) if each else _zeros(width, width), _zeros(4)
    if target.numel():
        options = (num_classes, items, ignore, *team(work, width * width))
        kernel(described(preds), described(target), *options, counts.data_ptr(), errors.data_ptr(), more)
    return Counted(counts, errors)


def _zeros(*shape: int) -> Tensor:
    return ZERO.new_zeros(shape)  # a third less time than torch.zeros
