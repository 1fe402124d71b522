"""The metrics of a whole evaluation, given the counts of images: each image is counted once for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segiou.counting.memory import in_words, lack_of_memory
from segiou.evaluation.mask_values import Coding
from segiou.metrics.bootstrap import ConfidenceInterval
from segiou.metrics.boundary import BoundaryIoU
from segiou.metrics.image_means import ImageScores
from segiou.metrics.imagewise import Imagewise
from segiou.metrics.intervals import Comparison, Interval
from segiou.metrics.paired_comparison import PairedComparison
from segiou.metrics.scores import MeanIoU, SegmentationMetrics
from segiou.report.data import interval_rule

TOGETHER = 16  # images that are added at once
MATRICES = 16  # that metrics, and images that wait, take beside those


@dataclass(frozen=True)
class Scoring:
    """What is measured.

    Args:
        arguments: of every metric of classes, such as ``num_classes`` and ``class_names``.
        of_pred: the coding of predictions.
        of_label: the coding of labels.
        boundary: whether to measure boundary IoU.
        intervals: whether to draw confidence intervals.
        groups: arguments of every metric of groups, which are scored beside the classes; None where there are none.
        max_pixels: of a mask that is read; None for what fits into memory.
    """

    arguments: Mapping[str, Any]
    of_pred: Coding
    of_label: Coding
    boundary: bool = False
    intervals: bool = False
    groups: Mapping[str, Any] | None = None
    max_pixels: int | None = None

    def require_valid(self) -> None:
        """Raise the ValueError or TypeError of the metrics for arguments that do not fit."""
        for arguments in self.views:
            scores_of(arguments)
        self.boundary_metrics()

    @property
    def views(self) -> list[Mapping[str, Any]]:
        """The arguments of metrics of classes, and of those of groups where there are."""
        return [self.arguments] if self.groups is None else [self.arguments, self.groups]

    def boundary_metrics(self) -> list[BoundaryIoU | None]:
        """For each view a metric of classes as ``Coding.classes`` gives them; None where none is asked for."""
        if not self.boundary:
            return [None for _ in self.views]
        ignored = {*MeanIoU(**self.arguments).rules.ignore_index, self.of_label.num_classes}
        how = {"ignore_index": sorted(ignored), "validate_args": False}
        return [BoundaryIoU(**{**arguments, **how}) for arguments in self.views]


def require_memory(num_classes: int) -> None:
    """Raise a ValueError for matrices of so many classes that those of an evaluation do not fit into memory."""
    side = num_classes + 1
    lack = lack_of_memory(8 * side**2 * (TOGETHER + MATRICES))
    if lack:
        raise ValueError(
            f"{num_classes:,} classes need a matrix of {side:,} x {side:,} counts, {in_words(8 * side**2)}; scoring "
            f"folders keeps about {TOGETHER + MATRICES} of them, which {lack}"
        )


class ScoresOfAreas(SegmentationMetrics):
    """The scores of groups that share classes or hold not all of them: those of a whole matrix mean nothing there."""

    of_matrix = False
    scores = tuple(score for score in SegmentationMetrics.scores if not score.of_matrix)


def scores_of(arguments: Mapping[str, Any], **more: Any) -> SegmentationMetrics:
    """The scores that have a meaning for classes, or for groups of them. Raises ValueError or TypeError."""
    every = ScoresOfAreas(**arguments, **more)
    return SegmentationMetrics(**arguments, **more) if every.classes.is_partition else every


class Counts(NamedTuple):
    """Of one image, for each of M models: ``(M, C + 1, C + 1)``, and those of boundaries for each view, or None."""

    pixels: Tensor
    boundary: tuple[Tensor, ...] | None


class Result(NamedTuple):
    """The scores of one model.

    ``metric``: says how is scored. ``counts``: int64 ``(C + 1, C + 1)``. ``scores``: float32 scalars by name, of
    classes as "IoU/<name>". ``intervals``: likewise, where drawn, and ``interval_rule``, how. ``images``: sorted by
    name. ``image_metric``: what scored them. ``boundary``: of each class and their mean, where measured. ``groups``:
    the same of groups, where there are.
    """

    metric: SegmentationMetrics
    counts: Tensor
    scores: dict[str, Tensor]
    intervals: dict[str, Interval]
    interval_rule: str | None
    images: ImageScores
    image_metric: MeanIoU
    boundary: tuple[Tensor, Tensor] | None
    groups: "Result | None" = None


class ViewTally:
    """The metrics of one model, of its classes or of its groups."""

    def __init__(self, arguments: Mapping[str, Any], intervals: bool, boundary: BoundaryIoU | None) -> None:
        arguments = {**arguments, "validate_args": False}  # void predictions are counted, and said
        self.scores = scores_of(arguments, per_class=True)
        self.iou = MeanIoU(**arguments, absent_if="target_unless_empty")
        self.images = Imagewise(self.iou, keep_images=True)
        self.classes = Imagewise(self.iou, over="classes")
        self.interval = ConfidenceInterval(self.scores) if intervals else None
        self.boundary = boundary

    @property
    def metrics(self) -> list[Any]:
        """All that have a state."""
        every = (self.scores, self.images, self.classes, self.interval, self.boundary)
        return [metric for metric in every if metric is not None]

    def add(self, pixels: Tensor, boundary: Tensor | None, names: list[str]) -> None:
        """Add the counts of N images, ``(N, C + 1, C + 1)``."""
        self.scores.update_confmat(pixels)
        self.images.update_confmat(pixels, ids=names)
        self.classes.update_confmat(pixels)
        if self.interval is not None:
            self.interval.update_confmat(pixels, ids=names)
        if self.boundary is not None:
            self.boundary.update_confmat(boundary)

    def result(self) -> Result:
        """The scores of all images."""
        ids, values, per_class = self.images.images()
        order = sorted(range(len(ids)), key=lambda place: str(ids[place]))
        images = ImageScores([ids[place] for place in order], values[order], per_class[order])
        scores = self.scores.compute() | {metric.key: metric.compute() for metric in (self.images, self.classes)}
        interval = self.interval if ids else None  # of no image there is none, and a warning
        drawn: dict[str, Interval] = {} if interval is None else interval.compute()
        rule = None if interval is None else interval_rule(interval)
        boundary = None
        if self.boundary is not None:
            areas = self.boundary.areas(self.boundary.counts)
            boundary = self.boundary.score.per_class(areas, self.boundary.averaging), self.boundary.compute()
        return Result(self.scores, self.scores.confmat.clone(), scores, drawn, rule, images, self.iou, boundary)


class Tally:
    """The metrics of one model, or of two and their differences, in each view."""

    def __init__(self, scoring: Scoring, models: int) -> None:
        self.models = [
            [
                ViewTally(arguments, scoring.intervals, boundary)
                for arguments, boundary in zip(scoring.views, scoring.boundary_metrics(), strict=True)
            ]
            for _ in range(models)
        ]
        self.paired = [PairedComparison(view.scores) for view in self.models[0]] if models == 2 else []
        self.total = torch.zeros_like(self.models[0][0].scores.confmat)  # of the first model, at any time
        self._waiting: list[tuple[str, Counts]] = []

    @property
    def metrics(self) -> list[Any]:
        """All that have a state."""
        return [metric for views in self.models for view in views for metric in view.metrics] + self.paired

    def add(self, name: str, counts: Counts) -> None:
        """Add the counts of one image."""
        self.total += counts.pixels[0]
        self._waiting.append((name, counts))
        if len(self._waiting) == TOGETHER:
            self.flush()

    def flush(self) -> None:
        """Give the metrics what waits; they are updated in any case, with no image where none waits."""
        names = [name for name, _ in self._waiting]
        waiting = [counts for _, counts in self._waiting]
        pixels = [
            _stacked([counts.pixels[place] for counts in waiting], self.total) for place in range(len(self.models))
        ]
        for place, views in enumerate(self.models):
            for number, view in enumerate(views):
                boundary = None
                if view.boundary is not None:
                    found = [counts.boundary[number][place] for counts in waiting if counts.boundary is not None]
                    boundary = _stacked(found, view.boundary.counts)
                view.add(pixels[place], boundary, names)
        for paired in self.paired:
            paired.update_confmat(pixels[0], pixels[1], ids=names)
        self._waiting.clear()

    def results(self) -> list[Result]:
        """The scores of each model."""
        found = [[view.result() for view in views] for views in self.models]
        return [of_classes._replace(groups=of_groups[0] if of_groups else None) for of_classes, *of_groups in found]

    def differences(self) -> list[dict[str, Comparison]]:
        """Those of the second model to the first by score, in each view; none where there is one model."""
        return [paired.compute() for paired in self.paired]


def _stacked(counts: list[Tensor], like: Tensor) -> Tensor:
    """The counts of N images stacked; of no image, a tensor of length 0."""
    return torch.stack(counts) if counts else like.new_zeros((0, *like.shape))
