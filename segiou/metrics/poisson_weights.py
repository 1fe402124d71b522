"""Poisson weights of images for the bootstrap, drawn by hashing: the same image has the same weights anywhere.

Each replicate of the data set gives each image a weight from Poisson(1), the limit of drawing n images with
replacement (Hanley and MacGibbon 2006, "Creating non-parametric bootstrap samples using Poisson frequencies").
The weight follows from (seed, image, replicate) alone, by the finalizer of SplitMix64 (Steele, Lea, Flood 2014,
"Fast splittable pseudorandom number generators", section 5).
"""

import functools
import hashlib
import math
from fractions import Fraction

import torch
from torch import Tensor

GOLDEN = 0x9E3779B97F4A7C15


def key_of(name: int | str) -> int:
    """64 bits for the id of an image, equal on every machine."""
    kind = "i" if isinstance(name, int) else "s"
    digest = hashlib.blake2b(f"{kind}{name}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little", signed=True)


def poisson_weights(keys: Tensor, replicates: int, seed: int) -> Tensor:
    """Weights from Poisson(1) for N images in R replicates.

    Args:
        keys: int64 ``(N,)``, one for each image.
        replicates: R.
        seed: another seed gives other weights.

    Returns:
        int64 ``(R, N)``.
    """
    start = _mixed(_mixed(torch.tensor([_signed(seed)], device=keys.device)) ^ keys)
    steps = torch.arange(1, replicates + 1, device=keys.device) * _signed(GOLDEN)
    uniform = _mixed(start + steps[:, None]) & 0x7FFF_FFFF_FFFF_FFFF
    return torch.bucketize(uniform, torch.tensor(_distribution(), device=keys.device), right=True)


def _mixed(x: Tensor) -> Tensor:
    """SplitMix64's finalizer on int64, whose products wrap as unsigned ones do."""
    x = _folded(x, 30).mul_(_signed(0xBF58476D1CE4E5B9))
    x = _folded(x, 27).mul_(_signed(0x94D049BB133111EB))
    return _folded(x, 31)


def _folded(x: Tensor, bits: int) -> Tensor:
    """``x ^ (x >> bits)``, the shift a logical one."""
    return (x >> bits).bitwise_and_((1 << (64 - bits)) - 1).bitwise_xor_(x)


def _signed(x: int) -> int:
    return (x + 2**63) % 2**64 - 2**63


@functools.cache
def _distribution() -> tuple[int, ...]:
    """The distribution function of Poisson(1) at 0, 1, 2, ..., in units of 2^-63."""
    probability, total, steps = Fraction(math.exp(-1)), Fraction(0), []
    for k in range(20):  # beyond, a weight has a probability below 2^-63
        total += probability / math.factorial(k)
        steps.append(min(int(total * 2**63), 2**63 - 1))
    return tuple(steps)
