"""Scores of pixels near boundaries: the same counts, with the interior of every region as a label of its own."""

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import flag, number_in, positive
from segiou.counting import Counted, Rules
from segiou.counting.boundary_bands import Marking
from segiou.counting.inputs import Batch, batches
from segiou.counting.kernels import mark, run
from segiou.counting.torch_compile import uncompiled
from segiou.counting.upsample import image_by_image
from segiou.labels.class_names import Classes, NumClasses
from segiou.metrics.arguments import ScoreMetricArguments
from segiou.metrics.score_metric import ScoreMetric
from segiou.scoring import formulas
from segiou.scoring.averaging import Score
from segiou.scoring.formulas import Areas, areas_of


@dataclass(frozen=True)
class Band:
    """Which pixels are near a boundary.

    Args:
        ratio: the distance as a share of the image's diagonal, for ``pixels=None``.
        pixels: the distance.
        border: whether the border of the image is a boundary.
    """

    ratio: float
    pixels: int | None
    border: bool

    @classmethod
    def of(cls, ratio: float, pixels: int | None, border: bool) -> "Band":
        """Check the arguments. Raises ValueError or TypeError."""
        share = number_in("ratio", ratio, "a share of the diagonal between 0 and 1", 0, 1)
        if pixels is None:
            return cls(share, None, flag("border", border))
        distance = positive("pixels", pixels, ", or None for ratio")
        return cls(share, distance, flag("border", border))

    def distance(self, *size: int) -> int:
        """Pixels in an image of a size: ``pixels``, or ``ratio`` of the diagonal, rounded and at least 1."""
        return self.pixels or max(1, round(self.ratio * math.hypot(*size)))

    @property
    def identity(self) -> str:
        """A name, also a part of a Python identifier, that is equal exactly where bands are."""
        reach = f"{self.ratio!r}" if self.pixels is None else f"{self.pixels}px"
        return f"{reach}{'' if self.border else '_open'}".replace("-", "m").replace("+", "").replace(".", "p")


class BandMetric(ScoreMetric):
    """IoU of what is near a boundary; a subclass says how a batch of whole images is counted, each by itself."""

    __jit_ignored_attributes__ = [*ScoreMetric.__jit_ignored_attributes__, "band"]  # noqa: RUF012
    own_confmat = True

    def __init__(
        self,
        num_classes: NumClasses,
        *,
        ratio: float,
        pixels: int | None,
        border: bool,
        **kwargs: Unpack[ScoreMetricArguments],
    ) -> None:
        self.band = Band.of(ratio, pixels, border)  # the states are named by it
        super().__init__(num_classes, **kwargs)

    def class_scores(self) -> tuple[Mapping[str, Score], Sequence[Score]]:
        """The metric's own score alone, as the pixels near boundaries are no whole classes."""
        return {self.key: self.score}, ()

    @abstractmethod
    def count_images(self, batch: Batch, distance: int) -> Tensor:
        """One matrix for each image, or for each label of each image."""

    @uncompiled
    @torch.no_grad()
    def counted(self, preds: Any, target: Any, per_image: bool = False) -> Counted:
        """The counts of a batch, or with ``per_image`` one of each image on a new first axis, and the errors.

        Labels and scores are checked by counting them as they are.
        """
        plain = super().counted(preds, target)
        shape = tuple(self.confmat.shape)
        found = [torch.zeros((0, *shape), dtype=torch.int64, device=plain.counts.device)]
        for kind, values, labels in batches(preds, target, self.rules):
            self._require_axes(labels)
            if self.rules.num_labels is not None:
                values, labels = values.flatten(0, 1), labels.flatten(0, 1)
            counts = self.count_images(Batch(kind, values, labels), self.band.distance(*labels.shape[1:]))
            counts = counts.view(-1, *shape)
            found.append(counts if per_image else counts.sum(0, keepdim=True))
        counts = torch.cat(found)
        return Counted(counts if per_image else counts.sum(0), plain.errors)

    def _require_axes(self, target: Tensor) -> None:
        spatial = target.ndim - (1 if self.rules.num_labels is None else 2)
        if spatial < 1:
            raise ValueError(
                f"{type(self).__name__} needs images with at least one spatial axis, "
                f"got target of shape {tuple(target.shape)}"
            )

    def argument(self, name: str) -> Any:
        """The value of an argument that the metric was made with."""
        return getattr(self.band, name) if hasattr(self.band, name) else super().argument(name)

    def given_arguments(self) -> dict[str, Any]:
        """The arguments that are not the default; and the distance and the border, whose defaults differ."""
        distance = "ratio" if self.band.pixels is None else "pixels"
        given = {name: value for name, value in super().given_arguments().items() if not hasattr(self.band, name)}
        return {**given, distance: getattr(self.band, distance), "border": self.band.border}

    def state_text_of_its_own(self) -> list[str]:
        """See ``ConfusionMatrixMetric.state_text``."""
        pixels = f"ratio={self.band.ratio}" if self.band.pixels is None else f"pixels={self.band.pixels}"
        return [pixels, f"border={self.band.border}"]


class BoundaryIoU(BandMetric):
    """Mean IoU of the pixels near the contours: of G_d with P_d, from the counts of the whole data set.

    G_d are the pixels of a class that are at most ``distance`` from the contour of the class in the target,
    P_d likewise in the prediction: what erosion, ``distance`` times with a 3x3 neighbourhood, takes away from the
    mask of the class. Small objects and thin parts thus weigh more than in IoU. An ignored pixel is of no class in
    the target, so that a class ends at it, and what is predicted there is not counted. The contours of the
    prediction do not depend on the target. Groups are merged first: what parts two classes of a group is no contour.

    Images may have any number of spatial axes from 1 on.

    Args:
        ratio: the distance as a share of each image's diagonal, rounded to pixels and at least 1. 0.02 is the
            paper's, 0.005 is usual for Cityscapes.
        pixels: the distance in pixels, in place of ``ratio``.
        border: whether the border of the image is a contour, as in the reference code.

    Raises:
        ValueError: a distance out of range, groups that share a class, and what that raises.
        TypeError: an argument of another type.

    ``confmat`` has ``(C + 2, C + 2)`` counts, for multilabel ``(L, 4, 4)``: the classes, interior, ignored or void.
    With G groups these, and the classes that are in none, take the place of classes: ``(G + 3, G + 3)``.

    Source: Cheng et al. 2021, "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", arXiv 2103.16562.

    >>> import torch
    >>> from segiou import BoundaryIoU
    >>> target = torch.zeros(1, 7, 7, dtype=torch.int64)
    >>> target[:, 1:6, 1:6] = 1
    >>> preds = torch.zeros_like(target)
    >>> preds[:, 1:6, 1:5] = 1
    >>> BoundaryIoU(num_classes=2, pixels=1, average="none")(preds, target)
    tensor([0.8276, 0.5789])
    """

    score = Score("BoundaryIoU", formulas.iou)

    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        ratio: float = 0.02,
        pixels: int | None = None,
        border: bool = True,
        **kwargs: Unpack[ScoreMetricArguments],
    ) -> None:
        super().__init__(num_classes, ratio=ratio, pixels=pixels, border=border, **kwargs)

    def counts_state(self, rules: Rules, classes: Classes) -> tuple[str, tuple[int, ...]]:
        """See ``segiou.metrics.ConfusionMatrixMetric.counts_state``."""
        classes.require_disjoint(type(self).__name__)
        groups = "".join("_of" + "x".join(map(str, ids)) for ids in classes.members)
        size = _labels(rules, classes) + 2
        shape = (size, size) if rules.num_labels is None else (rules.num_labels, size, size)
        return f"boundary_{rules.identity}{groups}_within_{self.band.identity}", shape

    def count_images(self, batch: Batch, distance: int) -> Tensor:
        """Interior pixels of both maps have a label of their own, next to the classes."""
        rules = replace(self.rules, num_classes=_labels(self.rules, self.classes) + 1, num_labels=None, ignore_index=())
        preds, target = self._marking(()), self._marking(self.rules.ignore_index)

        def count(item: Batch) -> Counted:
            values = mark(item.kind, item.preds, self.rules.bound(item.preds.dtype), preds, distance)
            return run(Batch("labels", values, mark("labels", item.target, 0.0, target, distance)), rules, True)

        kind, values, labels = batch
        if values.shape[2 if kind == "scores" else 1 :] == labels.shape[1:]:
            return count(batch).counts
        return image_by_image(lambda item: Counted(*(part.squeeze(0) for part in count(item))), batch, rules, True)[0]

    def _marking(self, ignore: tuple[int, ...]) -> Marking:
        labels, becomes = _labels(self.rules, self.classes), list(range(self.rules.num_classes))
        if self.classes.groups is not None:
            group_of = {c: group for group, ids in enumerate(self.classes.members) for c in ids}
            becomes = [group_of.get(c, labels - 1) for c in becomes]
        return Marking.of([labels if c in ignore else b for c, b in enumerate(becomes)], labels, self.band.border)

    def areas(self, counts: Tensor) -> Areas:
        """The areas that are scored: those of the bands. What is interior on the other side counts in them too."""
        scored = len(self.classes.groups or range(self.rules.num_classes))
        return areas_of(counts).map(lambda area: area[..., :scored])


class TrimapIoU(BandMetric):
    """Mean IoU of the pixels near a change of label in the target; all others are ignored.

    An ignored pixel is another label than any class: the pixels around it are near a change. With ``groups`` the
    changes are still those between classes.

    Images may have any number of spatial axes from 1 on.

    Args:
        ratio: the distance as a share of each image's diagonal, rounded to pixels and at least 1.
        pixels: the distance in pixels, in place of ``ratio``.
        border: whether the border of the image is a change of label.

    Raises:
        ValueError: a distance out of range, and what that raises.
        TypeError: an argument of another type.

    Source: Kohli, Ladicky, Torr 2009, "Robust Higher Order Potentials for Enforcing Label Consistency", who count the
    errors in such a band.

    >>> import torch
    >>> from segiou import TrimapIoU
    >>> target = torch.tensor([[0, 0, 0, 0, 1, 1, 1, 1]])
    >>> TrimapIoU(num_classes=2, pixels=2)(torch.tensor([[1, 0, 0, 1, 1, 1, 1, 0]]), target)
    tensor(0.5833)
    """

    score = Score("TrimapIoU", formulas.iou)

    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        ratio: float = 0.02,
        pixels: int | None = None,
        border: bool = False,
        **kwargs: Unpack[ScoreMetricArguments],
    ) -> None:
        super().__init__(num_classes, ratio=ratio, pixels=pixels, border=border, **kwargs)

    def counts_state(self, rules: Rules, classes: Classes) -> tuple[str, tuple[int, ...]]:
        """See ``segiou.metrics.ConfusionMatrixMetric.counts_state``."""
        return f"trimap_{rules.identity}_within_{self.band.identity}", rules.shape

    def count_images(self, batch: Batch, distance: int) -> Tensor:
        """Interior pixels of the target are outside the classes, as ignored ones are."""
        classes = self.rules.num_classes
        becomes = [classes if c in self.rules.ignore_index else c for c in range(classes)]
        marking = Marking.of(becomes, classes, self.band.border)
        rules = replace(self.rules, ignore_index=())
        kind, preds, target = batch
        return run(Batch(kind, preds, mark("labels", target, 0.0, marking, distance)), rules, True).counts


def _labels(rules: Rules, classes: Classes) -> int:
    """How many have bands of their own: the classes, or the groups and what is in none of them."""
    return rules.num_classes if classes.groups is None else len(classes.groups) + 1
