"""Predicted labels, image by image, for metrics that look at where pixels lie and not only at how many they are."""

from collections.abc import Iterator

import torch
from torch import Tensor

from segiou.counting import eager
from segiou.counting.inputs import Batch
from segiou.counting.rules import Rules
from segiou.counting.upsample import items


def predicted(batch: Batch, rules: Rules) -> Iterator[Tensor]:
    """The label map of each item of axis 0, of the target's shape without that axis: first maximum, nan wins."""
    kind, preds, target = batch
    if not len(target):
        return
    resized = preds.shape[2:] != target.shape[1:] if kind == "scores" else preds.shape != target.shape
    parts = (
        items(batch, rules)
        if resized and target.numel()
        else (Batch(kind, *pair) for pair in zip(torch.split(preds, 1), torch.split(target, 1), strict=True))
    )
    for _, values, _ in parts:
        if kind == "scores":
            yield eager.argmax(values)[0][0]
        else:
            yield (values > rules.bound(values.dtype) if kind == "binary" else values)[0]
