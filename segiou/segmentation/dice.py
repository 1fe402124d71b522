"""Dice of single images or of all, with the arguments of torchmetrics.segmentation.DiceScore."""

from typing import Any, Literal, get_args

import torch
from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import positive
from segiou.metrics.arguments import TorchmetricsArguments
from segiou.scoring import formulas
from segiou.scoring.averaging import Average
from segiou.scoring.formulas import Areas, floating
from segiou.segmentation.inputs import InputFormat, Masks
from segiou.segmentation.twin import SegmentationTwin

AggregationLevel = Literal["samplewise", "global"]


class DiceScore(SegmentationTwin):
    """Dice, the mean over images, or of the areas of all images together.

    With the arguments, their order and the results of ``torchmetrics.segmentation.DiceScore``, with these differences:
    the state does not grow with the number of images; areas are exact beyond 2^24 pixels and means in float64;
    ``average="micro"`` gives no warning; a label outside the classes, one-hot maps of other values than 0 and 1, and
    scores of a single channel raise. ``segiou.Dice`` and ``segiou.ImagewiseDice`` also leave pixels out.

    Args:
        num_classes: C.
        include_background: whether class 0 is scored.
        average: "macro", the mean over the classes that are in target or prediction; "micro", of their summed areas;
            "weighted", by their target pixels, and 0 for false alarms in an image without any; "none" or None, a score
            for each class.
        aggregation_level: "samplewise", the mean over images; "global", of all images as one.
        input_format: as in ``segiou.segmentation.MeanIoU``; labels ``(N, L)`` are N images.

    Raises:
        ValueError: an argument outside its choices or range.
        TypeError: an argument of another type.

    >>> import torch
    >>> from segiou.segmentation import DiceScore
    >>> preds, target = torch.tensor([[0, 1, 1], [1, 1, 1]]), torch.tensor([[0, 1, 0], [1, 1, 1]])
    >>> DiceScore(num_classes=2, input_format="index")(preds, target)
    tensor(0.8333)
    >>> DiceScore(num_classes=2, average="none", aggregation_level="global", input_format="index")(preds, target)
    tensor([0.6667, 0.8889])
    """

    def __init__(
        self,
        num_classes: int,
        include_background: bool = True,
        average: Average | None = "macro",
        aggregation_level: AggregationLevel = "samplewise",
        input_format: InputFormat = "one-hot",
        **kwargs: Unpack[TorchmetricsArguments],
    ) -> None:
        self.average = checked_average(average)
        self.aggregation_level = checked_level(aggregation_level)
        masks = Masks(positive("num_classes", num_classes), include_background, input_format)
        self._all = aggregation_level == "global"
        name = "areas" if self._all else f"dice_{self.average}"
        super().__init__(masks, name, len(masks.scored) if self._all or self.average == "none" else 1, **kwargs)

    def add_sums(self, width: int) -> None:
        """Add the state: the three areas of all images, or sums of the scores of images."""
        if self._all:
            self.add_state(self._name, torch.zeros(3, width, dtype=torch.int64), "sum")
        else:
            super().add_sums(width)

    def summed(self, areas: Areas) -> Tensor:
        """The areas of all images of a batch, or sums of their scores."""
        return torch.stack(areas).sum(1) if self._all else super().summed(areas)

    def scores(self, areas: Areas) -> Tensor:
        """The score of each image, ``(N, 1)``, or of each class in it, ``(N, K)``."""
        found = dice_of_images(areas, self.average)
        return found if self.average == "none" else found[:, None]

    def value(self) -> Tensor:
        """The score of all images, or the mean over images."""
        if self._all:
            return dice_of_images(Areas(*getattr(self, self._name).unsqueeze(1)), self.average)[0]
        means = super().value()
        return means if self.average == "none" else means[0]


def checked_average(average: Any) -> Average:
    """The average, "none" for None. Raises ValueError for another."""
    found: Average = "none" if average is None else average
    if found not in get_args(Average):
        raise ValueError(f'average must be "macro", "micro", "weighted", "none" or None, got {average!r}')
    return found


def checked_level(level: Any) -> AggregationLevel:
    """The aggregation level. Raises ValueError for another."""
    if level not in get_args(AggregationLevel):
        raise ValueError(f'aggregation_level must be "samplewise" or "global", got {level!r}')
    found: AggregationLevel = level
    return found


def dice_of_images(areas: Areas, average: Average) -> Tensor:
    """Dice of areas ``(N, K)``: float64 ``(N,)``, or ``(N, K)`` for "none"; nan where no class has a pixel."""
    areas = floating(areas)
    if average == "micro":
        return formulas.dice(areas.map(lambda area: area.sum(-1)))
    scores = formulas.dice(areas)
    if average == "none":
        return scores
    if average == "macro":
        return scores.nanmean(-1)
    total = areas.target.sum(-1)
    weighted = (scores.nan_to_num() * areas.target).sum(-1) / total.clamp(min=1)
    return weighted.masked_fill(scores.isnan().all(-1), torch.nan)
