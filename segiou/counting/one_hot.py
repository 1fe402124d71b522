"""One-hot maps that were passed for label maps: both are integers of one shape, and only the values tell."""

import math

import torch
from torch import Tensor

from segiou.counting.rules import Rules

CHANCE = 1e-7  # how seldom random labels may look one-hot before they are taken to be


def require_labels(preds: Tensor, target: Tensor, rules: Rules) -> None:
    """Raise where integer ``preds`` and ``target`` of one shape are one-hot on axis 1.

    Counted as labels they would give a score of the classes 0 and 1 that looks right. The shape is looked at first, so
    that label maps cost nothing; only where axis 1 is as long as there are classes are the values looked at.

    Raises:
        ValueError: every pixel of ``preds`` has exactly one 1, of ``target`` at most one, all else is 0, and there are
            so many pixels that label maps would not look like that by chance.
    """
    classes = rules.num_classes
    if rules.task == "multilabel" or target.ndim < 2 or target.shape[1] != classes or preds.shape != target.shape:
        return
    pixels = target.numel() // max(1, classes)
    # of the C^C columns of C random labels C are one-hot, and both maps must be
    if classes < 2 or 2 * pixels * (classes - 1) * math.log(classes) < -math.log(CHANCE):
        return
    if preds.is_cuda and torch.cuda.is_current_stream_capturing():
        return  # a graph may not wait for the values
    if is_one_hot(preds[:1]) and is_one_hot(preds) and is_one_hot(target, empty=True):
        raise ValueError(
            f"preds and target must be labels (N, ...) without a class axis, got one-hot maps of {classes} classes "
            f"on axis 1, both of shape {tuple(target.shape)}: pass preds.long().argmax(1) and target.long().argmax(1), "
            "with an ignored value where a pixel of target has no class; if these are labels, flatten the spatial axes"
        )


def is_one_hot(maps: Tensor, empty: bool = False) -> bool:
    """Whether all values are 0 or 1, and each pixel has one 1 on axis 1, or where ``empty`` at most one."""
    if maps.dtype.is_floating_point or not maps.numel():
        return False
    ones = maps == 1
    number = ones.sum(1)
    fits = number <= 1 if empty else number == 1
    return bool(fits.all()) and bool((ones | (maps == 0)).all()) and bool(number.any())
