"""The report of an evaluation: its scores, and its worst images read once more."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from segiou.evaluation.evaluate import Outcome
from segiou.evaluation.mask_files import read_mask
from segiou.evaluation.masks import MaskError
from segiou.evaluation.pairing import Item
from segiou.evaluation.photos import Photos
from segiou.evaluation.placement import in_one_place
from segiou.evaluation.tally import Scoring
from segiou.metrics.scores import SegmentationMetrics
from segiou.report import Report, WorstImage


class Made(NamedTuple):
    """A report, and the images whose photo it does not show, each with the reason."""

    report: Report
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
        worst: how many images are shown.
        photos: of the images, where they are to be shown. Each is shrunk to at most 400 pixels a side and
            encoded as a JPEG of 5 to 40 kB (24 real photos took 7 to 38 kB in the page, half of them below 16).
        title: of the page; made of the name of the model where empty.
    """
    (result,) = outcome.results
    files = {item.name: item for item in items}
    missing: list[tuple[str, str]] = []
    shown = [(files[str(name)], value) for name, value in result.images.worst(worst)]
    labels = scoring.of_label.colours
    means = {name: value for name, value in result.scores.items() if name in ("mIoU_I", "mIoU_C")}
    if result.boundary is not None:
        means["BoundaryIoU"] = result.boundary[1]
    if result.groups is not None:
        means["mIoU of groups"] = result.groups.scores["mIoU"]
    stopped = ["PARTIAL: interrupted, and only the images up to then are scored"] * outcome.partial
    overlays = [found for item, value in shown if (found := _worst_image(item, value, scoring, photos, missing))]
    rule = {} if result.interval_rule is None else {"Intervals": result.interval_rule}
    report = Report.of(
        SegmentationMetrics(**scoring.arguments, validate_args=False),
        result.counts,
        confidence=result.intervals,
        scores=means,
        images=result.images,
        image_metric=result.image_metric,
        worst=overlays,
        title=title or ", ".join(filter(None, ["Segmentation report", facts.get("Model")])),
        palette=None if labels is None else labels.palette,
        facts={**facts, "Images": f"{len(result.images.ids):,} scored", **rule},
        notes=[*stopped, *(f"{name}: {reason}" for name, reason in [*outcome.failures, *missing])],
    )
    if result.boundary is not None:
        report = replace(report, per_class={**report.per_class, "BoundaryIoU": result.boundary[0]})
    return Made(report, missing)


def _worst_image(
    item: Item, score: float, scoring: Scoring, photos: Photos | None, missing: list[tuple[str, str]]
) -> WorstImage | None:
    """The masks and the photo of an image; None where they are volumes, or have gone meanwhile."""
    try:
        of_pred, of_label, most = scoring.of_pred, scoring.of_label, scoring.max_pixels
        label = of_label.labels_of(read_mask(item.label, most))
        pred = in_one_place(of_pred.labels_of(read_mask(item.preds[0], most)), label)
        classes = of_pred.classes(pred).numpy(), of_label.classes(label).numpy()
    except MaskError:
        return None
    if len(label.shape) != 2:
        return None
    photo = None
    if photos is not None:
        try:
            photo = photos.read(item.name, label.shape)
        except MaskError as error:
            missing.append((item.name, str(error)))
    return WorstImage(item.name, score, *classes, photo)
