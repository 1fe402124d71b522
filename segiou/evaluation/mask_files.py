"""Label masks from files: whole numbers as they are stored, or colours. What is wrong with a file is a MaskError."""

from collections.abc import Callable
from pathlib import Path

from segiou.evaluation.formats.arrays import read_nifti, read_npy, read_npz
from segiou.evaluation.formats.images import read_bmp, read_png
from segiou.evaluation.formats.tiff import read_tiff
from segiou.evaluation.masks import Mask, MaskError

Reader = Callable[[Path, int | None], Mask]

IMAGES = (".png", ".tif", ".tiff", ".bmp")
SUFFIXES = (*IMAGES, ".npy", ".npz", ".nii", ".nii.gz")
LOSSY = (".jpg", ".jpeg", ".jpe", ".jfif")
JPEG = "is a JPEG, which changes labels near every edge: save masks as PNG"
ENDING = f"a mask must be one of {', '.join(SUFFIXES)}"


def suffix_of(path: Path) -> str | None:
    """The suffix by which a mask is read, in lower case; None where the file is no mask."""
    name = path.name.lower()
    return max((suffix for suffix in SUFFIXES if name.endswith(suffix)), key=len, default=None)


def is_lossy(path: Path) -> bool:
    """Whether the name is that of a JPEG, which holds no labels."""
    return path.name.lower().endswith(LOSSY)


def read_mask(path: Path, max_pixels: int | None = None) -> Mask:
    """Read one mask.

    Args:
        path: PNG, TIFF or BMP with one whole number a pixel (grey of 8 or 16 bits, or a palette, whose places are
            the labels) or with three colours; GeoTIFF; NPY; NPZ of one array; NIfTI, for which nibabel must be
            installed. Tiles, BigTIFF and some compressions of TIFF need the extra ``tiff``.
        max_pixels: the largest number of pixels that is read; None for what fits into memory.

    Raises:
        MaskError: no file, a truncated one, one of another kind, one whose header promises more than it holds, or
            one that does not hold labels.

    >>> import tempfile
    >>> import numpy as np
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     np.save(Path(folder, "mask.npy"), np.array([[0, 1], [2, 255]]))
    ...     read_mask(Path(folder, "mask.npy")).values
    array([[  0,   1],
           [  2, 255]])
    """
    suffix = suffix_of(path)
    if suffix is None:
        raise MaskError(path, JPEG if is_lossy(path) else ENDING)
    try:
        reader = _READERS.get(suffix) or _image_reader(path)
        return reader(path, max_pixels)
    except MaskError:
        raise
    except Exception as error:  # the readers raise whatever a broken file leads them to
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MaskError(path, f"cannot be read ({reason or type(error).__name__})") from error


_READERS: dict[str, Reader] = {".npy": read_npy, ".npz": read_npz, ".nii": read_nifti, ".nii.gz": read_nifti}
_STARTS: tuple[tuple[bytes, Reader], ...] = (
    (b"\x89PNG\r\n\x1a\n", read_png),
    (b"BM", read_bmp),
    *((start, read_tiff) for start in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")),
)


def _image_reader(path: Path) -> Reader:
    """What reads an image, by its first bytes, whatever its name says. Raises a MaskError for none."""
    with path.open("rb") as file:
        first = file.read(8)
    for start, reader in _STARTS:
        if first.startswith(start):
            return reader
    if not first:
        raise MaskError(path, "cannot be read (it is empty)")
    if first.startswith(b"\xff\xd8"):
        raise MaskError(path, f"cannot be read (it {JPEG})")
    raise MaskError(path, "cannot be read (it is no PNG, TIFF or BMP)")
