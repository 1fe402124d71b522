"""Averages over images: each image is scored alone, and the scores are averaged.

Source: Wang et al. 2023, "Revisiting Evaluation Metrics for Semantic Segmentation: Optimization and Evaluation
of Fine-grained Intersection over Union" (arXiv 2310.19252), sections 3.2 and 3.3.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import flag, number_in
from segiou.counting.torch_compile import uncompiled
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import ImagewiseArguments, TorchmetricsArguments, parted
from segiou.metrics.drawing import one_score, results_over_time
from segiou.metrics.given_counts import GivenCounts
from segiou.metrics.image_means import ImageScores, means_of, sums_of, worst_of
from segiou.metrics.per_image import (
    Ids,
    PerImageMetric,
    areas_from,
    decoded,
    encoded,
    first_of_each_id,
)
from segiou.metrics.score_metric import ScoreMetric
from segiou.metrics.scores import Dice, MeanIoU
from segiou.metrics.syncing import synced_as_computed
from segiou.scoring.averaging import AbsentIf
from segiou.scoring.class_scores import Column, Number
from segiou.scoring.class_table import ClassTable

Over = Literal["images", "classes"]


class Imagewise(PerImageMetric[Tensor]):
    """A score of each image, averaged over images, or for each class over the images that have it.

    Args:
        metric: the score; where a class counts as absent from an image, and what that means, is its
            ``absent_if`` and ``absent``. With ``average="none"`` the value is the mean over images of each class.
        over: "images", the mean over images of the score of an image (mIoU^I); "classes", the mean over
            classes of the mean over the images where the class is present (mIoU^C).
        worst: average the worst q percent of the images only, of each class alone where ``over="classes"``:
            the first ``max(1, int(q * n / 100))`` of n.
        keep_images: keep the areas of every image. Then ``update`` takes ids, an image whose id was seen
            before is not counted again, and ``images()`` gives the scores of all. ``worst`` needs it, and sets it.

    Without ``keep_images`` the state is a sum, and its sync one all-reduce; with it rows are gathered.

    Raises:
        TypeError, ValueError: arguments outside their choices.

    >>> import torch
    >>> from segiou import Imagewise, Precision
    >>> metric = Imagewise(Precision(num_classes=2), keep_images=True)
    >>> preds, target = torch.tensor([[0, 1, 1], [1, 1, 1]]), torch.tensor([[0, 1, 0], [1, 1, 1]])
    >>> metric.update(preds, target, ids=["a.png", "b.png"])
    >>> metric.compute()
    tensor(0.8750)
    >>> metric.images().worst(1)
    [('a.png', 0.75)]
    """

    sums: Tensor

    def __init__(
        self,
        metric: ScoreMetric,
        *,
        over: Over = "images",
        worst: float | None = None,
        keep_images: bool = False,
        **kwargs: Unpack[TorchmetricsArguments],
    ) -> None:
        if not isinstance(metric, ScoreMetric):
            raise TypeError(f"{type(self).__name__} takes a metric of one score, such as MeanIoU(21), got {metric!r}")
        super().__init__(metric, **kwargs)
        self.score = metric.score
        if over not in get_args(Over):
            raise ValueError(f'over must be "images" or "classes", got {over!r}')
        if over == "classes" and (metric.score.of_matrix or metric.averaging.average not in (None, "macro", "none")):
            raise ValueError(f'over="classes" takes the mean of the scores of classes, which {metric} does not have')
        self.over = over
        self.worst = worst if worst is None else number_in("worst", worst, "a percentage between 0 and 100", 0, 100)
        self.keep_images = flag("keep_images", keep_images) or worst is not None
        self._single = metric.score.of_matrix or (over == "images" and metric.averaging.average != "none")
        if self.keep_images:
            self._areas_name = f"areas_{self.identity}"
            self.add_rows(self._areas_name, self.area_shape, torch.int64)
            self.add_rows("ids", (), torch.uint8)
        else:
            width = 1 if self._single else len(metric.classes.scored)
            self._sums_name = f"sums_{'single' if self._single else 'classes'}_{self.identity}"
            self.add_state(self._sums_name, torch.zeros(2, width, dtype=torch.int64), "sum")

    @property
    def takes_ids(self) -> bool:
        """Whether ``update`` takes ids."""
        return self.keep_images

    @property
    def key(self) -> str:
        """The name in logs, such as "mIoU_I", "mIoU_C" or "mIoU_C5" for the worst 5 percent."""
        worst = "" if self.worst is None else f"{self.worst:g}"
        return f"{self.score.key}_{'I' if self.over == 'images' else 'C'}{worst}"

    def update(self, preds: Any, target: Any, ids: Ids | None = None) -> None:
        """Count one batch of N images.

        Args:
            preds: as ``MeanIoU.update`` takes them.
            target: likewise.
            ids: an int or str for each image; needs ``keep_images=True``.

        Raises:
            ValueError: input that does not fit, a wrong number of ids, ids that would not be kept.
            TypeError: ids that are no ints or strings.
        """
        super().update(preds, target, ids)

    def update_confmat(self, confmat: Any, ids: Ids | None = None) -> None:
        """Add the confusion matrices of N images that were counted elsewhere.

        Args:
            confmat: as ``MeanIoU.update_confmat`` takes it, one for each image: ``(N, C, C)``.
            ids: as in ``update``.

        Raises:
            ValueError: another shape, a negative number, a wrong number of ids.
            TypeError: numbers that are no integers.
        """
        self.update(GivenCounts(confmat), None, ids)

    def batch_states(self, preds: Any, target: Any, ids: Ids | None = None) -> dict[str, Any]:
        """The sums of one batch, or its rows."""
        if ids is not None and not self.keep_images:
            raise ValueError(f"ids are for {type(self).__name__}(..., keep_images=True), which keeps every image")
        areas, errors = self.areas_of_images(preds, target)
        if not self.keep_images:
            return {self._sums_name: sums_of(self._scores(areas, self._single)), "errors": errors}
        lines = torch.tensor(bytearray(encoded(ids, len(areas))), dtype=torch.uint8, device=areas.device)
        return {self._areas_name: [areas], "ids": [lines], "errors": errors}

    def _scores(self, areas: Tensor, single: bool) -> Tensor:
        """What is averaged over images, float64: of each image ``(N, 1)``, or of its classes ``(N, C)``."""
        how, score = self.metric.averaging, self.score
        each = areas_from(areas, 1)
        return score.unrounded(each, how)[:, None] if single else score.each(each, how)

    def _means(self, single: bool) -> tuple[Tensor, Tensor]:
        """Means over images, float64 ``(1,)`` or ``(C,)``, and how many images have a score."""
        if not self.keep_images:
            sums = getattr(self, self._sums_name)
            return means_of(sums), sums[1]
        scores = self._scores(self._seen()[1], single)
        sums = sums_of(scores)
        return (means_of(sums) if self.worst is None else worst_of(scores, self.worst)), sums[1]

    def _over_classes(self, means: Tensor) -> Tensor:
        """The mean over the classes that are averaged, float32."""
        left_out = self.score.left_out(self.metric.averaging)
        return means[[c for c in range(len(means)) if c not in left_out]].nanmean().float()

    @uncompiled
    def compute(self) -> Tensor:
        """The average over all images and processes: float32, a scalar or ``(C,)``; nan where there is none."""
        self.metric.check(self.errors)
        means, _ = self._means(self._single)
        if self._single:
            return means[0].float()
        return means.float() if self.metric.averaging.average == "none" else self._over_classes(means)

    @uncompiled
    def table(self, *, percent: bool = False, digits: int | None = None) -> ClassTable:
        """The score of each class as a mean over the images that have it, and the mean of these over classes.

        With ``over="images"`` the mean over images stands below the table. See ``MeanIoU.table`` for the arguments.

        Raises:
            ValueError: there are no scores of classes: with ``over="images"`` they need ``keep_images=True``, and
                scores such as PixelAccuracy have none.
        """
        if self.score.of_matrix or (self._single and not self.keep_images):
            remedy = "no class has one" if self.score.of_matrix else 'pass keep_images=True, or over="classes"'
            raise ValueError(f"table() needs the score of each class, and {self.key} is a mean of images: {remedy}")
        with synced_as_computed(self):
            self.metric.check(self.errors)
            means, images = self._means(False)
            scores = {self.key: Number(float(self._means(True)[0].float()))} if self._single else {}
        table = ClassTable(
            self.metric.classes.scored,
            {},
            {"images": tuple(images.tolist())},
            scores=scores,
            left_out=self.score.left_out(self.metric.averaging),
            kind=self.metric.scored_kind,
            percent=percent,
            digits=digits,
        )
        worst = "" if self.worst is None else f"{self.worst:g}"
        column = Column.of(means.float().tolist(), float(self._over_classes(means)))
        return table.with_column(f"{self.score.key}_C{worst}", column)

    @uncompiled
    def images(self) -> ImageScores:
        """The scores of all images, of all processes; needs ``keep_images=True``.

        Raises:
            ValueError: the images were not kept.
        """
        if not self.keep_images:
            raise ValueError(f"images() is for {type(self).__name__}(..., keep_images=True), which keeps every image")
        with synced_as_computed(self):
            self.metric.check(self.errors)
            ids, rows = self._seen()
        areas, how, score = areas_from(rows, 1), self.metric.averaging, self.score
        values = score(areas, replace(how, average="macro") if how.average == "none" else how)
        return ImageScores(ids, values, values[:, None] if score.of_matrix else score.per_class(areas, how))

    def plot(self, val: Any = None, ax: Any = None) -> Any:
        """Plot the scores of the images that were kept as a histogram; else the value as ``MeanIoU.plot`` does."""
        if val is None and self.keep_images and self._single:
            from segiou.plots import histogram

            return histogram(self.images().values.tolist(), self.key, float(self.compute()), ax)
        value = self.compute() if val is None else val
        if isinstance(value, Sequence):
            return results_over_time(value, self.key, self.metric.classes.scored, ax)
        return self.metric.plot(value, ax) if value.ndim else one_score(value, self.key, ax)

    def _seen(self) -> tuple[list[int | str | None], Tensor]:
        """The ids and areas of all images, of each id the first."""
        return first_of_each_id(decoded(self._stacked("ids")), self._stacked(self._areas_name))


class ImagewiseIoU(Imagewise):
    """IoU averaged over images: mIoU^I, or mIoU^C with ``over="classes"``.

    A class is active in an image if the target has it. A false alarm of another class is then a miss of the classes
    that are there, and counts as that. Where the target of an image has no class that is averaged (each of its classes
    is excluded or ignored, or in no group), a false alarm would count nowhere: in such an image every class that is
    predicted is active, with IoU 0. So are the positive class of a binary task and the labels of a multilabel one.

    Args:
        num_classes: the number of classes, or a label set.
        over: see ``Imagewise``.
        worst: see ``Imagewise``.
        keep_images: see ``Imagewise``.
        absent_if: "target", or "union", which takes a class that is only predicted for present, with IoU 0; None
            is the rule above, which is also "target_unless_empty".

    >>> import torch
    >>> from segiou import ImagewiseIoU
    >>> preds, target = torch.tensor([[0, 1, 1], [1, 1, 1]]), torch.tensor([[0, 1, 0], [1, 1, 1]])
    >>> ImagewiseIoU(num_classes=2)(preds, target), ImagewiseIoU(num_classes=2, over="classes")(preds, target)
    (tensor(0.7500), tensor(0.6250))
    """

    scores: type[ScoreMetric] = MeanIoU

    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        over: Over = "images",
        worst: float | None = None,
        keep_images: bool = False,
        absent_if: AbsentIf | None = None,
        **kwargs: Unpack[ImagewiseArguments],
    ) -> None:
        own, shared = parted(kwargs)
        metric = self.scores(num_classes, absent_if=absent_if or "target", **shared)
        if absent_if is None and (
            metric.rules.task != "multiclass" or metric.averaging.exclude or metric.classes.groups
        ):
            rule: AbsentIf = "target_unless_empty" if metric.rules.task == "multiclass" else "union"
            metric = self.scores(num_classes, absent_if=rule, **shared)
        super().__init__(metric, over=over, worst=worst, keep_images=keep_images, **own)
        self.absent_if = absent_if


class ImagewiseDice(ImagewiseIoU):
    """Dice averaged over images, or with ``over="classes"`` per class first; see ``ImagewiseIoU``.

    >>> import torch
    >>> from segiou import ImagewiseDice
    >>> preds, target = torch.tensor([[0, 1, 1], [1, 1, 1]]), torch.tensor([[0, 1, 0], [1, 1, 1]])
    >>> ImagewiseDice(num_classes=2)(preds, target)
    tensor(0.8333)
    """

    scores = Dice
