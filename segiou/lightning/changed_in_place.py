"""Whether a step has changed predictions in place after they were taken."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

SAMPLED = 16  # places along each axis of scores where a change is looked for


def signs_of(preds: Any, start: int) -> list[Any]:
    """Of each tensor among predictions what a change in place would change.

    That is the number of changes that torch counts. Where it counts none, in inference mode, some values stand for all,
    of other places in each step.
    """
    several = preds if isinstance(preds, tuple | list) else [preds]
    return [_sampled(each, start) if each.is_inference() else each._version for each in several if _is_tensor(each)]


def _sampled(scores: Tensor, start: int) -> Tensor:
    """A copy of some scores, with nan as a number that is equal to itself."""
    steps = (max(1, size // SAMPLED) for size in scores.shape)
    return scores[tuple(slice(start % step, None, step) for step in steps)].clone().nan_to_num()


def _is_tensor(value: Any) -> bool:
    return isinstance(value, Tensor) and value.layout == torch.strided and not value.is_nested


def same_signs(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Whether nothing was changed between the two times that signs were taken."""
    return all(torch.equal(a, b) if isinstance(a, Tensor) else a == b for a, b in zip(before, after, strict=True))
