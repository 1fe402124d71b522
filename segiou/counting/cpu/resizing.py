"""Where torch's interpolation takes its values from, and how it adds them up, in its own arithmetic."""

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate

from segiou.counting.cpu.cells import EIGHT

SMALL = 128  # height and width of the result together: up to here torch may have another kernel
PROBES = {True: (5, 123), False: (5, 125)}  # just small, and just not
AXES, CORNERS = "one axis after the other", "the four corners at once"


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


def _fma(left: NDArray[Any], right: NDArray[Any], more: NDArray[Any]) -> NDArray[Any]:
    """``left * right + more``; float64 holds the product, and rounds the sum far below float32."""
    exact: NDArray[np.float64] = left.astype(np.float64) * right + more.astype(np.float64)
    return exact.astype(np.float32)


def _by_axes(scores: NDArray[Any], x: Taps, y: Taps) -> NDArray[Any]:
    """What the kernel for ``AXES`` computes, of scores ``(C, h, w)``."""
    across = _fma(scores[..., x.first], x.weight, scores[..., x.second] * x.other)
    return _fma(across[:, y.first], y.weight[:, None], across[:, y.second] * y.other[:, None])


def _by_corners(scores: NDArray[Any], x: Taps, y: Taps) -> NDArray[Any]:
    """What the kernel for ``CORNERS`` computes, of scores ``(C, h, w)``."""
    v0, v1, v2, v3 = (scores[:, rows][..., columns] for rows in (y.first, y.second) for columns in (x.first, x.second))
    g0, g1, g2, g3 = (down[:, None] * across for down in (y.weight, y.other) for across in (x.weight, x.other))
    eights = _fma(v0, g0, _fma(v1, g1, _fma(v3, g3, v2 * g2)))
    rest = _fma(v3, g3, _fma(v2, g2, _fma(v0, g0, v1 * g1)))
    whole = len(scores) - len(scores) % EIGHT
    return np.concatenate([eights[:whole], rest[whole:]])


@lru_cache(maxsize=256)
def _found(classes: int, channels_last: bool, small: bool, threads: int) -> str | None:
    """Which of the kernels' two arithmetics is torch's, bit for bit, for such scores and on so many threads.

    It may be neither: both are those of its x86 builds, where the compiler joined multiplication and addition. Of
    four neighbours at once torch makes a mean for channels_last, for small maps, and (2.13) for three classes on one
    thread: asking it is safer than knowing when.
    """
    height, width = PROBES[small]
    scores = torch.sin(torch.arange(classes * 3 * 40, dtype=torch.float64, device="cpu") ** 2).float()
    scores = scores.view(1, classes, 3, 40)
    if channels_last:
        scores = scores.contiguous(memory_format=torch.channels_last)
    eights = classes - classes % EIGHT
    kept = sorted({*range(min(EIGHT, classes)), *range(max(0, eights - EIGHT), classes)})
    possible = {AXES: _by_axes, CORNERS: _by_corners}
    for align in (False, True):
        x, y = taps(40, width, align), taps(3, height, align)
        theirs = interpolate(scores, size=(height, width), mode="bilinear", align_corners=align)[0, kept].numpy()
        for name, compute in list(possible.items()):
            if not np.array_equal(compute(scores[0, kept].numpy(), x, y), theirs):
                del possible[name]
    return next(iter(possible), None)


def arithmetic(preds: Tensor, height: int, width: int) -> str | None:
    """``AXES`` or ``CORNERS``, whichever gives torch's very values; None where near ties could fall otherwise."""
    channels_last = False
    if not preds.is_contiguous() or preds.shape[-2:] == (1, 1):
        # what torch will see: converting a cropped tensor makes it dense
        seen = torch.empty_strided(preds.shape, preds.stride(), dtype=preds.dtype, device="meta").float()
        channels_last = seen[:1].is_contiguous(memory_format=torch.channels_last)
    return _found(preds.shape[1], channels_last, height + width <= SMALL, torch.get_num_threads())
