"""Intervals of scores, and the comparison of two models by them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from torch import Tensor

ALPHA = 0.05  # p above which a difference is not called one
ENOUGH = 50  # images, of fewer of which intervals are too narrow
TOO_FEW = f"intervals of fewer than about {ENOUGH} images are too narrow"


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


def verdict(low: float, high: float, p_value: float) -> str:
    """What is said of a difference: "better" where its interval is above 0, "worse" below, nothing where it holds 0.

    Nothing is said where p is above 0.05 either, as it is for fewer than six images whatever their interval.
    """
    if not p_value <= ALPHA:
        return ""
    return "better" if low > 0 else "worse" if high < 0 else ""


def interval_rows(name: str, found: Any, scored: Sequence[str]) -> dict[str, list[float]]:
    """Value, low and high of each interval, by name: of one, of those of a dict, or of several of either over time."""
    if isinstance(found, Interval):
        parts = [part.reshape(-1).tolist() for part in found]
        inside = [""] if found.value.ndim == 0 else scored
        return {"/".join(filter(None, (name, one))): row for one, *row in zip(inside, *parts, strict=True)}
    if not isinstance(found, dict | list):
        raise TypeError(f"val must be what compute gives, or a list of that, got a {type(found).__name__}")
    steps = found.items() if isinstance(found, dict) else enumerate(found)
    rows: dict[str, list[float]] = {}
    for step, part in steps:
        rows |= interval_rows(f"{name}/{step}" if name else str(step), part, scored)
    return rows


def differences(found: Any) -> Any:
    """The differences of a comparison, or of a dict or list of them."""
    if isinstance(found, Comparison):
        return found.difference
    if isinstance(found, dict):
        return {name: differences(part) for name, part in found.items()}
    return [differences(part) for part in found] if isinstance(found, list) else found


def of_each_name(function: Callable[..., Any], *values: Any) -> Any:
    """The function of the values; where they are dicts, of the values under each name."""
    if not isinstance(values[0], dict):
        return function(*values)
    return {name: function(*(value[name] for value in values)) for name in values[0]}
