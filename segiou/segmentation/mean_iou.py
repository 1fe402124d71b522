"""Mean intersection over union of single images, with the arguments of torchmetrics.segmentation.MeanIoU."""

from typing import Any

import torch
from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import flag
from segiou.metrics.arguments import TorchmetricsArguments
from segiou.metrics.image_means import means_of, sums_of
from segiou.scoring import formulas
from segiou.scoring.formulas import Areas, floating
from segiou.segmentation.inputs import ImageAreas, InputFormat, Masks
from segiou.segmentation.twin import SegmentationTwin


class MeanIoU(SegmentationTwin):
    """Mean IoU over all pairs of an image and a class that has a pixel in the image, target or prediction.

    With the arguments, their order and the results of ``torchmetrics.segmentation.MeanIoU``, with these differences: a
    class that is in no image is nan with ``per_class``, -1 there; sums are exact, of float32 there; a label outside the
    classes, one-hot maps of other values than 0 and 1, and scores of a single channel raise. ``segiou.MeanIoU`` is the
    IoU of the whole data set, ``segiou.ImagewiseIoU`` averages each image first.

    Args:
        num_classes: C; with ``input_format="index"`` it must be given, else None takes the channels.
        include_background: whether class 0 is scored.
        per_class: the mean over images of each class, in place of one value.
        input_format: "one-hot", both ``(N, C, ...)``: maps of 0 and 1, or floating scores, of which the largest
            counts; "index", both labels ``(N, ...)``, where ``(N, L)`` and ``(L,)`` are a single image; "mixed", one of
            each.

    Raises:
        ValueError: an argument outside its choices or range.
        TypeError: an argument of another type.

    >>> import torch
    >>> from segiou.segmentation import MeanIoU
    >>> preds, target = torch.tensor([[[0, 1, 1]], [[1, 1, 1]]]), torch.tensor([[[0, 1, 0]], [[1, 1, 1]]])
    >>> MeanIoU(num_classes=3, input_format="index")(preds, target)
    tensor(0.6667)
    >>> MeanIoU(num_classes=3, input_format="index", per_class=True)(preds, target)
    tensor([0.5000, 0.7500,    nan])
    """

    def __init__(
        self,
        num_classes: int | None = None,
        include_background: bool = True,
        per_class: bool = False,
        input_format: InputFormat = "one-hot",
        **kwargs: Unpack[TorchmetricsArguments],
    ) -> None:
        masks = Masks(num_classes, include_background, input_format)
        self.per_class = flag("per_class", per_class)
        self._found: int | None = None  # the channels of a batch, where num_classes does not say it
        super().__init__(masks, "iou_classes" if per_class else "iou", max(1, len(masks.scored)), **kwargs)

    def add_sums(self, width: int) -> None:
        """As the base; where the classes are not known, one sum of all pairs, or rows of (class, sum, images)."""
        if self.per_class and self.masks.num_classes is None:
            self.add_rows(self._name, (3,), torch.int64)  # a process that sees no batch knows no number of classes
        else:
            super().add_sums(width)

    def batch_states(self, preds: Any, target: Any) -> dict[str, Any]:
        """The sums of one batch, and its errors."""
        return super().batch_states(*as_images(self.masks, preds, target))

    def summed(self, areas: Areas) -> Any:
        """Sums over images for each class, or where the classes are not known over all pairs."""
        scores = self.scores(areas)
        if self.masks.num_classes is not None:
            return sums_of(scores)
        if not self.per_class:
            return sums_of(scores.reshape(-1, 1))
        if self._found not in (None, scores.shape[1]):
            raise ValueError(
                f"every batch must have as many classes, got {scores.shape[1]} scored classes after {self._found}: "
                "call reset() first, or pass num_classes"
            )
        self._found = scores.shape[1]
        sums = sums_of(scores)
        return [torch.stack([torch.arange(sums.shape[1], device=sums.device), *sums], 1)]

    def scores(self, areas: Areas) -> Tensor:
        """The IoU of each class in each image, ``(N, K)``."""
        return formulas.iou(floating(areas))

    def value(self) -> Tensor:
        """The mean over all pairs, or over the images of each class."""
        if not self.per_class:
            return means_of(getattr(self, self._name).cpu().double().sum(1, keepdim=True))[0]
        if self._name not in self._rows:
            return super().value()
        rows = self._stacked(self._name)
        sums = torch.zeros(2, int(rows[:, 0].max()) + 1 if len(rows) else 0, dtype=torch.int64, device=rows.device)
        return means_of(sums.index_add_(1, rows[:, 0], rows[:, 1:].T))

    def reset(self) -> None:
        """Forget all batches, and how many classes they had."""
        super().reset()
        self._found = None


def as_images(masks: Masks, preds: Any, target: Any) -> tuple[Any, Any]:
    """Labels of one axis or two are a single image, as torchmetrics' MeanIoU has it."""
    if masks.input_format != "index" or not all(hasattr(labels, "ndim") for labels in (preds, target)):
        return preds, target
    return tuple(labels.reshape(1, *labels.shape) if 0 < labels.ndim < 3 else labels for labels in (preds, target))


def iou_of_images(found: ImageAreas, per_class: bool) -> Tensor:
    """The IoU of each image, float64 ``(N,)``, or of each class in each, ``(N, K)``; nan where there is none."""
    scores = formulas.iou(floating(found.areas))
    return scores if per_class else scores.nanmean(-1)
