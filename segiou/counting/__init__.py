"""Pixels to counts: ``count(preds, target, rules)``, with the kernel that fits the device."""

from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from segiou.counting import eager, inputs
from segiou.counting.inputs import Batch, Counted
from segiou.counting.rules import IgnoreIndex, Rules, Task, Upsample

__all__ = ["Counted", "IgnoreIndex", "Rules", "Task", "Upsample", "count", "kernel_for"]


def kernel_for(device: torch.device) -> ModuleType:
    """The module whose ``labels``, ``scores`` and ``binary`` count on this device."""
    return eager


@torch.no_grad()
def count(preds: Any, target: Any, rules: Rules, per_image: bool = False) -> Counted:
    """Count one batch.

    Args:
        preds: scores or labels, as every metric's ``update`` takes them.
        target: integer labels.
        rules: what counts, and as what.
        per_image: one matrix for each image, stacked on a new first axis.

    Returns:
        ``counts``, int64 ``(C + 1, C + 1)``, for multilabel ``(L, 3, 3)``; and ``errors``, int64 ``(4,)``.

    Raises:
        ValueError: input that does not fit, and on the CPU labels outside the classes.
        TypeError: input that is no tensor or array.
    """
    found = list(inputs.batches(preds, target, rules))
    parts = [_count(batch, rules, per_image) for batch in found]
    if not parts:
        shape = (0, *rules.shape) if per_image else rules.shape
        return Counted(torch.zeros(shape, dtype=torch.int64), torch.zeros(4, dtype=torch.int64))
    if len(parts) == 1:
        counted = parts[0]
    else:
        counts = [part.counts for part in parts]
        errors = torch.stack([part.errors for part in parts]).sum(0)
        counted = Counted(torch.cat(counts) if per_image else torch.stack(counts).sum(0), errors)
    if rules.validate_args and counted.errors.device.type == "cpu":
        seen = counted.errors.tolist()
        if inputs.has_bad(seen):
            raise inputs.value_error(found, seen, rules)
    return counted


def _count(batch: Batch, rules: Rules, per_image: bool) -> Counted:
    """Count a canonical batch; the labels of a multilabel task are items of their own."""
    if rules.num_labels is None:
        return _dispatch(batch.kind, batch.preds, batch.target, rules, per_image)
    if per_image:
        counts, errors = _dispatch(batch.kind, batch.preds.flatten(0, 1), batch.target.flatten(0, 1), rules, True)
        return Counted(counts.view(-1, *rules.shape), errors)
    return _dispatch(batch.kind, batch.preds.movedim(1, 0), batch.target.movedim(1, 0), rules, True)


def _dispatch(kind: str, preds: Tensor, target: Tensor, rules: Rules, each: bool) -> Counted:
    kernel = kernel_for(target.device)
    if kind == "binary":
        counted: Counted = kernel.binary(preds, target, rules.bound, not rules.from_logits, rules.ignore_index, each)
    elif kind == "scores":
        counted = kernel.scores(preds, target, rules.num_classes, rules.ignore_index, each)
    else:
        counted = kernel.labels(preds, target, rules.num_classes, rules.ignore_index, each)
    return counted
