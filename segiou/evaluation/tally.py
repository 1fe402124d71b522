"""The metrics of a whole evaluation, given the counts of images: each image is counted once for all of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from segiou.counting import Counted
from segiou.evaluation.mask_values import Coding
from segiou.metrics.bootstrap import ConfidenceInterval, PairedComparison
from segiou.metrics.boundary import BoundaryIoU
from segiou.metrics.imagewise import ImageScores, Imagewise
from segiou.metrics.intervals import Comparison, Interval
from segiou.metrics.scores import MeanIoU, SegmentationMetrics
from segiou.report.data import interval_rule

TOGETHER = 16  # images that are added at once


class Given:
    """A metric that is given the counts of images, ``(N, ...)``, in place of their pixels."""

    def counted(self, preds: Tensor, target: None, per_image: bool = False) -> Counted:
        """The counts as they are."""
        return Counted(preds if per_image else preds.sum(0), torch.zeros(4, dtype=torch.int64))


class GivenScores(Given, SegmentationMetrics):
    """All scores, of counts."""


class GivenIoU(Given, MeanIoU):
    """Mean IoU, of counts."""


class GivenBoundary(Given, BoundaryIoU):
    """Boundary IoU, of counts."""


@dataclass(frozen=True)
class Scoring:
    """What is measured.

    Args:
        arguments: of every metric, such as ``num_classes`` and ``class_names``.
        of_pred: the coding of predictions.
        of_label: the coding of labels.
        boundary: whether to measure boundary IoU.
        intervals: whether to draw confidence intervals.
    """

    arguments: Mapping[str, Any]
    of_pred: Coding
    of_label: Coding
    boundary: bool = False
    intervals: bool = False

    def boundary_metric(self, kind: type[BoundaryIoU] = BoundaryIoU) -> BoundaryIoU | None:
        """A boundary metric of classes as ``Coding.classes`` gives them; None where none is asked for."""
        if not self.boundary:
            return None
        ignored = {*MeanIoU(**self.arguments).rules.ignore_index, self.of_label.num_classes}
        return kind(**{**self.arguments, "ignore_index": sorted(ignored), "validate_args": False})


class Counts(NamedTuple):
    """Of one image, for each of M models: ``(M, C + 1, C + 1)``, and those of boundaries or None."""

    pixels: Tensor
    boundary: Tensor | None


class Result(NamedTuple):
    """The scores of one model.

    ``metric``: says how is scored. ``counts``: int64 ``(C + 1, C + 1)``. ``scores``: float32 scalars by name, of
    classes as "IoU/<name>". ``intervals``: likewise, where drawn, and ``interval_rule``, how. ``images``: sorted by
    name. ``image_metric``: what scored them. ``boundary``: of each class and their mean, where measured.
    """

    metric: SegmentationMetrics
    counts: Tensor
    scores: dict[str, Tensor]
    intervals: dict[str, Interval]
    interval_rule: str | None
    images: ImageScores
    image_metric: MeanIoU
    boundary: tuple[Tensor, Tensor] | None


class ModelTally:
    """The metrics of one model."""

    def __init__(self, scoring: Scoring) -> None:
        self.scores = GivenScores(**scoring.arguments, per_class=True)
        self.iou = GivenIoU(**scoring.arguments, absent_if="target_unless_empty")
        self.images = Imagewise(self.iou, keep_images=True)
        self.classes = Imagewise(self.iou, over="classes")
        self.interval = ConfidenceInterval(self.scores) if scoring.intervals else None
        self.boundary = scoring.boundary_metric(GivenBoundary)

    @property
    def metrics(self) -> list[Any]:
        """All that have a state."""
        every = (self.scores, self.images, self.classes, self.interval, self.boundary)
        return [metric for metric in every if metric is not None]

    def add(self, pixels: Tensor, boundary: Tensor | None, names: list[str]) -> None:
        """Add the counts of N images, ``(N, C + 1, C + 1)``."""
        self.scores.update(pixels, None)
        self.images.update(pixels, None, ids=names)
        self.classes.update(pixels, None)
        if self.interval is not None:
            self.interval.update(pixels, None, ids=names)
        if self.boundary is not None:
            self.boundary.update(boundary, None)

    def result(self) -> Result:
        """The scores of all images."""
        ids, values, per_class = self.images.images()
        order = sorted(range(len(ids)), key=lambda place: str(ids[place]))
        images = ImageScores([ids[place] for place in order], values[order], per_class[order])
        scores = self.scores.compute() | {metric.key: metric.compute() for metric in (self.images, self.classes)}
        drawn: dict[str, Interval] = {} if self.interval is None else self.interval.compute()
        rule = None if self.interval is None else interval_rule(self.interval)
        boundary = None
        if self.boundary is not None:
            areas = self.boundary.areas(self.boundary.counts)
            boundary = self.boundary.score.per_class(areas, self.boundary.averaging), self.boundary.compute()
        return Result(self.scores, self.scores.confmat.clone(), scores, drawn, rule, images, self.iou, boundary)


class Tally:
    """The metrics of one model, or of two and their differences."""

    def __init__(self, scoring: Scoring, models: int) -> None:
        self.models = [ModelTally(scoring) for _ in range(models)]
        self.paired = PairedComparison(self.models[0].scores) if models == 2 else None
        self.total = torch.zeros_like(self.models[0].scores.confmat)  # of the first model, at any time
        self._waiting: list[tuple[str, Counts]] = []

    @property
    def metrics(self) -> list[Any]:
        """All that have a state."""
        return [m for model in self.models for m in model.metrics] + ([] if self.paired is None else [self.paired])

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
        for place, model in enumerate(self.models):
            pixels = _stacked([counts.pixels[place] for counts in waiting], model.scores.confmat)
            boundary = None
            if model.boundary is not None:
                found = [counts.boundary[place] for counts in waiting if counts.boundary is not None]
                boundary = _stacked(found, model.boundary.counts)
            model.add(pixels, boundary, names)
        if self.paired is not None:
            a, b = (_stacked([counts.pixels[place] for counts in waiting], self.total) for place in range(2))
            self.paired.update(a, b, None, ids=names)
        self._waiting.clear()

    def results(self) -> list[Result]:
        """The scores of each model."""
        return [model.result() for model in self.models]

    def differences(self) -> dict[str, Comparison]:
        """Those of the second model to the first by score; none where there is one model."""
        found: dict[str, Comparison] = {} if self.paired is None else self.paired.compute()
        return found


def _stacked(counts: list[Tensor], like: Tensor) -> Tensor:
    """Counts of N images as one tensor, where there are none too."""
    return torch.stack(counts) if counts else like.new_zeros((0, *like.shape))
