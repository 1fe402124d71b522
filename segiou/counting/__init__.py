"""Pixels to counts: ``count(preds, target, rules)``, with the kernel that fits the device."""

from typing import Any

import torch

from segiou.counting import inputs, value_errors
from segiou.counting.inputs import Batch, Counted
from segiou.counting.kernels import kernel_for, run
from segiou.counting.rules import IgnoreIndex, Rules, Task, Upsample
from segiou.counting.torch_compile import uncompiled

__all__ = ["Counted", "IgnoreIndex", "Rules", "Task", "Upsample", "count", "kernel_for"]


@uncompiled
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
        return Counted(
            torch.zeros(shape, dtype=torch.int64, device="cpu"), torch.zeros(4, dtype=torch.int64, device="cpu")
        )
    if len(parts) == 1:
        counted = parts[0]
    else:
        counts = [part.counts for part in parts]
        errors = torch.stack([part.errors for part in parts]).sum(0)
        counted = Counted(torch.cat(counts) if per_image else torch.stack(counts).sum(0), errors)
    if rules.validate_args and counted.errors.device.type == "cpu":
        seen = counted.errors.tolist()
        if value_errors.has_bad(seen):
            raise value_errors.value_error(found, seen, rules)
    return counted


def _count(batch: Batch, rules: Rules, per_image: bool) -> Counted:
    """Count a canonical batch; the labels of a multilabel task are items of their own."""
    if rules.num_labels is None:
        return run(batch, rules, per_image)
    kind, preds, target = batch
    if per_image or rules.upsample:
        counts, errors = run(Batch(kind, preds.flatten(0, 1), target.flatten(0, 1)), rules, True)
        counts = counts.view(-1, *rules.shape)
        return Counted(counts if per_image else counts.sum(0), errors)
    return run(Batch(kind, preds.movedim(1, 0), target.movedim(1, 0)), rules, True)
