"""Photos that lie beside masks, for reports: found by the names that pair masks, and read as red, green and blue."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segiou.evaluation.masks import Array, MaskError, shown
from segiou.evaluation.pairing import files_below

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
ORIENTATION = 0x0112  # the EXIF tag; values above 4 exchange height and width


@dataclass(frozen=True)
class Photos:
    """The photos of images by the name of the image, as ``pair`` names them; several where a name is not unique."""

    folder: Path
    found: dict[str, list[Path]] = field(default_factory=dict)

    @property
    def files(self) -> list[Path]:
        """All photos that were found."""
        return [path for paths in self.found.values() for path in paths]

    def read(self, name: str, size: tuple[int, ...]) -> Array:
        """The photo of one image as uint8 ``(H, W, 3)``.

        Args:
            name: of the image.
            size: height and width of its label.

        Raises:
            MaskError: no photo, several, one that cannot be read, or one of another size.
        """
        paths = self.found.get(name, [])
        if len(paths) != 1:
            problem = (
                f"several photos of one name: {', '.join(map(shown, paths))}" if paths else "no photo of this name"
            )
            raise MaskError(self.folder / name, problem)
        return read_photo(paths[0], size)


def find_photos(folder: Path, names: Sequence[str], suffix: str = "") -> Photos:
    """Find the photos of images by their names.

    Args:
        folder: of photos; or one file, where there is one image.
        names: of the images, relative paths without suffixes.
        suffix: what names of photos end with and those of images do not, such as ``_leftImg8bit`` or ``.jpg``; files
            that end otherwise are left aside.

    Raises:
        ValueError: no such folder, or no photo of any of the images.
    """
    if not folder.exists():
        raise ValueError(f"{folder} does not exist")
    if folder.is_file():
        if len(names) != 1:
            raise ValueError(f"--images must be a folder where there are several images, got the file {folder}")
        return Photos(folder.parent, {names[0]: [folder]})
    wanted, found = set(names), dict[str, list[Path]]()
    seen = None
    for path in sorted(files_below(folder)):
        if path.suffix.lower() not in SUFFIXES:
            continue
        seen = seen or path.name
        # a suffix may hold that of the file, as .jpg and _image.png do, or be the end of the stem
        whole = path.name if suffix and path.name.endswith(suffix) else path.stem
        name = shown(path.parent.relative_to(folder) / whole.removesuffix(suffix))
        if whole.endswith(suffix) and name in wanted:
            found.setdefault(name, []).append(path)
    if not found:
        has = f"it has {seen!r}" if seen else f"it holds none of {', '.join(SUFFIXES)}"
        raise ValueError(
            f"no photo in {folder} has the name of an image, such as {names[0]!r}: {has}; pass --image-suffix for what "
            "the names of photos end with"
        )
    return Photos(folder, found)


def read_photo(path: Path, size: tuple[int, ...]) -> Array:
    """A photo as uint8 ``(H, W, 3)``; grey of 16 bits or of floating numbers is stretched from its least to its most.

    A photo that the camera marked as turned (EXIF) is turned where it then has the size of the label, and is otherwise
    shown as its pixels are stored.

    Raises:
        MaskError: a file that cannot be read, or of another size.
    """
    from PIL import Image, ImageOps

    try:
        with of_any_size(), Image.open(path) as picture:  # the size is held to that of the label
            height, width = picture.height, picture.width
            turned = (width, height) if picture.getexif().get(ORIENTATION, 1) > 4 else (height, width)
            pixels: Array | None = None
            if turned == tuple(size):
                pixels = _rgb(ImageOps.exif_transpose(picture))
            elif (height, width) == tuple(size):
                pixels = _rgb(picture)
    except Exception as error:  # Pillow raises whatever a broken file leads it to
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise MaskError(path, f"the photo cannot be read ({reason or type(error).__name__})") from error
    if pixels is None:
        label = "x".join(map(str, size))
        raise MaskError(path, f"the photo must have the size of its label, {label}, got {height}x{width}")
    return pixels


@contextmanager
def of_any_size() -> Iterator[None]:
    """Inside, Pillow opens images of any size; of one thread alone."""
    from PIL import Image

    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def _rgb(picture: Any) -> Array:
    if picture.mode in ("F", "I") or picture.mode.startswith("I;"):
        values = np.nan_to_num(np.asarray(picture).astype(np.float64))
        low, high = values.min(), values.max()
        grey = ((values - low) / max(high - low, 1e-12) * 255).round().astype(np.uint8)
        return np.repeat(grey[..., None], 3, axis=2)
    return np.asarray(picture.convert("RGB"))
