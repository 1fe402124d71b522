"""Intervals of scores, and the comparison of two models by them."""

from typing import NamedTuple

from torch import Tensor


class Interval(NamedTuple):
    """A score, and the bounds of its confidence interval: float32, scalars or ``(C,)``."""

    value: Tensor
    low: Tensor
    high: Tensor


class Comparison(NamedTuple):
    """Two models on the same images.

    ``a``, ``b``: the score of each. ``difference``: b - a. ``p_value``: two-sided, of no difference;
    of n images at least 2^(1 - n), below which no test of signs could go.
    """

    a: Interval
    b: Interval
    difference: Interval
    p_value: Tensor
