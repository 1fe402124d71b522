"""Score maps of another size than the target, for kernels that have no fused way: image by image."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from segiou.counting.inputs import Batch, Counted
from segiou.counting.rules import Rules


def image_by_image(count: Callable[[Batch], Counted], batch: Batch, rules: Rules, each: bool) -> Counted:
    """Interpolate and ``count`` one item of axis 0 at a time, so that memory stays that of one image's scores."""
    parts = [count(item) for item in items(batch, rules)] if batch.target.numel() else []
    if not parts:
        return _nothing(batch.target, rules, each)
    counts, errors = (torch.stack(values) for values in zip(*parts, strict=True))
    return Counted(counts if each else counts.sum(0), errors.sum(0))


def items(batch: Batch, rules: Rules) -> Iterator[Batch]:
    """The items of axis 0 one by one, their scores interpolated to the target's size."""
    size = batch.target.shape[-2:]
    for preds, target in zip(torch.split(batch.preds, 1), torch.split(batch.target, 1), strict=True):
        # a reshape to the same shape may give the item another stride, which torch takes for another layout
        maps = (preds if preds.ndim == 4 else preds.reshape(1, -1, *preds.shape[-2:])).float()
        align = rules.align_corners if rules.upsample == "bilinear" else None
        resized = interpolate(maps, size=size, mode=rules.upsample or "bilinear", align_corners=align)
        yield Batch(batch.kind, resized.view(*preds.shape[:-2], *size), target)


def _nothing(target: Tensor, rules: Rules, each: bool) -> Counted:
    size = rules.num_classes + 1
    shape = (len(target), size, size) if each else (size, size)
    zeros = torch.zeros(shape, dtype=torch.int64, device=target.device)
    return Counted(zeros, torch.zeros(4, dtype=torch.int64, device=target.device))
