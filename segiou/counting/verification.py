"""Trust, but verify: a kernel counts a small batch, and torch operations count it too, before it is first trusted.

The Triton kernels are compiled on the user's machine, for its card, by its version of Triton. A miscompiled
kernel would give a score that looks right. So the first time that a kind of kernel is to run on a device, it is
held to ``eager`` on a batch that has what goes wrong: ties, nan, infinities, labels outside the classes, ignored
values, runs of equal pixels and noise, and items that end within a tile. It waits for the device once, then never.
"""

from collections.abc import Callable
from dataclasses import replace
from types import ModuleType

import torch
from torch import Tensor

from segiou.counting import eager
from segiou.counting.inputs import Batch, Counted
from segiou.counting.rules import Rules

Count = Callable[[ModuleType, Batch, Rules, bool], Counted]

MOST_CLASSES = 1024  # more would take more memory than a check is worth, and are counted by the same kernel
SMALL, AROUND = (9, 12), 4  # the score maps that are interpolated, and how many times larger the target is
_verified: set[tuple[object, ...]] = set()


class WrongCountError(RuntimeError):
    """A kernel counted a batch otherwise than torch operations do."""


def require_right(kernel: ModuleType, count: Count, batch: Batch, rules: Rules) -> None:
    """Let ``kernel`` count a fixed batch of this kind and these dtypes, unless it has done so before.

    Args:
        kernel: the module that is to count ``batch``.
        count: counts a batch by rules with the functions of a module, one matrix per image where the last argument
            is true.
        batch: the input that is to be counted; its values are not looked at.
        rules: what counts, and as what.

    Raises:
        WrongCountError: the counts, or the counted errors, differ from those of torch operations.
    """
    device = batch.target.device
    if device.type == "cuda" and torch.cuda.is_current_stream_capturing():
        return  # a graph may not wait for the device; the next update outside of one is verified
    rules = replace(rules, num_classes=min(rules.num_classes, MOST_CLASSES))
    resized = batch.kind == "scores" and batch.preds.shape[2:] != batch.target.shape[1:]
    classes_last = batch.kind == "scores" and batch.preds.ndim > 2 and batch.preds.stride(1) < batch.preds.stride(-1)
    kind = (batch.kind, resized, classes_last, batch.preds.dtype, batch.target.dtype)
    if (kernel.__name__, device, kind, rules) in _verified:
        return
    sample = _sample_of(batch, rules, resized, classes_last)
    for each in (False, True):
        found, right = count(kernel, sample, rules, each), count(eager, sample, rules, each)
        if not torch.equal(found.counts, right.counts) or not torch.equal(found.errors, right.errors):
            wrong = int((found.counts - right.counts).abs().sum()) // 2
            raise WrongCountError(
                f"{batch.kind} of {batch.preds.dtype} against labels of {batch.target.dtype} with {rules.num_classes} "
                f"classes: of {sample.target.numel():,} pixels of a test batch on {device}, {wrong:,} were counted in "
                f"a wrong cell, and the flaws were {found.errors.tolist()} for {right.errors.tolist()}: "
                "please report it"
            )
    _verified.add((kernel.__name__, device, kind, rules))


def _sample_of(batch: Batch, rules: Rules, resized: bool, classes_last: bool) -> Batch:
    """The batch to verify with: two items, of the kind, dtypes and layout of ``batch``."""
    random = torch.Generator().manual_seed(0)
    size = tuple(AROUND * side for side in SMALL)
    if resized and rules.align_corners:
        size = tuple(AROUND * (side - 1) + 1 for side in SMALL)  # weights are then fractions of 4 as well
    labels = _labels(size, rules, batch.target.dtype, random)
    if batch.kind == "labels":
        preds = _held(labels.roll(5, -1), batch.preds.dtype)
    else:
        channels = (rules.num_classes,) if batch.kind == "scores" else ()
        preds = _scores((2, *channels, *(SMALL if resized else size)), not resized, random).to(batch.preds.dtype)
    preds, target = preds.to(batch.target.device), _held(labels, batch.target.dtype).to(batch.target.device)
    if classes_last:
        preds = preds.movedim(1, -1).contiguous().movedim(-1, 1)
    return Batch(batch.kind, preds, target)


def _labels(size: tuple[int, ...], rules: Rules, dtype: torch.dtype, random: torch.Generator) -> Tensor:
    """Runs of equal labels above and noise below, some ignored and some outside the classes: int64 ``(2, *size)``."""
    classes = rules.num_classes
    noise = torch.randint(-1, classes + 2, (2, *size), generator=random)
    runs = torch.arange(noise.numel()).view(noise.shape) // 37 % (classes + 2) - 1
    labels = torch.where(torch.arange(size[0]).view(-1, 1) < size[0] // 2, runs, noise)
    held = torch.iinfo(torch.uint8 if dtype == torch.bool else dtype)
    for value in rules.ignore_index:
        if max(held.min, -(2**63)) <= value <= min(held.max, 2**63 - 1):
            labels[torch.rand(labels.shape, generator=random) < 0.05] = value
    return labels


def _held(labels: Tensor, dtype: torch.dtype) -> Tensor:
    """The labels in a dtype, those that it cannot hold brought into its range."""
    if dtype == torch.bool:
        return labels % 2 == 1
    held = torch.iinfo(dtype)
    return labels.clamp(held.min, min(held.max, 2**63 - 1)).to(dtype)


def _scores(shape: tuple[int, ...], infinite: bool, random: torch.Generator) -> Tensor:
    """Scores with many ties and some nan or infinities; fractions of 4, so that no interpolation of them rounds."""
    scores = torch.randint(-4, 9, shape, generator=random) / 4
    odd = torch.rand(shape, generator=random)
    scores[odd < 0.004] = torch.nan
    if infinite:
        scores[(odd > 0.996) & (odd < 0.998)] = torch.inf
        scores[odd > 0.998] = -torch.inf
    return scores
