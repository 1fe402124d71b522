"""Where torch's interpolation takes its values from, and how it adds them up, in its own arithmetic."""

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

SMALL = 128  # height and width of the result together: up to here torch may have another kernel
PROBES = {True: (5, 123), False: (5, 125)}  # just small, and just not
WORD = 8  # classes that torch computes together
MARGIN = 16  # numbers that the kernels may read behind the last weight
NEAREST, AXES, CORNERS = range(3)  # how a target pixel gets its value, as in upsample.h


class Taps(NamedTuple):
    """The two source positions of every target position, the next target position with others, and what each weighs."""

    first: Tensor
    second: Tensor
    end: Tensor
    weight: Tensor
    other: Tensor

    def addresses(self) -> tuple[int, ...]:
        """What the kernels take."""
        return tuple(table.data_ptr() for table in self)


@lru_cache(maxsize=256)
def taps(size: int, wanted: int, align_corners: bool) -> Taps:
    """Bilinear from ``size`` to ``wanted`` positions.

    torch multiplies and subtracts in one rounding; in float64 the product of two float32 is exact, and so is the
    difference wherever it is not negative.
    """
    index = torch.arange(wanted, dtype=torch.float32, device="cpu")
    number, count = (torch.tensor(float(n), dtype=torch.float32, device="cpu") for n in (size, wanted))
    if size == wanted:
        place = index
    elif align_corners:
        place = index * ((number - 1) / (count - 1).clamp(min=1))
    else:
        place = ((number / count).double() * (index + 0.5).double() - 0.5).clamp(min=0).float()
    first = place.int().clamp(max=size - 1)
    other = (place - first.float()).clamp(0, 1)
    return _table(first, first if size == wanted else (first + 1).clamp(max=size - 1), other)


@lru_cache(maxsize=256)
def nearest(size: int, wanted: int) -> Taps:
    """The one source position of every target position, as torch itself finds it."""
    line = torch.arange(size, dtype=torch.float32, device="cpu").view(1, 1, size)
    first = interpolate(line, size=wanted, mode="nearest").view(-1).int()
    return _table(first, first, torch.zeros(wanted, device="cpu"))


def _table(first: Tensor, second: Tensor, other: Tensor) -> Taps:
    last = torch.ones(1, dtype=torch.bool, device="cpu")
    lengths = torch.cat([(first.diff() != 0) | (second.diff() != 0), last]).nonzero().view(-1).add(1)
    end = lengths.repeat_interleave(lengths.diff(prepend=lengths.new_zeros(1))).int()
    padding = other.new_zeros(MARGIN)
    return Taps(first, second, end, torch.cat([1 - other, padding]), torch.cat([other, padding]))


def _fma(left: Tensor, right: Tensor, more: Tensor) -> Tensor:
    """``left * right + more``; float64 holds the product, and rounds the sum far below float32."""
    return (left.double() * right.double() + more.double()).float()


def _by_axes(scores: Tensor, across: tuple[Tensor, ...], down: tuple[Tensor, ...]) -> Tensor:
    """What torch's kernel for ``AXES`` computes, of scores ``(C, h, w)``."""
    (first, second, left, right), (top, bottom, above, below) = across, down
    wide = _fma(scores[..., first], left, scores[..., second] * right)
    return _fma(wide[:, top], above[:, None], wide[:, bottom] * below[:, None])


def _by_corners(scores: Tensor, across: tuple[Tensor, ...], down: tuple[Tensor, ...]) -> Tensor:
    """What torch's kernel for ``CORNERS`` computes, of scores ``(C, h, w)``."""
    v0, v1, v2, v3 = (scores[:, rows][..., columns] for rows in down[:2] for columns in across[:2])
    g0, g1, g2, g3 = (rows[:, None] * columns for rows in down[2:] for columns in across[2:])
    words = _fma(v0, g0, _fma(v1, g1, _fma(v3, g3, v2 * g2)))
    rest = _fma(v3, g3, _fma(v2, g2, _fma(v0, g0, v1 * g1)))
    whole = len(scores) - len(scores) % WORD
    return torch.cat([words[:whole], rest[whole:]])


@lru_cache(maxsize=256)
def _found(classes: int, channels_last: bool, small: bool, threads: int) -> int | None:
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
    whole = classes - classes % WORD
    kept = sorted({*range(min(WORD, classes)), *range(max(0, whole - WORD), classes)})
    possible = {AXES: _by_axes, CORNERS: _by_corners}
    for align in (False, True):
        across, down = (
            (first, second, weight[:wanted], other[:wanted])
            for wanted, (first, second, _, weight, other) in (
                (width, taps(40, width, align)),
                (height, taps(3, height, align)),
            )
        )
        theirs = interpolate(scores, size=(height, width), mode="bilinear", align_corners=align)[0, kept]
        for method, compute in list(possible.items()):
            if not torch.equal(compute(scores[0, kept], across, down), theirs):
                del possible[method]
    return next(iter(possible), None)


def arithmetic(preds: Tensor, height: int, width: int) -> int | None:
    """``AXES`` or ``CORNERS``, whichever gives torch's very values; None where near ties could fall otherwise."""
    channels_last = False
    if not preds.is_contiguous() or preds.shape[-2:] == (1, 1):
        # what torch will see: converting a cropped tensor makes it dense
        seen = torch.empty_strided(preds.shape, preds.stride(), dtype=preds.dtype, device="meta").float()
        channels_last = seen[:1].is_contiguous(memory_format=torch.channels_last)
    return _found(preds.shape[1], channels_last, height + width <= SMALL, torch.get_num_threads())
