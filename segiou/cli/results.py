"""The outcome of an evaluation as JSON and CSV: the same bytes for the same files, on any number of processes."""

import csv
import io
import json
from collections.abc import Mapping
from typing import Any

from torch import Tensor

from segiou.evaluation.evaluate import Outcome
from segiou.evaluation.tally import Result
from segiou.metrics.bootstrap import Comparison
from segiou.metrics.scores import CLASS_SCORES

Row = dict[str, Any]
FBETA = "FBeta"  # with beta 1 it is Dice


def class_rows(result: Result) -> list[Row]:
    """What is known of each class, or group: its name, scores, bounds of its IoU where drawn, and pixels."""
    metric = result.metric
    areas = metric.areas(result.counts)
    columns = {name: score.per_class(areas, metric.averaging) for name, score in CLASS_SCORES.items()}
    if result.boundary is not None:
        columns["BoundaryIoU"] = result.boundary[0]
    pixels = {"target": areas.target, "predicted": areas.predicted, "intersection": areas.intersection}
    rows = []
    for place, name in enumerate(metric.classes.scored):
        row: Row = {"name": name, **{column: _plain(scores[place]) for column, scores in columns.items()}}
        if f"IoU/{name}" in result.intervals:
            interval = result.intervals[f"IoU/{name}"]
            row |= {"IoU_low": _plain(interval.low), "IoU_high": _plain(interval.high)}
        rows.append(row | {what: int(area[place]) for what, area in pixels.items()})
    return rows


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
        "classes": class_rows(result),
        "confusion": result.counts.tolist(),
        "images": images,
    }
    of_groups = result.groups
    if of_groups is not None:
        found |= {
            "group_scores": headline(of_groups),
            "group_intervals": _intervals(of_groups),
            "groups": class_rows(of_groups),
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
    rows, text = class_rows(result), io.StringIO()
    if result.groups is not None:
        kinds = {"class": rows, "group": class_rows(result.groups)}
        rows = [{"kind": kind, **row} for kind, each in kinds.items() for row in each]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode("utf-8", "backslashreplace")


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
