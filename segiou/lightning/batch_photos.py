"""The photos of a batch, which the monitor shows beside label maps: where they are, and a copy before the step."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torchmetrics.utilities import rank_zero_warn

from segiou.lightning.batch_parts import Part, checked_part, described, part
from segiou.lightning.image_samples import Photo
from segiou.lightning.step_outputs import Stage
from segiou.lightning.watched_steps import unwatch, watch

IMAGE_NAMES = ("image", "images", "x", "input", "pixel_values")
_WITHOUT = "images are shown without photos, pass image= to say where they are in the batch"


class BatchPhotos:
    """Takes the photos of each batch before its step, which may change them or remove them from the batch.

    Nothing here ends a training: photos that cannot be shown are left out with one warning.

    Args:
        image: the key or index of the images in the batch, or a function of it; None tries the usual ones.
        photo: how photos are brought back to red, green and blue.
        expected: whether batches without photos are warned of.

    Raises:
        ValueError: values of ``photo`` that do not fit.
        TypeError: an argument of another type.
    """

    def __init__(self, image: Part | None, photo: Photo, *, expected: bool) -> None:
        self.image = None if image is None else checked_part("image", image)
        self.photo = checked_photo(photo)
        self._expected = expected or image is not None
        self._warned = False
        self._watched: tuple[Any, Sequence[Stage]] = (None, [])
        self._before: tuple[Any] | None = None  # the photos of a batch whose step has begun

    def watch_steps(self, strategy: Any, stages: Sequence[Stage]) -> None:
        """Begin to take photos in the steps of these stages."""
        self.leave_steps()
        self._watched = strategy, stages
        for stage in stages:
            watch(strategy, stage, self._during)

    def leave_steps(self) -> None:
        """Leave the steps alone."""
        strategy, stages = self._watched
        for stage in stages:
            unwatch(strategy, stage, self._during)
        self._watched, self._before = (None, []), None

    @contextmanager
    def _during(self, stage: Stage, batch: Any) -> Iterator[None]:
        self._before = None if hasattr(batch, "__next__") else (self._found(batch),)  # an iterator has yet to give it
        yield

    def taken(self, batch: Any, targets: int) -> Any:
        """The photos of the batch whose step has ended, for its first ``targets`` images at least; or None."""
        before, self._before = self._before, None
        (photos,) = before or (self._found(batch),)
        if photos is not None and len(photos) < targets:
            self._warn(f"{len(photos)} images beside {targets} targets")
            return None
        return photos

    def shown(self, photo: Tensor, height: int, width: int) -> Any:
        """One photo ``(channels, h, w)`` of a label map's size: uint8 ``(height, width, 3)``, or None."""
        try:
            rgb = self.photo.shown(photo[None]).float()
            rgb = interpolate(rgb, (height, width), mode="area") if rgb.shape[2:] != (height, width) else rgb
            return rgb[0].round().to(torch.uint8).permute(1, 2, 0).contiguous().cpu().numpy()
        except Exception as error:  # a picture must not cost a training
            self._warn(f"{type(error).__name__}: {error}")
            return None

    def _found(self, batch: Any) -> Any:
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
            self._warn(str(error))
            return None

    def _copied(self, photos: Tensor) -> Tensor:
        least = max(self.photo.bands or (0,)) + 1
        if photos.ndim != 4 or photos.shape[1] < least:
            raise ValueError(f"images must be (N, {least} or more channels, height, width), got {tuple(photos.shape)}")
        return photos.detach().clone()

    def _warn(self, text: str) -> None:
        if self._expected and not self._warned:
            self._warned = True
            rank_zero_warn(f"SegmentationMonitor: {_WITHOUT}: {text}", UserWarning)


def _image_of(batch: Any) -> str | int | None:
    for name in IMAGE_NAMES:
        if name in batch if isinstance(batch, Mapping) else hasattr(batch, name):
            return name
    return 0 if isinstance(batch, tuple | list) and batch else None


def checked_photo(photo: Photo) -> Photo:
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
