"""One batch at many thresholds: ``count_above(preds, target, rules, thresholds)``."""

import functools
from dataclasses import replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

from segiou.counting import eager, inputs, value_errors
from segiou.counting.inputs import Batch, Counted
from segiou.counting.kernels import attempt
from segiou.counting.rules import Rules
from segiou.counting.torch_compile import uncompiled
from segiou.counting.upsample import image_by_image

Thresholds = tuple[float, ...]


@uncompiled
@torch.no_grad()
def count_above(preds: Any, target: Any, rules: Rules, thresholds: Thresholds) -> Counted:
    """Count the pixels of one batch by target value and by how many thresholds their score is above.

    Args:
        preds: binary or multilabel scores, as every metric's ``update`` takes them.
        target: integer labels.
        rules: what counts, and as what; their own threshold plays no part.
        thresholds: T probabilities, rising.

    Returns:
        ``counts``, int64 ``(2, T + 1)``, for multilabel ``(L, 2, T + 1)``; and ``errors``, int64 ``(4,)``.

    Raises:
        ValueError: input that does not fit, labels in place of scores, and on the CPU bad values.
        TypeError: input that is no tensor or array.
    """
    found = [_scores(batch) for batch in inputs.batches(preds, target, rules)]
    parts = [_count(batch, rules, thresholds) for batch in found] or [_nothing(rules, thresholds, torch.device("cpu"))]
    counted = Counted(*(torch.stack(values).sum(0) for values in zip(*parts, strict=True)))
    if rules.validate_args and counted.errors.device.type == "cpu":
        seen = counted.errors.tolist()
        if value_errors.has_bad(seen):
            raise value_errors.value_error(found, seen, rules)
    return counted


def _scores(batch: Batch) -> Batch:
    """The batch, if its predictions have a score for a threshold."""
    if batch.kind == "labels":
        raise ValueError(
            f"preds must be floating scores to be held to thresholds, got labels of {batch.preds.dtype}: "
            "pass probabilities, or logits and from_logits=True"
        )
    if batch.kind == "scores":
        raise ValueError(
            f"preds must be the scores of the positive class, got two channels in shape {tuple(batch.preds.shape)}: "
            "pass preds.softmax(1)[:, 1] for logits, or preds[:, 1] for probabilities"
        )
    return batch


def _count(batch: Batch, rules: Rules, thresholds: Thresholds) -> Counted:
    """Count a canonical batch; the labels of a multilabel task one by one."""
    kind, preds, target = batch
    if not target.numel():
        return _nothing(rules, thresholds, target.device)
    if preds.shape != target.shape:  # the same items as for one threshold: their interpolation must not differ
        items = batch if rules.num_labels is None else Batch(kind, preds.flatten(0, 1), target.flatten(0, 1))
        counts, errors = image_by_image(
            lambda item: _run(item.preds, item.target, rules, thresholds), items, rules, True
        )
        return Counted(counts.view(-1, *table_shape(rules, thresholds)).sum(0), errors)
    if rules.num_labels is None:
        return _run(preds, target, rules, thresholds)
    labels = [_run(*pair, rules, thresholds) for pair in zip(preds.unbind(1), target.unbind(1), strict=True)]
    counts, errors = (torch.stack(values) for values in zip(*labels, strict=True))
    return Counted(counts, errors.sum(0))


def _run(preds: Tensor, target: Tensor, rules: Rules, thresholds: Thresholds) -> Counted:
    bounds = _bounds(rules, thresholds, preds.dtype, preds.device)

    def call(kernel: ModuleType) -> Counted:
        above = getattr(kernel, "above", eager.above)
        counted: Counted = above(preds, target, bounds, not rules.from_logits, rules.ignore_index)
        return counted

    return attempt(call, target.device)


@functools.lru_cache
def _bounds(rules: Rules, thresholds: Thresholds, dtype: torch.dtype, device: torch.device) -> Tensor:
    """What ``Rules.bound`` gives for each threshold; kept, so that a device is not waited for at each batch."""
    bounds = [replace(rules, threshold=threshold).bound(dtype) for threshold in thresholds]
    return torch.tensor(bounds, dtype=dtype, device=device)


def table_shape(rules: Rules, thresholds: Thresholds) -> tuple[int, ...]:
    """Shape of the counts: (2, T + 1), for multilabel (L, 2, T + 1)."""
    table = (2, len(thresholds) + 1)
    return table if rules.num_labels is None else (rules.num_labels, *table)


def _nothing(rules: Rules, thresholds: Thresholds, device: torch.device) -> Counted:
    zeros = functools.partial(torch.zeros, dtype=torch.int64, device=device)
    return Counted(zeros(table_shape(rules, thresholds)), zeros(4))
