"""Scores over epochs as lines of an inline SVG, in coordinates of a fixed box."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

WIDTH, HEIGHT = 300.0, 120.0  # of the box that the points lie in


class Curve(NamedTuple):
    """One score over epochs.

    ``lines``: the points of each unbroken run, as SVG has them. ``dots``: places of runs of one epoch. ``epochs``: how
    many there are. ``last`` and ``best``: values, nan where there is none; ``best_epoch`` counts from 0.
    ``low`` and ``high``: the values of the bottom and the top of the box.
    """

    name: str
    lines: list[str]
    dots: list[tuple[str, str]]
    epochs: int
    last: float
    best: float
    best_epoch: int
    low: float
    high: float


def curves(history: Mapping[str, Sequence[float]]) -> list[Curve]:
    """The curves of scores; epochs without a finite value break the line."""
    return [_curve(name, [float(value) for value in values]) for name, values in history.items()]


def _curve(name: str, values: Sequence[float]) -> Curve:
    known = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *known]), max([1.0, *known])
    runs: list[list[tuple[str, str]]] = [[]]
    for epoch, value in enumerate(values):
        if not math.isfinite(value):
            runs.append([])
            continue
        x = WIDTH * (epoch / (len(values) - 1) if len(values) > 1 else 0.5)
        runs[-1].append((f"{x:.1f}", f"{HEIGHT * (high - value) / (high - low):.1f}"))
    best = max(known, default=math.nan)
    return Curve(
        name,
        [" ".join(f"{x},{y}" for x, y in run) for run in runs if len(run) > 1],
        [run[0] for run in runs if len(run) == 1],
        len(values),
        known[-1] if known else math.nan,
        best,
        values.index(best) if known else -1,
        low,
        high,
    )
