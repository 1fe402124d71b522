"""The photos of a batch, which the monitor shows beside label maps: where they are, and a copy before the step."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.counting.tensors import tensor
from segiou.lightning.batch_parts import Part, checked_part, described, part
from segiou.lightning.photo import Photo
from segiou.lightning.step_outputs import Stage
from segiou.lightning.watched_steps import unwatch, watch

IMAGE_NAMES = ("image", "images", "x", "input", "pixel_values")

NOT_RGB = ("1", "P", "PA", "CMYK", "YCbCr", "LAB", "HSV")
ELSEWHERE = "image= to say where they are in the batch, or a function that gives them"


def _warn(text: str) -> None:
    rank_zero_warn(f"SegmentationMonitor: images are shown without photos: {text}", UserWarning)


class TakenPhotos:
    """The photos of one batch. Nothing here raises: a photo that cannot be shown is missing, and a warning says why.

    Args:
        photos: of all images as one tensor, or of each its own, None where it could not be read.
        how: how they are shown.
        warn: called with what is wrong.
    """

    def __init__(
        self, photos: Tensor | Sequence[Tensor | None], how: Photo, warn: Callable[[str], None] = _warn
    ) -> None:
        self._photos = photos
        self._how = how
        self._warn = warn

    def __len__(self) -> int:
        """How many images there are."""
        return len(self._photos)

    def part(self, start: int, number: int) -> "TakenPhotos":
        """The photos of some images that follow each other."""
        return TakenPhotos(self._photos[start : start + number], self._how, self._warn)

    def shown(self, chosen: Tensor, size: Sequence[int], pixels: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """The photos of chosen images, and which there are.

        Args:
            chosen: the places of the images, on the device where the photos are needed. It is not waited for.
            size: the spatial axes of the label maps.
            pixels: the rows and columns to show.

        Returns:
            uint8 ``(n, 3, rows, columns)`` and bool ``(n,)``.
        """
        if isinstance(self._photos, Tensor):
            found = self._of_maps(self._photos.to(chosen.device)[chosen], size, pixels)
            return no_photos(chosen, pixels) if found is None else (found, torch.ones_like(chosen, dtype=torch.bool))
        each = [None if photo is None else self._of_maps(photo[None], size, pixels) for photo in self._photos]
        nothing = torch.zeros((1, 3, *pixels), dtype=torch.uint8)
        rgb = torch.cat([(nothing if photo is None else photo).to(chosen.device) for photo in each])
        return rgb[chosen], torch.tensor([photo is not None for photo in each], device=chosen.device)[chosen]

    def one(self, place: int, size: Sequence[int]) -> Any:
        """The photo of one image as an array of its label map's size ``(H, W)``: uint8 ``(H, W, 3)``, or None."""
        photo = self._photos[place]
        rgb = None if photo is None else self._of_maps(photo[None], size, (size[0], size[1]))
        return None if rgb is None else rgb[0].permute(1, 2, 0).contiguous().cpu().numpy()

    def _of_maps(self, photos: Tensor, size: Sequence[int], pixels: tuple[int, int]) -> Tensor | None:
        try:
            return self._how.of_maps(photos, size, pixels)
        except Exception as error:  # a picture must not cost a training
            self._warn(f"{error}: pass bands=, mean= and std= that fit their channels, or {ELSEWHERE}")
            return None


def no_photos(chosen: Tensor, pixels: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """What ``TakenPhotos.shown`` gives where there are none."""
    black = torch.zeros((len(chosen), 3, *pixels), dtype=torch.uint8, device=chosen.device)
    return black, torch.zeros_like(chosen, dtype=torch.bool)


class BatchPhotos:
    """Takes the photos of each batch before its step, which may change them or remove them from the batch.

    Nothing here ends a training: photos that cannot be shown are left out with one warning.

    Args:
        image: the key or index of the images in the batch, or a function of it; None tries the usual ones.
        how: how photos are shown.
        expected: whether batches without photos are warned of.

    Raises:
        TypeError: an ``image`` of another type.
    """

    def __init__(self, image: Part | None, how: Photo, *, expected: bool) -> None:
        self.image = None if image is None else checked_part("image", image)
        self._how = how
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

    def taken(self, batch: Any, targets: int) -> TakenPhotos | None:
        """The photos of the batch whose step has ended, for its first ``targets`` images at least; or None."""
        before, self._before = self._before, None
        (photos,) = before or (self._found(batch),)
        if photos is not None and len(photos) < targets:
            self._warn(f"{len(photos)} photos beside {targets} targets: pass {ELSEWHERE}")
            return None
        return None if photos is None else TakenPhotos(photos, self._how, self._warn)

    def _found(self, batch: Any) -> Tensor | list[Tensor | None] | None:
        """A copy of the images of a batch, as a tensor or as a list of tensors."""
        try:
            which = _image_of(batch) if self.image is None else self.image
            if which is None:
                raise ValueError(f"no image was found in a batch that is {described(batch)}")
            photos = part(batch, which, "image")
            return list(map(self._one, photos)) if isinstance(photos, list | tuple) else _copied(photos, axes=3)
        except Exception as error:  # a picture must not cost a training
            self._warn(f"{error}: pass {ELSEWHERE}")
            return None

    def _one(self, photo: Any) -> Tensor | None:
        """A copy of one photo of a list; one that cannot be read costs no other its picture."""
        try:
            return _copied(photo, axes=2)
        except Exception as error:
            self._warn(f"{error}: pass {ELSEWHERE}")
            return None

    def _warn(self, text: str) -> None:
        if self._expected and not self._warned:
            self._warned = True
            _warn(text)


def _copied(photos: Any, axes: int) -> Tensor:
    """A copy of photos as a tensor of at least so many axes."""
    if getattr(photos, "mode", None) in NOT_RGB:  # an image of Pillow, whose numbers are no red, green and blue
        photos = photos.convert("RGB")
    found = tensor("image", photos if isinstance(photos, Tensor | np.ndarray) else np.asarray(photos))
    if found.ndim < axes:
        raise ValueError(f"image must have {axes} or more axes, height and width among them, got {tuple(found.shape)}")
    return found.clone()


def _image_of(batch: Any) -> str | int | None:
    for name in IMAGE_NAMES:
        if name in batch if isinstance(batch, Mapping) else hasattr(batch, name):
            return name
    return 0 if isinstance(batch, tuple | list) and batch else None
