"""Images to look at: the worst of an epoch or the first, small, kept where they are until the epoch ends.

What is kept is bounded: a few images, reduced and of as many rows and columns, so that they are selected on the device
itself. No batch is waited for.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributed import all_gather_object, get_world_size, is_available, is_initialized
from torch.nn.functional import pad

from segiou.counting.inputs import Batch, batches
from segiou.counting.predicted import predicted
from segiou.lightning.batch_photos import TakenPhotos, no_photos
from segiou.lightning.photo_layout import middle_slice
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.scores import MeanIoU
from segiou.scoring.averaging import Averaging

SIDE = 320  # pixels of the longer side of what is kept
Choice = Literal["worst", "first"]


class Sample(NamedTuple):
    """One image, reduced.

    ``score``: its mIoU, nan where it has none. ``photo``: uint8 ``(h, w, 3)``, or None. ``prediction``, ``label``:
    class ids and ignored values, int64 ``(h, w)``.
    """

    score: float
    photo: Any
    prediction: Any
    label: Any


class Samples:
    """A few images of one epoch and one loader.

    Args:
        metric: says what is counted; its own counts are not touched.
        number: how many images are kept.
        choice: "worst", those with the lowest mIoU, or "first".
        averaging: of the mIoU of one image; None is that of the metric.
    """

    def __init__(
        self, metric: ConfusionMatrixMetric, number: int, choice: Choice, averaging: Averaging | None = None
    ) -> None:
        self.metric, self.number, self.choice = metric, number, choice
        how = averaging or metric.averaging
        self.averaging = replace(how, average=None) if how.average == "none" else how  # one value for an image
        self._kept: tuple[Tensor, ...] | None = None

    @torch.no_grad()
    def update(self, preds: Any, target: Any, photos: TakenPhotos | None = None) -> None:
        """Keep what is to be kept of a batch, whose input is as ``MeanIoU.update`` takes it; waits for no device.

        Args:
            preds: scores or labels.
            target: labels ``(N, H, W)``, or of volumes ``(N, D, H, W)``, of which the middle slice across the shortest
                axis is kept with the score of the whole.
            photos: those of the images that were predicted; None where there are none.

        Raises:
            ValueError: labels of another number of axes, which are no images.
        """
        start = 0
        for batch in batches(preds, target, self.metric.rules):
            number = len(batch.target)
            shown = None if photos is None else photos.part(start, number)
            start += number
            if batch.target.ndim not in (3, 4):
                raise ValueError(
                    "target must be label maps (N, H, W), or volumes (N, D, H, W), to be shown, got shape "
                    f"{tuple(batch.target.shape)}"
                )
            if batch.target.numel():
                self._keep(batch, shown)

    def _keep(self, batch: Batch, photos: TakenPhotos | None) -> None:
        if self.choice == "first" and self._kept is not None and len(self._kept[0]) == self.number:
            return
        counts = self.metric.counted(batch.preds, batch.target, per_image=True).counts
        scores = MeanIoU.score(self.metric.areas(counts), self.averaging).float()
        order = _lowest(scores, self.number) if self.choice == "worst" else torch.arange(len(scores))[: self.number]
        chosen = order.to(scores.device)
        part = Batch(batch.kind, batch.preds[chosen], batch.target[chosen])
        labels = torch.stack(list(predicted(part, self.metric.rules)))
        size = part.target.shape[1:]
        labels, target = (middle_slice(maps.long(), size) for maps in (labels, part.target))
        pixels = _size(*target.shape[1:])
        seen = no_photos(chosen, pixels) if photos is None else photos.shown(chosen, size, pixels)
        drawn = _reduced(labels, pixels), _reduced(target, pixels), *seen
        sizes = scores.new_tensor(target.shape[1:]).expand(len(chosen), 2)
        new: tuple[Tensor, ...] = (scores[chosen], sizes, *drawn)
        if self._kept is not None:
            new = tuple(_joined(*pair) for pair in zip(self._kept, new, strict=True))
        best = _lowest(new[0], self.number) if self.choice == "worst" else slice(0, self.number)
        self._kept = tuple(values[best] for values in new)

    def lowest(self) -> list[Sample]:
        """The images of all processes, each of which must call: the worst first, or the first ones in their order."""
        mine = [] if self._kept is None else list(_samples(*(values.cpu() for values in self._kept)))
        every = mine
        if is_available() and is_initialized() and get_world_size() > 1:
            gathered: list[list[Sample]] = [[] for _ in range(get_world_size())]
            all_gather_object(gathered, mine)
            every = [sample for samples in _in_turn(gathered) for sample in samples]
        if self.choice == "worst":
            every = sorted(every, key=lambda sample: (sample.score != sample.score, sample.score))
        return every[: self.number]


def _in_turn(lists: Sequence[list[Sample]]) -> list[list[Sample]]:
    """The first of every list, then the second of those that have one, and so on."""
    return [[each[i] for each in lists if i < len(each)] for i in range(max(map(len, lists), default=0))]


def _lowest(scores: Tensor, number: int) -> Tensor:
    """The places of the lowest scores, those that came first before their equals; nan is last."""
    return scores.nan_to_num(2.0).sort(stable=True).indices[:number]


def _size(height: float, width: float) -> tuple[int, int]:
    """The rows and columns that are kept of an image."""
    scale = max(1.0, max(height, width) / SIDE)
    return max(1, round(height / scale)), max(1, round(width / scale))


def _reduced(maps: Tensor, pixels: tuple[int, int]) -> Tensor:
    """Label maps of fewer rows and columns; pixels are left out, and none is blended with another."""
    y, x = (
        ((torch.arange(n, device=maps.device) + 0.5) * side / n).long()
        for n, side in zip(pixels, maps.shape[1:], strict=True)
    )
    return maps[:, y][:, :, x]


def _joined(kept: Tensor, new: Tensor) -> Tensor:
    """One after the other; the smaller maps at the top left of as many rows and columns as the larger ones have."""
    if kept.ndim > 2 and kept.shape[-2:] != new.shape[-2:]:
        rows, columns = (max(pair) for pair in zip(kept.shape[-2:], new.shape[-2:], strict=True))
        kept, new = (pad(each, (0, columns - each.shape[-1], 0, rows - each.shape[-2])) for each in (kept, new))
    return torch.cat((kept, new))


def _samples(scores: Tensor, sizes: Tensor, labels: Tensor, target: Tensor, photos: Tensor, seen: Tensor) -> Any:
    """Each image cut out of the rows and columns that are kept for all, as arrays."""
    for score, size, prediction, label, photo, shown in zip(
        scores.tolist(), sizes.tolist(), labels.numpy(), target.numpy(), photos.numpy(), seen.tolist(), strict=True
    ):
        rows, columns = _size(*size)
        part = slice(0, rows), slice(0, columns)
        rgb = np.ascontiguousarray(photo.transpose(1, 2, 0)[part]) if shown else None
        yield Sample(score, rgb, prediction[part], label[part])
