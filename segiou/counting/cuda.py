"""Counting on NVIDIA GPUs with Triton: the functions of ``eager``, each one launch and no host sync.

The launch depends on shapes, strides and dtypes only, never on values, so that it can be captured in a
CUDA graph. All results stay on the device.
"""

import math
import struct
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from segiou.counting import eager, triton_kernels
from segiou.counting.inputs import Counted

LARGEST_TABLE = 1024
"""A table of at most this many cells is counted in registers, a larger one by atomic additions."""

_BEYOND = 2**31 - 2**16  # pixel numbers and cells are 32 bits in the kernel, rounded up to whole tiles
_SIGNED = {torch.bool: torch.uint8, torch.uint32: torch.int32, torch.uint64: torch.int64}


def labels(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count integer labels: ``preds`` and ``target`` of one shape ``(items, ...)``."""
    if _is_beyond(target, num_classes):
        return eager.labels(preds, target, num_classes, ignore, each)
    return _count("labels", "", preds.unsqueeze(1), target, num_classes, ignore, each)


def scores(preds: Tensor, target: Tensor, num_classes: int, ignore: tuple[int, ...], each: bool) -> Counted:
    """Count the argmax over axis 1 of scores ``(items, C, ...)``; the first maximum, and a nan wins."""
    if not preds.is_floating_point() or _is_beyond(target, num_classes):
        return eager.scores(preds, target, num_classes, ignore, each)
    return _count("scores", "", preds, target, num_classes, ignore, each)


def binary(
    preds: Tensor, target: Tensor, threshold: float, probabilities: bool, ignore: tuple[int, ...], each: bool
) -> Counted:
    """Count scores of the positive class, of the target's shape; positive above ``threshold``, nan is negative."""
    if _is_beyond(target, 2):
        return eager.binary(preds, target, threshold, probabilities, ignore, each)
    mode = "probabilities" if probabilities else "logits"
    return _count("binary", mode, preds.unsqueeze(1), target, 2, ignore, each, bits_of(threshold, preds.dtype))


def upsampled_scores(
    preds: Tensor,
    target: Tensor,
    num_classes: int,
    ignore: tuple[int, ...],
    each: bool,
    mode: str,
    align_corners: bool = False,
) -> Counted:
    """Count the argmax of scores ``(items, C, h, w)`` interpolated in float32 to a target ``(items, H, W)``.

    The counts of ``F.interpolate(preds.float(), (H, W), mode=mode)`` without that map in memory.
    """
    if _is_beyond(target, num_classes):
        align = align_corners if mode == "bilinear" else None
        resized = interpolate(preds.float(), target.shape[1:], mode=mode, align_corners=align)
        return eager.scores(resized, target, num_classes, ignore, each)
    mode = "aligned" if mode == "bilinear" and align_corners else mode
    return _count("upsampled", mode, preds, target, num_classes, ignore, each)


def _is_beyond(target: Tensor, num_classes: int) -> bool:
    """Whether pixels of an item, or cells of a table, are too many for 32 bits."""
    return target[:1].numel() >= _BEYOND or (num_classes + 1) ** 2 >= _BEYOND


def _count(
    kind: str,
    mode: str,
    preds: Tensor,
    target: Tensor,
    num_classes: int,
    ignore: tuple[int, ...],
    each: bool,
    bound: int = 0,
) -> Counted:
    """Count ``preds``, which have the classes or one label on axis 1, into a new buffer of counts and errors."""
    shape = (target.shape[0] if each else 1, num_classes + 1, num_classes + 1)
    # errors first: then both pointers are aligned to 16 bytes whatever the size of a table
    buffer = torch.zeros(4 + math.prod(shape), dtype=torch.int64, device=target.device)
    errors, counts = buffer[:4], buffer[4:].view(shape)
    if target.numel():
        wanted = representable(ignore, target.dtype)
        preds, target = plain(preds), plain(target)
        layout = layout_of(preds, target, each, join=kind != "upsampled")
        if len(layout.sizes) > 3:
            preds, target = preds.flatten(2), target.flatten(1)
            layout = layout_of(preds, target, each)
        with torch.cuda.device(target.get_device()):  # of a CPU tensor -1, which changes nothing
            _launch(kind, mode, preds, target, layout, counts, errors, wanted, bound)
    return Counted(counts if each else counts[0], errors)


class Layout(NamedTuple):
    """How the kernel walks: groups of items with a table each, items, and one to three pixel axes.

    ``preds`` and ``target`` hold strides in elements: of items, of classes (``preds`` only), of the axes.
    """

    groups: int
    items: int
    sizes: tuple[int, ...]
    preds: tuple[int, ...]
    target: tuple[int, ...]


def layout_of(preds: Tensor, target: Tensor, each: bool, join: bool = True) -> Layout:
    """The fewest axes that reach every pixel of ``preds`` (items, C, ...) and ``target`` (items, ...).

    Unless ``each``, items become part of the pixel axes where that costs no axis, or where they are small.
    Without ``join`` the axes stay as they are.
    """
    p_item, p_class, *p_axes = preds.stride()
    t_item, *t_axes = target.stride()
    inner = list(zip(target.shape[1:], p_axes, t_axes, strict=True))
    items = target.shape[0]
    if join:
        whole = _joined([(items, p_item, t_item), *inner])
        pixels = target[0].numel()
        inner = _joined(inner)
        fits = len(whole) <= 3 and target.numel() < _BEYOND
        if not each and fits and (len(whole) == len(inner) or pixels < 4096):
            items, p_item, t_item, inner = 1, 0, 0, whole
    sizes, p, t = zip(*inner, strict=True) if inner else ((1,), (0,), (0,))
    return Layout(*((items, 1) if each else (1, items)), sizes, (p_item, p_class, *p), (t_item, *t))


def _joined(axes: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Axes as (size, stride, stride), without those of size 1, neighbours made one where both strides allow it."""
    found: list[tuple[int, int, int]] = []
    for size, p, t in axes:
        if size == 1:
            continue
        if found and found[-1][1:] == (p * size, t * size):
            size *= found.pop()[0]
        found.append((size, p, t))
    return found


class Plan(NamedTuple):
    """Pixels of a tile, warps of a program, programs for each multiprocessor, cache policy and limit of registers."""

    block: int
    warps: int
    programs: int
    policy: str = "evict_first"
    registers: int | None = None


def plan_for(kind: str, preds: Tensor, target: Tensor, layout: Layout) -> Plan:
    """The shape of the launch, such that all programs are on the device at once.

    From the compiler's register counts for sm_90, not yet from measurements (examples/tune_cuda.py).
    """
    if kind == "upsampled":
        # four pointers for each pixel: more than two pixels of a thread do not fit in its registers
        return Plan(256, 4, 6, "")
    if kind == "scores" and layout.preds[1] < layout.preds[-1]:
        # the scores of a pixel lie side by side: a tile must stay in the L1 cache while the classes are swept
        return Plan(256, 4, 6, "")
    if kind == "scores":
        # four pixels of a thread, eight classes in flight
        return Plan(1024, 8, 2) if preds.dtype == torch.float64 else Plan(1024, 8, 3, registers=80)
    narrow = preds.element_size() == target.element_size() == 1
    return Plan(2048 if narrow else 1024, 4, 5)


def _launch(
    kind: str,
    mode: str,
    preds: Tensor,
    target: Tensor,
    layout: Layout,
    counts: Tensor,
    errors: Tensor,
    ignore: tuple[int, ...],
    bound: int,
) -> None:
    plan = plan_for(kind, preds, target, layout)
    pixels, spare = math.prod(layout.sizes), (0,) * (3 - len(layout.sizes))
    blocks = -(-pixels // plan.block)
    slots = min(layout.items * blocks, -(-plan.programs * _multiprocessors(target.device) // layout.groups))
    height, width = preds.shape[2:] if kind == "upsampled" else (1, 1)
    scales = [scale_of(size, out, mode) for size, out in zip((height, width), layout.sizes, strict=False)]
    cells = counts.shape[-1] ** 2
    kernel: Any = triton_kernels.count
    kernel[(layout.groups * slots,)](
        preds, target, counts, errors, layout.items, pixels, blocks, slots, *(*layout.sizes, 1, 1)[1:3],
        *layout.preds, *spare, *layout.target, *spare, bound, height, width, *(*scales, 1.0)[:2],
        KIND=kind, MODE=mode, CLASSES=counts.shape[-1] - 1, IGNORE=ignore, AXES=len(layout.sizes),
        BINS=max(32, 1 << (cells - 1).bit_length()) if cells <= LARGEST_TABLE else 0,
        BLOCK=plan.block, POLICY=plan.policy, num_warps=plan.warps, maxnreg=plan.registers,
        enable_fp_fusion=False,  # the additions of an interpolation that are fused are written so
    )  # fmt: skip


@cache
def _multiprocessors(device: torch.device) -> int:
    return torch.cuda.get_device_properties(device).multi_processor_count if device.type == "cuda" else 2


def plain(x: Tensor) -> Tensor:
    """The same bits in a dtype that Triton reads: wide unsigned labels as signed ones, bool as uint8."""
    return x.view(_SIGNED[x.dtype]) if x.dtype in _SIGNED else x


def representable(ignore: tuple[int, ...], dtype: torch.dtype) -> tuple[int, ...]:
    """The ignored values that labels of the dtype can have, as they look after ``plain``."""
    held = torch.iinfo(torch.uint8 if dtype == torch.bool else dtype)
    kept = tuple(value for value in ignore if held.min <= value <= held.max)
    if dtype not in (torch.uint32, torch.uint64):
        return kept
    return tuple(value - 2**held.bits if value >= 2 ** (held.bits - 1) else value for value in kept)


@cache
def bits_of(threshold: float, dtype: torch.dtype) -> int:
    """The threshold rounded to the dtype, as the bits of a float64 for float64, else of a float32."""
    rounded = float(torch.tensor(threshold, dtype=dtype, device="cpu"))
    pair = ("<d", "<q") if dtype == torch.float64 else ("<f", "<i")
    return int(struct.unpack(pair[1], struct.pack(pair[0], rounded))[0])


def scale_of(size: int, out: int, mode: str) -> float:
    """How far two pixels of the output are apart in the input, as torch computes it, to be rounded to float32."""
    if mode == "aligned":
        return (size - 1) / (out - 1) if out > 1 else 0.0
    return size / out
