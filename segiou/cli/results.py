"""The outcome of an evaluation as JSON and CSV: the same bytes for the same files, on any number of processes."""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from segiou.evaluation.evaluate import Outcome
from segiou.evaluation.tally import Result
from segiou.metrics.intervals import Comparison
from segiou.scoring.class_scores import Column
from segiou.scoring.class_table import ClassTable
from segiou.scoring.table_formats import csv_text

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
    images: list[Row] = [
        {"name": name, "mIoU": _plain(value)}
        for name, value in zip(result.images.ids, result.images.values, strict=True)
    ]
    found: Row = {
        "scores": headline(result),
        "interval_rule": result.interval_rule,
        "intervals": _intervals(result),
        "classes": class_table(result).records(),
        "confusion": result.counts.tolist(),
        "images": images,
    }
    of_groups = result.groups
    if of_groups is not None:
        found |= {
            "group_scores": headline(of_groups),
            "group_intervals": _intervals(of_groups),
            "groups": class_table(of_groups).records(),
        }
        values = dict(zip(of_groups.images.ids, of_groups.images.values, strict=True))
        for image in images:
            image["group_mIoU"] = _plain(values[image["name"]])
    return found


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
        found["differences"] = _differences(outcome.differences)
        if outcome.group_differences:
            found["group_differences"] = _differences(outcome.group_differences)
    return (json.dumps(found, indent=1, allow_nan=False) + "\n").encode()


def as_csv(result: Result) -> bytes:
    """The table of classes, and of groups where there are; scores that are nan are empty."""
    table = class_table(result)
    text = table.to_csv()
    if result.groups is not None:
        kinds = {"class": table.records(), "group": class_table(result.groups).records()}
        rows = [{"kind": kind, **row} for kind, each in kinds.items() for row in each]
        text = csv_text(rows, list(rows[0]))
    return text.encode("utf-8", "backslashreplace")


def _scores(result: Result) -> dict[str, Tensor]:
    scores = {name: value for name, value in result.scores.items() if "/" not in name and name != FBETA}
    return scores if result.boundary is None else {**scores, "BoundaryIoU": result.boundary[1]}


def _intervals(result: Result) -> Row:
    """The bounds of the scores of the whole, where drawn."""
    bounds = {name: {"low": _plain(i.low), "high": _plain(i.high)} for name, i in result.intervals.items()}
    return {name: each for name, each in bounds.items() if "/" not in name and name != FBETA}


def _differences(differences: Mapping[str, Comparison]) -> Row:
    return {
        name: {**_bounds(each.difference), "p_value": _plain(each.p_value)}
        for name, each in differences.items()
        if name != FBETA
    }


def _bounds(interval: Any) -> Row:
    return {part: _plain(getattr(interval, part)) for part in ("value", "low", "high")}


def _plain(value: Tensor) -> float | None:
    number = float(value)
    return None if number != number else number
