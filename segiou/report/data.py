"""What a report shows, made of segiou's own objects."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from segiou.labels.checks import Colour, colours_of
from segiou.metrics.bootstrap import ConfidenceInterval
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.image_means import ImageScores
from segiou.metrics.intervals import ENOUGH, TOO_FEW, Interval
from segiou.metrics.score_metric import ScoreMetric
from segiou.metrics.scores import Dice, FBeta, FrequencyWeightedIoU, SegmentationMetrics
from segiou.scoring.averaging import Averaging, Score
from segiou.scoring.class_scores import CLASS_SCORES
from segiou.scoring.class_table import ClassTable

Array = np.ndarray[Any, Any]
Value = Tensor | Interval


class WorstImage(NamedTuple):
    """An image that scored low, for an overlay.

    ``name``: shown above it. ``score``: of the image, a fraction. ``prediction``, ``label``: class ids and ignored
    values, integers ``(H, W)``. ``image``: the image itself, uint8 ``(H, W, 3)`` of red, green and blue, or None.
    """

    name: str
    score: float
    prediction: Array
    label: Array
    image: Array | None = None


@dataclass(frozen=True)
class Report:
    """All that the page shows. ``Report.of`` computes the scores from the counts.

    Args:
        metric: says how pixels were counted, how scores are averaged, and the names of the classes.
        counts: ``metric.confmat``, over all images and processes: int64 ``(C + 1, C + 1)``, for multilabel
            ``(L, 3, 3)``.
        title: of the page.
        scores: the headline numbers by name, each a scalar or an ``Interval`` of scalars; the first is shown largest.
        per_class: the columns of the table by name, ``(C,)`` each, of groups where there are, of labels for multilabel.
        class_intervals: the intervals of columns, by the column's name, each of ``(C,)``.
        images: the scores of single images.
        image_metric: the metric that scored single images, such as ``ImagewiseIoU(21).metric``; None says nothing of
            its rules.
        worst: the images that scored lowest, the worst first.
        examples: more images to show, by what they were chosen for, such as "best", "median" and "random". Those under
            "class" are shown only to readers who ask for the images that are worst for a class.
        groups: the table of groups, shown below that of the classes; None where there is none.
        palette: C colours of red, green and blue, 0 to 255; colours of the page's own where None.
        facts: more that a reader needs to reproduce the numbers, such as the folders, by name.
        notes: a line each, such as a file that could not be scored and why.
        history: scores over epochs by name, a number for each epoch, nan where there was none. Each becomes a curve;
            names with "/" are of classes, and are folded away.

    Raises:
        ValueError: counts, columns, colours or overlays of a shape that does not fit the metric.
    """

    metric: ConfusionMatrixMetric
    counts: Tensor
    title: str = "Segmentation report"
    scores: Mapping[str, Value] = field(default_factory=dict)
    per_class: Mapping[str, Tensor] = field(default_factory=dict)
    class_intervals: Mapping[str, Interval] = field(default_factory=dict)
    images: ImageScores | None = None
    image_metric: ScoreMetric | None = None
    worst: Sequence[WorstImage] = ()
    examples: Mapping[str, Sequence[WorstImage]] = field(default_factory=dict)
    groups: ClassTable | None = None
    palette: Sequence[Colour] | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    history: Mapping[str, Sequence[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _checked(self.counts, self.metric)
        names = self.metric.class_names
        scored = len(self.metric.classes.scored)
        columns = dict(self.per_class) | {name: interval.low for name, interval in self.class_intervals.items()}
        for name, column in columns.items():
            if tuple(column.shape) != (scored,):
                raise ValueError(
                    f"the column {name!r} must hold a score for each of the {scored} classes that are scored, "
                    f"got shape {tuple(column.shape)}"
                )
        if self.palette is not None and len(colours_of("palette", self.palette)) != len(names):
            raise ValueError(f"palette must hold a colour for each of {len(names)} classes, got {len(self.palette)}")
        for image in [*self.worst, *(image for images in self.examples.values() for image in images)]:
            _require_maps(image, self.metric.rules.task)

    @classmethod
    def of(
        cls,
        metric: ConfusionMatrixMetric,
        counts: Tensor | None = None,
        *,
        confidence: ConfidenceInterval | Mapping[str, Interval] | None = None,
        scores: Mapping[str, Value] | None = None,
        **shown: Any,
    ) -> "Report":
        """A report whose scores are computed from the counts, by the metric's own rules.

        Args:
            metric: see ``Report``.
            counts: see ``Report``; ``metric.confmat`` where None.
            confidence: a ``ConfidenceInterval`` of the same images, of which ``compute()`` is called, or what it has
                given as a dict: "mIoU" and so on for headline numbers, "IoU/<class>" for the column of that name.
            scores: headline numbers that are added, or replace those of the same name.
            shown: the other arguments of ``Report``.

        Raises:
            ValueError: see ``Report``.

        >>> import torch
        >>> from segiou import MeanIoU
        >>> from segiou.report import Report
        >>> metric = MeanIoU(num_classes=2, class_names=["road", "car"])
        >>> metric.update(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
        >>> report = Report.of(metric, title="Test split")
        >>> report.scores["mIoU"], report.per_class["IoU"]
        (tensor(0.5000), tensor([0.5000, 0.5000]))
        """
        counts = _checked(metric.confmat if counts is None else counts, metric).cpu()
        areas, columns = metric.areas(counts), metric.table_of(counts).columns
        found: dict[str, Value] = {key: score(areas, how) for key, (score, how) in headline(metric).items()}
        found |= {key: torch.tensor(column.average.value) for key, column in columns.items() if key not in CLASS_SCORES}
        per_class = {name: torch.tensor([score.value for score in column.scores]) for name, column in columns.items()}
        if isinstance(confidence, ConfidenceInterval):
            shown["facts"] = {"Intervals": interval_rule(confidence), **shown.get("facts", {})}
            confidence = intervals_of(confidence)
        drawn, of_classes = _placed(confidence or {}, metric)
        found |= {**drawn, **(scores or {})}
        return cls(metric, counts, scores=found, per_class=per_class, class_intervals=of_classes, **shown)


def _checked(counts: Tensor, metric: ConfusionMatrixMetric) -> Tensor:
    if counts.shape != metric.rules.shape:
        raise ValueError(f"counts must be of shape {metric.rules.shape}, as metric.confmat, got {tuple(counts.shape)}")
    return counts


def headline(metric: ConfusionMatrixMetric) -> dict[str, tuple[Score, Averaging]]:
    """The scores that head a report by name, and how each is averaged; "none" is no headline, and is left to each."""
    how = metric.averaging
    how = replace(how, average=None) if how.average == "none" else how
    own = replace(how, average=None)
    found = {}
    for score in SegmentationMetrics.scores:
        if score is FBeta.score or (score.of_matrix and not metric.classes.is_partition):
            continue
        found[score.key] = score, own if score.of_matrix or score is FrequencyWeightedIoU.score else how
    return found


def intervals_of(confidence: ConfidenceInterval) -> dict[str, Interval]:
    """The intervals by name, one of them under the name of its score; on every process where there are several."""
    found = confidence.compute()
    named: dict[str, Interval] = {confidence.key: found} if isinstance(found, Interval) else found
    return named


def interval_rule(*confidences: ConfidenceInterval) -> str:
    """How the intervals were drawn, in words."""
    images = [int(confidence.images[0]) for confidence in confidences]
    rules = [
        f"{100 * confidence.level:g} % percentile bootstrap over {number:,} image{'' if number == 1 else 's'}, "
        f"{confidence.replicates:,} replicates of Poisson weights, seed {confidence.seed}"
        for confidence, number in zip(confidences, images, strict=True)
    ]
    return "; ".join(dict.fromkeys([*rules, *[TOO_FEW] * (min(images) < ENOUGH)]))


def _placed(
    found: Mapping[str, Interval], metric: ConfusionMatrixMetric
) -> tuple[dict[str, Value], dict[str, Interval]]:
    """The intervals of headline numbers, and those of columns."""
    found = {key: Interval(*(part.detach().cpu() for part in interval)) for key, interval in found.items()}
    columns = {score.key: column for column, score in CLASS_SCORES.items()}
    of_classes = {columns.get(key, key): interval for key, interval in found.items() if interval.value.ndim}
    for column in CLASS_SCORES:
        parts = [found[f"{column}/{name}"] for name in metric.classes.scored if f"{column}/{name}" in found]
        if len(parts) == len(metric.classes.scored):
            of_classes[column] = Interval(*(torch.stack(part) for part in zip(*parts, strict=True)))
    # that of all scores gives F-beta too, which with beta 1 is Dice again
    again = {FBeta.score.key} if Dice.score.key in found else set()
    numbers = {key: value for key, value in found.items() if not value.value.ndim and "/" not in key}
    return {key: value for key, value in numbers.items() if key not in again}, of_classes


def _require_maps(image: WorstImage, task: str) -> None:
    """Raise for an overlay that cannot be drawn."""
    if task == "multilabel":
        raise ValueError(f"images are shown as label maps, which multilabel has not: leave it out, got {image.name!r}")
    require_alike(image.name, {"prediction": image.prediction, "label": image.label}, image.image)


def require_alike(name: str, maps: Mapping[str, Array], rgb: Array | None) -> None:
    """Raise ValueError for label maps, by what they are called, or a photo, that cannot be shown side by side."""
    shapes = [np.shape(each) for each in maps.values()]
    if len(shapes[0]) != 2 or 0 in shapes[0] or any(shape != shapes[0] for shape in shapes):
        *parts, last = maps
        raise ValueError(
            f"the {', the '.join(parts)} and the {last} of {name!r} must be of one shape (H, W), "
            f"got {' and '.join(map(str, shapes))}"
        )
    if rgb is not None and (np.shape(rgb) != (*shapes[0], 3) or rgb.dtype != np.uint8):
        raise ValueError(
            f"the image of {name!r} must be uint8 of shape {(*shapes[0], 3)}, got {rgb.dtype} of shape {rgb.shape}"
        )
