"""Where torch's interpolation takes its values from: indices and weights along one axis, in its own arithmetic."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

SMALL = 128  # height and width of the result together: up to here torch has another kernel
PROBE = (5, 125)  # just above


class Taps(NamedTuple):
    """The two source positions of every target position, and what each weighs."""

    first: NDArray[np.int32]
    second: NDArray[np.int32]
    weight: NDArray[np.float32]
    other: NDArray[np.float32]


def taps(size: int, wanted: int, align_corners: bool) -> Taps:
    """Bilinear from ``size`` to ``wanted`` positions.

    torch multiplies and subtracts in one rounding; in float64 the product of two float32 is exact, and so is the
    difference wherever it is not negative.
    """
    index = np.arange(wanted, dtype=np.float32)
    if size == wanted:
        place = index
    elif align_corners:
        place = index * (np.float32(size - 1) / np.float32(max(wanted - 1, 1)))
    else:
        scale = np.float32(size) / np.float32(wanted)
        exact = np.float64(scale) * (index + np.float32(0.5)).astype(np.float64) - 0.5
        place = np.maximum(exact, 0).astype(np.float32)
    first = np.minimum(place.astype(np.int32), size - 1)
    other = np.clip(place - first.astype(np.float32), 0, 1, dtype=np.float32)
    return Taps(first, np.minimum(first + 1, size - 1) if size != wanted else first, 1 - other, other)


def _blend(
    left: NDArray[np.float32], right: NDArray[np.float32], weight: NDArray[np.float32], other: NDArray[np.float32]
) -> NDArray[np.float32]:
    """``fma(left, weight, right * other)``; float64 holds the product, and rounds the sum far below float32."""
    return (left.astype(np.float64) * weight + (right * other).astype(np.float64)).astype(np.float32)


@lru_cache(maxsize=256)
def _same_bits(classes: int, channels_last: bool, threads: int) -> bool:
    """Whether torch, for such scores and on so many threads, computes what the kernel does, bit for bit.

    It does where it takes one axis after the other, and its compiler joined multiplication and addition (x86 with
    FMA). It has another kernel that weighs the four neighbours at once, for channels_last, and (2.13) for three
    classes on one thread: asking it is safer than knowing when.
    """
    height, width = PROBE
    scores = torch.sin(torch.arange(classes * 3 * 40, dtype=torch.float64, device="cpu") ** 2).float()
    scores = scores.view(1, classes, 3, 40)
    if channels_last:
        scores = scores.contiguous(memory_format=torch.channels_last)
    for align in (False, True):
        x, y = taps(40, width, align), taps(3, height, align)
        theirs = interpolate(scores, size=PROBE, mode="bilinear", align_corners=align)
        for label in {0, classes // 2, classes - 1}:
            values = scores[0, label].numpy()
            across = _blend(values[:, x.first], values[:, x.second], x.weight, x.other)
            ours = _blend(across[y.first], across[y.second], y.weight[:, None], y.other[:, None])
            if not np.array_equal(ours, theirs[0, label].numpy()):
                return False
    return True


def as_torch(preds: Tensor, height: int, width: int) -> bool:
    """Whether the kernel finds the very values that torch would; where not, labels could differ between near ties."""
    if height + width <= SMALL:
        return False
    channels_last = False
    if not preds.is_contiguous() or preds.shape[-2:] == (1, 1):
        # what torch will see: converting a cropped tensor makes it dense
        seen = torch.empty_strided(preds.shape, preds.stride(), dtype=preds.dtype, device="meta").float()
        channels_last = seen[:1].is_contiguous(memory_format=torch.channels_last)
    return _same_bits(preds.shape[1], channels_last, torch.get_num_threads())
