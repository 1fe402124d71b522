"""The scores of single images as they come, and the label maps of those that scored lowest."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributed import all_gather_object, get_rank, get_world_size, is_available, is_initialized

from segiou.counting.inputs import batches
from segiou.counting.predicted import predicted
from segiou.metrics.imagewise import Imagewise
from segiou.metrics.per_image import Ids, areas_from, checked_ids
from segiou.report.data import WorstImage


class _Kept(NamedTuple):
    score: float
    place: int  # among the images of this process
    name: int | str | None
    maps: tuple[Tensor, ...]  # prediction and label
    photo: Any = None


class WorstImages:
    """Scores of images by a metric that keeps them, and the maps of the lowest; what it holds is small.

    Maps are of two spatial axes: of other images, and of multilabel ones, there are scores alone.

    Args:
        metric: with ``keep_images=True``, empty; it is updated here.
        number: of images whose maps are kept.
    """

    def __init__(self, metric: Imagewise, number: int) -> None:
        self.metric = metric
        self.number = number if metric.metric.rules.task != "multilabel" else 0
        self._seen = 0
        self._kept: list[_Kept] = []

    def update(
        self,
        preds: Any,
        target: Any,
        ids: Ids | None = None,
        photo: Callable[[int, tuple[int, ...]], Any] | None = None,
    ) -> None:
        """Score a batch of images; waits for the device.

        Args:
            preds: as ``Imagewise.update`` takes them.
            target: likewise.
            ids: likewise.
            photo: a function of the place of an image in the batch and of the size ``(H, W)`` of its label, which
                gives the image itself, uint8 ``(H, W, 3)``, or None. It is asked for the images that are kept.
        """
        self.metric.update(preds, target, ids)
        areas: Tensor = getattr(self.metric, self.metric._areas_name)[-1]
        scores = self.metric.score(areas_from(areas, 1), self.metric.metric.averaging)
        values: list[float] = scores.tolist() if scores.ndim == 1 else []
        names = [None] * len(values) if ids is None else checked_ids(ids, len(values))
        if any(map(self._is_low, values)):
            places = range(self._seen, self._seen + len(values))
            for kept in map(_Kept, values, places, names, self._maps(preds, target)):
                self._keep(kept, photo)
        self._seen += len(values)

    def _keep(self, image: _Kept, photo: Callable[[int, tuple[int, ...]], Any] | None) -> None:
        again = image.name is not None and image.name in {kept.name for kept in self._kept}
        if self._is_low(image.score) and image.maps[1].ndim == 2 and not again:
            rgb = photo(image.place - self._seen, tuple(image.maps[1].shape)) if photo else None
            self._kept.append(image._replace(maps=tuple(map(_small, image.maps)), photo=rgb))
            self._kept.sort(key=lambda kept: kept[:2])
            del self._kept[self.number :]

    def _is_low(self, value: float) -> bool:
        room = len(self._kept) < self.number
        return value == value and (room or (self.number > 0 and value < self._kept[-1].score))

    def _maps(self, preds: Any, target: Any) -> Iterator[tuple[Tensor, Tensor]]:
        rules = self.metric.metric.rules
        for batch in batches(preds, target, rules):
            yield from zip(predicted(batch, rules), batch.target, strict=True)

    def lowest(self) -> list[WorstImage]:
        """The images that scored lowest in all processes, each of which must call; the worst first."""
        if not (is_available() and is_initialized()):
            return [_shown(kept, 0) for kept in self._kept]
        seen = _gathered((self._seen, [kept.score for kept in self._kept]), self.metric.process_group)
        before = sum(number for number, _ in seen[: get_rank(self.metric.process_group)])
        lowest = sorted(score for _, scores in seen for score in scores)[: self.number]
        mine = [_shown(kept, before) for kept in self._kept if kept.score <= lowest[-1]]
        every = [image for images in _gathered(mine, self.metric.process_group) for image in images]
        return sorted(every, key=lambda image: image.score)[: self.number]


def _gathered(value: Any, group: Any) -> list[Any]:
    """The values of all processes."""
    values = [None] * get_world_size(group)
    all_gather_object(values, value, group)
    return values


def _shown(kept: _Kept, before: int) -> WorstImage:
    name = f"image {before + kept.place}" if kept.name is None else str(kept.name)
    prediction, label = (part.numpy() for part in kept.maps)
    return WorstImage(name, kept.score, prediction, label, kept.photo)


def _small(labels: Tensor) -> Tensor:
    labels = labels.cpu()
    fits = not labels.numel() or (int(labels.min()) >= 0 and int(labels.max()) < 256)
    return labels.to(torch.uint8 if fits else torch.int64, copy=True)  # the batch may be written over
