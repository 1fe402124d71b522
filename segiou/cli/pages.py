"""The report of an evaluation: its scores, and the images that it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from torch import Tensor

from segiou.cli.page_images import PageImages
from segiou.cli.results import FBETA, class_table
from segiou.evaluation.evaluate import Outcome
from segiou.evaluation.pairing import Item
from segiou.evaluation.photos import Photos
from segiou.evaluation.tally import Result, Scoring
from segiou.metrics.scores import SegmentationMetrics
from segiou.report import ComparisonReport, ImageChange, Report
from segiou.report.comparison import most_changed
from segiou.report.conventions import conventions


class Made(NamedTuple):
    """A report, and the images whose photo it does not show, each with the reason."""

    report: Report | ComparisonReport
    without_photo: list[tuple[str, str]]


def report_of(
    outcome: Outcome,
    items: Sequence[Item],
    scoring: Scoring,
    facts: Mapping[str, str],
    worst: int,
    photos: Photos | None = None,
    title: str = "",
) -> Made:
    """What the page shows of one model.

    Args:
        outcome: what came of all files.
        items: the files, read again where images are shown.
        scoring: how they were read.
        facts: what else a reader needs to know, by name.
        worst: how many images are shown of each choice: the worst, the best, around the median, and random ones.
        photos: of the images, where they are to be shown. Each is shrunk to at most 400 pixels a side and
            encoded as a JPEG of 5 to 40 kB (24 real photos took 7 to 38 kB in the page, half of them below 16).
        title: of the page; made of the name of the model where empty.
    """
    (result,) = outcome.results
    reader = PageImages(items, scoring, photos)
    shown = reader.chosen(result.images, worst)
    labels = scoring.of_label.colours
    rule = {} if result.interval_rule is None else {"Intervals": result.interval_rule}
    report = Report.of(
        SegmentationMetrics(**scoring.arguments, validate_args=False),
        result.counts,
        confidence=result.intervals,
        scores=_means(result),
        images=result.images,
        image_metric=result.image_metric,
        worst=shown.pop("worst", []),
        examples=shown,
        groups=None if result.groups is None else class_table(result.groups),
        title=title or ", ".join(filter(None, ["Segmentation report", facts.get("Model")])),
        palette=None if labels is None else labels.palette,
        facts={**_rules(outcome, scoring), **facts, "Images": f"{len(result.images.ids):,} scored", **rule},
        notes=notes_of(outcome, reader.without_photo),
    )
    if result.boundary is not None:
        report = replace(report, per_class={**report.per_class, "BoundaryIoU": result.boundary[0]})
    return Made(report, reader.without_photo)


def comparison_of(
    outcome: Outcome,
    items: Sequence[Item],
    scoring: Scoring,
    facts: Mapping[str, str],
    most: int,
    models: Sequence[str],
    photos: Photos | None = None,
    title: str = "",
) -> Made:
    """What the page shows of two models.

    Args:
        outcome: what came of all files.
        items: the files, read again where images are shown.
        scoring: how they were read.
        facts: what else a reader needs to know, by name.
        most: how many images are shown that gained most, and how many that lost most.
        models: the names of both, or none.
        photos: of the images, where they are to be shown.
        title: of the page; made of the names of the models where empty.
    """
    a, b = (result.images for result in outcome.results)
    reader = PageImages(items, scoring, photos)
    images = list(map(ImageChange, map(str, a.ids), a.values.tolist(), b.values.tolist()))
    moved = {image.name for of_direction in most_changed(images, most).values() for image in of_direction}
    labels = scoring.of_label.colours
    metric = SegmentationMetrics(**scoring.arguments, validate_args=False)
    rules = {name: text for name, text in conventions(metric, outcome.results[0].counts) if name != "Pixels"}
    rules |= _rules(outcome, scoring)
    report = ComparisonReport(
        {name: found for name, found in outcome.differences.items() if name != FBETA},
        (models[0], models[1]) if models else ("the first model", "the second model"),
        title or (f"{models[1]} compared to {models[0]}" if models else "Comparison of two models"),
        {name: found for name, found in outcome.group_differences.items() if name != FBETA},
        [image._replace(maps=reader.compared(image.name)) if image.name in moved else image for image in images],
        most,
        {**rules, **facts, "Images": f"{len(a.ids):,} scored"},
        num_classes=scoring.of_label.num_classes,
        palette=None if labels is None else labels.palette,
        ignore_index=metric.rules.ignore_index,
    )
    return Made(replace(report, notes=notes_of(outcome, reader.without_photo)), reader.without_photo)


def _rules(outcome: Outcome, scoring: Scoring) -> dict[str, str]:
    """What the page says of values in files in place of what it says of a metric's, and of groups."""
    ignored = ", ".join(map(str, scoring.of_label.ignored))
    found = {
        "Ignored values": f"{ignored} in files: pixels with such a label are not counted" if ignored else "none",
        "Labels outside the classes": "files that hold such values are not scored, and named",
    }
    groups = outcome.results[0].groups
    return found if groups is None else {**found, "Groups": dict(conventions(groups.metric, groups.counts))["Groups"]}


def notes_of(outcome: Outcome, without_photo: Sequence[tuple[str, str]] = ()) -> list[str]:
    """What went wrong, a line each."""
    stopped = ["PARTIAL: interrupted, and only the images up to then are scored"] * outcome.partial
    return [*stopped, *(f"{name}: {reason}" for name, reason in [*outcome.failures, *without_photo])]


def _means(result: Result) -> dict[str, Tensor]:
    """The scores at the head of the page that no confusion matrix of classes gives."""
    means = {name: value for name, value in result.scores.items() if name in ("mIoU_I", "mIoU_C")}
    if result.boundary is not None:
        means["BoundaryIoU"] = result.boundary[1]
    if result.groups is not None:
        means["mIoU of groups"] = result.groups.scores["mIoU"]
    return means
