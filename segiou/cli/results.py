"""The outcome of an evaluation as JSON and CSV: the same bytes for the same files, on any number of processes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from segiou.evaluation.evaluate import Outcome
from segiou.evaluation.tally import Result
from segiou.scoring.class_scores import Column
from segiou.scoring.class_table import ClassTable

Row = dict[str, Any]
FBETA = "FBeta"  # with beta 1 it is Dice


def class_table(result: Result) -> ClassTable:
    """The scores of each class, or group, with boundary IoU where it was measured, and bounds of IoU where drawn."""
    table = replace(result.metric.table_of(result.counts), scores={})  # ``headline`` has them, and more
    iou = table.columns["IoU"]
    bounds = [result.intervals[f"IoU/{name}"] for name in table.names if f"IoU/{name}" in result.intervals]
    if bounds:
        low, high = ([float(getattr(each, part)) for each in bounds] for part in ("low", "high"))
        column = Column.of([number.value for number in iou.scores], iou.average.value, low, high)
        table = table.with_column("IoU", column)
    if result.boundary is not None:
        of_classes, mean = result.boundary
        table = table.with_column("BoundaryIoU", Column.of(of_classes.tolist(), float(mean)))
    return table


def headline(result: Result) -> dict[str, float | None]:
    """The scores of the whole by name, without those of classes."""
    return {name: _plain(value) for name, value in _scores(result).items()}


def model_json(result: Result) -> Row:
    """One model."""
    bounds = {name: {"low": _plain(i.low), "high": _plain(i.high)} for name, i in result.intervals.items()}
    return {
        "scores": headline(result),
        "interval_rule": result.interval_rule,
        "intervals": {name: each for name, each in bounds.items() if "/" not in name and name != FBETA},
        "classes": class_table(result).records(),
        "confusion": result.counts.tolist(),
        "images": [
            {"name": name, "mIoU": _plain(value)}
            for name, value in zip(result.images.ids, result.images.values, strict=True)
        ],
    }


def as_json(outcome: Outcome, facts: Mapping[str, Any]) -> bytes:
    """An outcome of one model or two as JSON; scores that are nan are null.

    Args:
        outcome: what came of all files.
        facts: what else is to be known: the folders, the options.
    """
    found: Row = {
        **facts,
        "partial": outcome.partial,
        "images_scored": len(outcome.results[0].images.ids),
        "failures": [{"name": name, "reason": reason} for name, reason in outcome.failures],
    }
    if len(outcome.results) == 1:
        found |= model_json(outcome.results[0])
    else:
        found |= dict(zip("ab", map(model_json, outcome.results), strict=True))
        found["differences"] = {
            name: {**_bounds(each.difference), "p_value": _plain(each.p_value)}
            for name, each in outcome.differences.items()
            if name != FBETA
        }
    return (json.dumps(found, indent=1, allow_nan=False) + "\n").encode()


def as_csv(result: Result) -> bytes:
    """The table of classes; scores that are nan are empty."""
    return class_table(result).to_csv().encode("utf-8", "backslashreplace")


def _scores(result: Result) -> dict[str, Tensor]:
    scores = {name: value for name, value in result.scores.items() if "/" not in name and name != FBETA}
    return scores if result.boundary is None else {**scores, "BoundaryIoU": result.boundary[1]}


def _bounds(interval: Any) -> Row:
    return {part: _plain(getattr(interval, part)) for part in ("value", "low", "high")}


def _plain(value: Tensor) -> float | None:
    number = float(value)
    return None if number != number else number
