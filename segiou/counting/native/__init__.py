"""Counting on the CPU with kernels in C: the functions of ``segiou.counting.eager``, bit for bit.

The extension is built when segiou is installed. Where there was no compiler, importing this raises ImportError.
"""

from typing import Any

import torch
from torch import Tensor

from segiou.counting import eager
from segiou.counting.inputs import Batch, Counted
from segiou.counting.native import _native
from segiou.counting.native.resizing import NEAREST, arithmetic, nearest, taps
from segiou.counting.native.threads import team
from segiou.counting.rules import Rules, Upsample
from segiou.counting.upsample import image_by_image

MOST_CLASSES = 32766  # numbers have 16 bits

_INTEGERS = (
    torch.uint8,
    torch.int8,
    torch.uint16,
    torch.int16,
    torch.uint32,
    torch.int32,
    torch.uint64,
    torch.int64,
)
_FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
KINDS = {kind: number for number, kind in enumerate((*_INTEGERS, *_FLOATS))} | {torch.bool: 0}
"""The kernels' numbers of dtypes, as in native.h."""

Described = tuple[int, int, tuple[int, ...], tuple[int, ...]]


def described(x: Tensor) -> Described:
    """A tensor as the kernels take it: address, kind, shape and strides."""
    return x.data_ptr(), KINDS[x.dtype], x.shape, x.stride()


def labels(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count two label maps of one shape ``(N, ...)``, of any integer types and strides."""
    if num_classes > MOST_CLASSES:
        return eager.labels(preds, target, num_classes, ignore, each)
    return _square("labels", preds, target, num_classes, ignore, each)


def _square(
    kernel: str, preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool, *more: Any
) -> Counted:
    """Count with a kernel of C into one matrix, or one for each item; ``more`` is what only this kernel takes."""
    width, items = num_classes + 1, len(target) if each else 0
    shape = (items, width, width) if each else (width, width)
    counts = torch.zeros(shape, dtype=torch.int64, device="cpu")
    errors = torch.zeros(4, dtype=torch.int64, device="cpu")
    if target.numel():
        wide = num_classes if kernel == "upsampled" else 1  # scores for each pixel of the target
        options = (num_classes, items, ignore, *team(max(preds.numel(), target.numel() * wide), width * width))
        out = (counts.data_ptr(), errors.data_ptr())
        getattr(_native, kernel)(described(preds), described(target), *options, *out, *more)
    return Counted(counts, errors)


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
    sizes = (preds.shape[3], target.shape[2]), (preds.shape[2], target.shape[1])
    method = None
    if target.numel() and num_classes <= MOST_CLASSES:
        method = NEAREST if mode == "nearest" else arithmetic(preds, *target.shape[1:])
    if method is None:
        rules = Rules("multiclass", num_classes, ignore_index=ignore, upsample=mode, align_corners=align_corners)
        batch = Batch("scores", preds, target)
        return image_by_image(lambda item: scores(*item[1:], num_classes, ignore, False), batch, rules, each)
    tables = [nearest(*size) if method == NEAREST else taps(*size, align_corners) for size in sizes]
    places = (table.addresses() for table in tables)
    return _square("upsampled", preds, target, num_classes, ignore, each, method, *places)
