"""The images that the monitor shows of each validation and test: what is kept of batches, with their photos."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal

import torch
from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.environment.installed import installed
from segiou.labels import LabelSet
from segiou.labels.checks import Colour
from segiou.lightning.batch_parts import Part, checked_part, described, part
from segiou.lightning.image_samples import Photo, Sample, Samples
from segiou.lightning.step_outputs import Stage
from segiou.lightning.watched_steps import unwatch, watch
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.report.pictures import colours

IMAGE_NAMES = ("image", "images", "x", "input", "pixel_values")
FIRST = 4  # images of samples="first"
_WITHOUT = "samples are shown without photos, pass image= to say where they are in the batch"


class EpochSamples:
    """Keeps images of one epoch for each loader.

    Nothing here ends a training: a photo or a batch that cannot be shown is left out with one warning.

    Args:
        samples: how many of the worst images are kept, or "first" for the first four.
        image: the key or index of the images in the batch, or a function of it; None tries the usual ones.
        photo: how photos are brought back to red, green and blue.
        num_classes: as the monitor takes it; a label set gives the colours.
        metric: how pixels are counted.

    Raises:
        ValueError: a number of samples below one, a task without one class per pixel, or values of ``photo`` that do
            not fit.
        TypeError: an argument of another type.
        ModuleNotFoundError: Pillow is not installed.
    """

    def __init__(
        self, samples: int | Literal["first"], image: Part | None, photo: Photo, num_classes: Any, metric: Any
    ) -> None:
        number = FIRST if samples == "first" else samples
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise ValueError(f'samples must be a number of images, 1 or more, or "first", got {samples!r}')
        if metric.rules.task == "multilabel":
            raise ValueError("samples shows one class for each pixel, which multilabel tasks do not have: leave it out")
        if not installed("PIL"):
            raise ModuleNotFoundError('samples needs Pillow: pip install "segiou[report]"')
        self.image = None if image is None else checked_part("image", image)
        self.photo = _checked(photo)
        self._number = number
        self._choice: Literal["worst", "first"] = "first" if samples == "first" else "worst"
        palette = LabelSet.of(num_classes).palette if isinstance(num_classes, str | LabelSet) else None
        self.palette: Sequence[Colour] = palette or colours(len(metric.class_names))
        self._loaders: list[Samples] = []
        self._warned: set[str] = set()
        self._watched: tuple[Any, Sequence[Stage]] = (None, [])
        self._before: tuple[Any] | None = None  # the photos of a batch whose step has begun

    def start(self, metrics: Sequence[ConfusionMatrixMetric]) -> None:
        """Forget what was kept, and keep for loaders whose pixels these metrics count."""
        self._loaders = [Samples(metric, self._number, self._choice, self.photo) for metric in metrics]

    def watch_steps(self, strategy: Any, stages: Sequence[Stage]) -> None:
        """Take the photos of each batch before its step, which may change them or remove them from the batch."""
        self.leave_steps()
        self._watched = strategy, [stage for stage in stages if stage != "train"]
        for stage in self._watched[1]:
            watch(strategy, stage, self._during)

    def leave_steps(self) -> None:
        """Leave the steps alone."""
        strategy, stages = self._watched
        for stage in stages:
            unwatch(strategy, stage, self._during)
        self._watched, self._before = (None, []), None

    @contextmanager
    def _during(self, stage: Stage, batch: Any) -> Iterator[None]:
        self._before = None if hasattr(batch, "__next__") else (self._photos(batch),)  # an iterator has yet to give it
        yield

    def update(self, loader: int, preds: Any, target: Any, batch: Any) -> None:
        """Keep what is to be kept of a batch, of which ``preds`` and ``target`` may be the first ones alone."""
        before, self._before = self._before, None
        try:
            (photos,) = before or (self._photos(batch),)
            if photos is not None and len(photos) < len(target):
                self._warn(f"{_WITHOUT}: {len(photos)} images beside {len(target)} targets")
                photos = None
            self._loaders[loader].update(preds, target, photos)
        except Exception as error:  # a picture must not cost a training
            self._warn(f"samples leaves out a batch that cannot be shown: {type(error).__name__}: {error}")

    def kept(self, loader: int) -> list[Sample]:
        """The images of all processes, each of which must call."""
        return self._loaders[loader].lowest()

    def _photos(self, batch: Any) -> Any:
        """A copy of the images of a batch, as a tensor or as a list of tensors."""
        try:
            which = _image_of(batch) if self.image is None else self.image
            if which is None:
                raise ValueError(f"no image was found in a batch that is {described(batch)}")
            photos = part(batch, which, "image")
            if isinstance(photos, list | tuple):
                return [self._copied(torch.as_tensor(photo)[None])[0] for photo in photos]
            return self._copied(torch.as_tensor(photos))
        except Exception as error:  # a picture must not cost a training
            self._warn(f"{_WITHOUT}: {error}")
            return None

    def _copied(self, photos: Tensor) -> Tensor:
        least = max(self.photo.bands or (0,)) + 1
        if photos.ndim != 4 or photos.shape[1] < least:
            raise ValueError(f"images must be (N, {least} or more channels, height, width), got {tuple(photos.shape)}")
        return photos.detach().clone()

    def _warn(self, text: str) -> None:
        kind = text[:40]
        if kind not in self._warned:
            self._warned.add(kind)
            rank_zero_warn(f"SegmentationMonitor: {text}", UserWarning)


def _image_of(batch: Any) -> str | int | None:
    for name in IMAGE_NAMES:
        if name in batch if isinstance(batch, Mapping) else hasattr(batch, name):
            return name
    return 0 if isinstance(batch, tuple | list) and batch else None


def _checked(photo: Photo) -> Photo:
    """Return how photos are shown. Raises ValueError or TypeError where its values do not fit each other."""
    bands = None if photo.bands is None else tuple(photo.bands)
    mean, std = (None if values is None else tuple(values) for values in (photo.mean, photo.std))
    if bands is not None and (
        len(bands) not in (1, 3) or any(isinstance(b, bool) or not isinstance(b, int) or b < 0 for b in bands)
    ):
        raise ValueError(f"bands must be one channel or three, from 0 on, got {bands}")
    if (mean is None) != (std is None):
        raise ValueError(f"mean and std go together, got mean={mean} and std={std}")
    allowed = (1, 3) if bands is None else {1, len(bands)}
    for name, values in (("mean", mean), ("std", std)):
        if values is not None and len(values) not in allowed:
            raise ValueError(f"{name} must hold a value for each channel that is shown, got {values}")
    return Photo(bands, mean, std)
