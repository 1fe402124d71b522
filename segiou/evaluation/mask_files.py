"""Label masks from files: whole numbers as they are stored, or colours. What is wrong with a file is a MaskError."""

import math
import os
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from segiou.installed import installed

Array = np.ndarray[Any, Any]

IMAGES = (".png", ".tif", ".tiff", ".bmp")
SUFFIXES = (*IMAGES, ".npy", ".npz", ".nii", ".nii.gz")
MOST_PIXELS = 2**31  # of a compressed array, which may claim any size
_FORMATS = ("PNG", "TIFF", "BMP")  # whatever the name says: a JPEG is none
_MODES = ("L", "P", "I", "I;16", "I;16L", "I;16B", "1")  # one whole number a pixel, as Pillow calls them


class MaskError(ValueError):
    """A mask that cannot be scored: ``path`` and ``reason``."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{shown(path)}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.reason)


def shown(path: PurePath) -> str:
    """A path as text that can be written anywhere: bytes of its name that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def suffix_of(path: Path) -> str | None:
    """The suffix by which a mask is read, in lower case; None where the file is no mask."""
    name = path.name.lower()
    return max((suffix for suffix in SUFFIXES if name.endswith(suffix)), key=len, default=None)


def read_mask(path: Path) -> Array:
    """Read one mask.

    Args:
        path: PNG, TIFF or BMP with one whole number a pixel (grey of 8 or 16 bits, or a palette, whose places are
            the labels) or with three colours; NPY; NPZ of one array; NIfTI, for which nibabel must be installed.

    Returns:
        Integers or bools, ``(H, W)`` or of any shape for arrays; of colour images uint8 ``(H, W, 3)`` as a
        ``Colours``.

    Raises:
        MaskError: no file, a truncated one, one of another kind, or one that does not hold labels.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "mask.npy"), np.array([[0, 1], [2, 255]]))
    ...     read_mask(Path(folder, "mask.npy"))
    array([[  0,   1],
           [  2, 255]])
    """
    suffix = suffix_of(path)
    if suffix is None:
        raise MaskError(path, f"a mask must be one of {', '.join(SUFFIXES)} (lossy images such as JPEG change labels)")
    try:
        return _READERS[suffix](path)
    except MaskError:
        raise
    except Exception as error:  # the readers raise whatever a broken file leads them to
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MaskError(path, f"cannot be read ({reason or type(error).__name__})") from error


class Colours(np.ndarray[Any, Any]):
    """Red, green and blue of every pixel, uint8 ``(H, W, 3)``, where an image holds colours and no labels."""


def _image(path: Path) -> Array:
    from PIL import Image

    with Image.open(path, formats=_FORMATS) as image:
        if image.format == "PNG":
            image.verify()  # of its checksums, which reading the pixels does not look at
    with Image.open(path, formats=_FORMATS) as image:
        if "jpeg" in str(image.info.get("compression")):
            raise MaskError(path, "is compressed as JPEG, which changes labels")
        frames = getattr(image, "n_frames", 1)
        if frames != 1:
            raise MaskError(path, f"a mask must be one image, got {frames} in one file")
        if image.mode in _MODES:
            return np.asarray(image)
        if image.mode == "RGB":
            return np.asarray(image).view(Colours)
        if image.mode == "RGBA":
            channels = np.asarray(image)
            if (channels[..., 3] == 255).all():
                return np.ascontiguousarray(channels[..., :3]).view(Colours)
            raise MaskError(path, "colours must be opaque, got an alpha channel below 255")
        raise MaskError(path, f"a mask must hold whole numbers or RGB colours, got an image of mode {image.mode!r}")


def _npy(path: Path) -> Array:
    return _whole(path, np.load(path, allow_pickle=False))


def _npz(path: Path) -> Array:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) != 1:
            raise MaskError(path, f"an npz file must hold one array, got {len(names)}: {', '.join(names)[:200]}")
        with archive.open(names[0]) as stored:
            version = np.lib.format.read_magic(stored)
            header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, _, _ = header(stored)
        _require_size(path, shape)
        with archive.open(names[0]) as stored:
            return _whole(path, np.asarray(np.lib.format.read_array(stored, allow_pickle=False)))


def _nifti(path: Path) -> Array:
    if not installed("nibabel"):
        raise MaskError(path, "NIfTI needs nibabel: pip install nibabel")
    import nibabel

    volume: Any = nibabel.load(path)
    _require_size(path, volume.shape)
    values = np.asanyarray(volume.dataobj)
    if values.dtype.kind == "f" and (values == np.rint(values)).all() and (abs(values) < 2**31).all():
        return np.asarray(values, np.int32)  # label maps are often stored as floating numbers
    return _whole(path, values)


_READERS: dict[str, Callable[[Path], Array]] = {
    **dict.fromkeys(IMAGES, _image),
    ".npy": _npy,
    ".npz": _npz,
    ".nii": _nifti,
    ".nii.gz": _nifti,
}


def _require_size(path: Path, shape: tuple[int, ...]) -> None:
    if math.prod(shape) > MOST_PIXELS:
        raise MaskError(path, f"a mask must have at most {MOST_PIXELS:,} pixels, got {math.prod(shape):,}")


def _whole(path: Path, values: Array) -> Array:
    if values.dtype.kind not in "biu":
        raise MaskError(path, f"a mask must hold whole numbers, got {values.dtype}: save class ids, not scores")
    return values
