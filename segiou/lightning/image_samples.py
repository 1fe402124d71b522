"""Images to look at: the worst of an epoch or the first, small, kept where they are until the epoch ends.

What is kept is bounded: a few images, reduced and of as many rows and columns, so that they are selected on the device
itself. No batch is waited for.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributed import all_gather_object, get_world_size, is_available, is_initialized
from torch.nn.functional import interpolate, pad

from segiou.counting.inputs import Batch, batches
from segiou.counting.predicted import predicted
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


@dataclass(frozen=True)
class Photo:
    """How the photo of a batch is brought back to red, green and blue of 8 bits.

    Args:
        bands: three channels of the batch's images, or one for grey; None takes the first three, or the first.
        mean: what was subtracted of each channel, in the order of ``bands``; None brings each image to its own range.
            Where one is above 1 all are of pixels from 0 to 255. Images of uint8 are shown as they are.
        std: what each channel was divided by.
    """

    bands: tuple[int, ...] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def shown(self, images: Tensor) -> Tensor:
        """Images ``(n, channels, h, w)`` as uint8 ``(n, 3, h, w)``."""
        bands = self.bands or ((0, 1, 2) if images.shape[1] >= 3 else (0,))
        chosen = images[:, list(bands)].float()
        if images.dtype == torch.uint8:  # nothing was subtracted yet
            chosen = chosen / 255
        elif self.mean is not None and self.std is not None:
            mean, std = (chosen.new_tensor(values).view(1, -1, 1, 1) for values in (self.mean, self.std))
            chosen = (chosen * std + mean) / (255 if max(self.mean) > 1 else 1)
        else:
            chosen = chosen.nan_to_num()
            step = -(-chosen[0].numel() // 2**12) | 1  # some values of each photo; odd, so that columns take turns
            few = chosen.flatten(1)[:, ::step]
            low, high = few.quantile(few.new_tensor((0.02, 0.98)), 1).view(2, -1, 1, 1, 1)
            plain = (low >= 0) & (high <= 1)  # fractions are shown as they are
            chosen = torch.where(plain, chosen, (chosen - low) / (high - low).clamp(min=1e-9))
        return (chosen.clamp(0, 1) * 255).round().to(torch.uint8).expand(-1, 3, -1, -1)


class Samples:
    """A few images of one epoch and one loader.

    Args:
        metric: says what is counted; its own counts are not touched.
        number: how many images are kept.
        choice: "worst", those with the lowest mIoU, or "first".
        photo: how photos are shown.
    """

    def __init__(self, metric: ConfusionMatrixMetric, number: int, choice: Choice, photo: Photo) -> None:
        self.metric, self.number, self.choice, self.photo = metric, number, choice, photo
        self._kept: tuple[Tensor, ...] | None = None

    @torch.no_grad()
    def update(self, preds: Any, target: Any, photos: Any = None) -> None:
        """Keep what is to be kept of a batch, whose input is as ``MeanIoU.update`` takes it; waits for no device.

        Args:
            preds: scores or labels.
            target: labels ``(N, H, W)``.
            photos: the images that were predicted, ``(N, channels, h, w)``; None where there are none.
        """
        start = 0
        for batch in batches(preds, target, self.metric.rules):
            number = len(batch.target)
            shown = None if photos is None else photos[start : start + number]
            start += number
            if number and batch.target.ndim == 3 and batch.target.numel():
                self._keep(batch, shown)

    def _keep(self, batch: Batch, photos: Any) -> None:
        if self.choice == "first" and self._kept is not None and len(self._kept[0]) == self.number:
            return
        counts = self.metric.counted(batch.preds, batch.target, per_image=True).counts
        scores = MeanIoU.score(self.metric.areas(counts), _macro(self.metric)).float()
        order = _lowest(scores, self.number) if self.choice == "worst" else torch.arange(len(scores))[: self.number]
        chosen = order.to(scores.device)
        part = Batch(batch.kind, batch.preds[chosen], batch.target[chosen])
        labels = torch.stack(list(predicted(part, self.metric.rules)))
        drawn = _reduced(labels.long(), part.target.long(), self._photos(photos, chosen, labels))
        sizes = scores.new_tensor(batch.target.shape[1:]).expand(len(chosen), 2)
        new: tuple[Tensor, ...] = (scores[chosen], sizes, *drawn)
        if self._kept is not None:
            new = tuple(_joined(*pair) for pair in zip(self._kept, new, strict=True))
        best = _lowest(new[0], self.number) if self.choice == "worst" else slice(0, self.number)
        self._kept = tuple(values[best] for values in new)

    def _photos(self, photos: Any, chosen: Tensor, like: Tensor) -> Tensor:
        """The photos of the chosen images, uint8 ``(n, 3, h, w)``; of no height where there are none."""
        if isinstance(photos, list | tuple):
            photos = torch.stack([torch.as_tensor(photo) for photo in photos])
        if photos is None or photos.ndim != 4:
            return torch.zeros((len(chosen), 3, 0, 0), dtype=torch.uint8, device=like.device)
        return self.photo.shown(photos.detach().to(like.device)[chosen])

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


def _macro(metric: ConfusionMatrixMetric) -> Averaging:
    """The averaging of the metric, with one value for an image."""
    how = metric.averaging
    return replace(how, average=None) if how.average == "none" else how


def _lowest(scores: Tensor, number: int) -> Tensor:
    """The places of the lowest scores, those that came first before their equals; nan is last."""
    return scores.nan_to_num(2.0).sort(stable=True).indices[:number]


def _size(height: float, width: float) -> tuple[int, int]:
    """The rows and columns that are kept of an image."""
    scale = max(1.0, max(height, width) / SIDE)
    return max(1, round(height / scale)), max(1, round(width / scale))


def _reduced(labels: Tensor, target: Tensor, photos: Tensor) -> tuple[Tensor, ...]:
    """Predictions, labels and photos, of at most ``SIDE`` rows and columns, and whether there are photos."""
    height, width = target.shape[1:]
    rows, columns = _size(height, width)
    y, x = (
        ((torch.arange(n, device=target.device) + 0.5) * side / n).long()
        for n, side in ((rows, height), (columns, width))
    )
    maps = [values[:, y][:, :, x] for values in (labels, target)]
    seen = bool(photos.shape[-1])
    if not seen:
        photos = photos.new_zeros((len(photos), 3, rows, columns))
    elif photos.shape[-2:] != (rows, columns):
        photos = interpolate(photos.float(), (rows, columns), mode="area").round().to(torch.uint8)
    return *maps, photos, torch.full((len(photos),), seen, device=photos.device)


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
