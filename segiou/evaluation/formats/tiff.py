"""Masks in TIFF: by tifffile where it is installed (tiles, BigTIFF, every compression), else by Pillow.

What must hold of a file is asked of its tags, which both libraries give, so that both read the same labels.
"""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from segiou.environment.installed import installed
from segiou.evaluation.formats.images import LABELS, of_image, opaque
from segiou.evaluation.masks import DEFLATE, Array, Mask, MaskError, Promise, whole_numbers

Tag = Callable[[int], Any]  # the value of a tag by its number, None where there is none

KIND_OF_PAGE, BITS, COMPRESSION, PHOTOMETRIC, OFFSETS, ORIENTATION, SAMPLES = 254, 258, 259, 262, 273, 274, 277
TILE_OFFSETS, EXTRA_SAMPLES, FORMAT = 324, 338, 339
STRIP_BYTES, TILE_BYTES = 279, 325
SCALE, TIE_POINT, TRANSFORM, GEO_KEYS, NODATA = 33550, 33922, 34264, 34735, 42113
SMALLER, VALID_PIXELS = 1, 4  # bits of the kind of a page
INVERTED, GREY, COLOURS = 0, 1, 2
LOSSY = {
    6: "JPEG", 7: "JPEG", 33003: "JPEG 2000", 33004: "JPEG 2000", 33005: "JPEG 2000", 34712: "JPEG 2000",
    34887: "LERC", 34892: "JPEG", 34927: "WebP", 50001: "WebP", 50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
RATIOS = {1: 1.0, 5: 2600.0, 8: DEFLATE, 32946: DEFLATE, 32773: 64.0}  # the most that a byte can hold
UNSIGNED, SIGNED = 1, 2
NEEDED = "some TIFFs need tifffile: pip install 'segiou[tiff]'"
POINT_KEY, IS_POINT = 1025, 2


def read_tiff(path: Path, max_pixels: int | None) -> Mask:
    """The mask of a TIFF. Raises a MaskError, or whatever the library raises for a broken file."""
    if has_tifffile():
        return _by_tifffile(path, max_pixels)
    try:
        return _by_pillow(path, max_pixels)
    except (SyntaxError, KeyError, IndexError) as error:  # as Pillow says that it does not know the kind
        raise MaskError(path, f"cannot be read ({error}; {NEEDED})") from error


def has_tifffile() -> bool:
    """Whether the extra ``tiff`` is installed."""
    return all(map(installed, ("tifffile", "imagecodecs")))


def _by_tifffile(path: Path, max_pixels: int | None) -> Mask:
    import tifffile

    with tifffile.TiffFile(path) as file:
        pages = [page for page in file.pages if not _kind(page) & SMALLER]
        page: Any = pages[0]
        if any(_kind(other) & VALID_PIXELS for other in pages[1:]):
            raise MaskError(path, "has a page that says which pixels are valid: write a nodata value in its place")
        _require_one(path, len(pages))
        tag: Tag = page.tags.valueof
        _require_labels(path, tag)
        if page.imagedepth != 1:
            raise MaskError(path, f"a mask must be one image, got {page.imagedepth} layers")
        stored = [(at, size) for at, size in zip(page.dataoffsets, page.databytecounts, strict=True) if size]
        held = path.stat().st_size
        if any(at + size > held for at, size in stored):
            raise MaskError(path, "cannot be read (it is cut off)")
        sparse = len(stored) < len(page.dataoffsets)  # the parts that are left out are all nodata
        ratio = None if sparse else RATIOS.get(int(page.compression))
        size = (page.imagelength, page.imagewidth)
        pixel_bytes = page.samplesperpixel * page.bitspersample / 8
        Promise(path, size, pixel_bytes, sum(size for _, size in stored), ratio).require(max_pixels)
        values = page.asarray(maxworkers=1)
        channels = np.moveaxis(values, 0, -1) if page.axes == "SYX" else values
        return _mask(path, channels, tag)


def _kind(page: Any) -> int:
    return int(page.tags.valueof(KIND_OF_PAGE, 0))


def _by_pillow(path: Path, max_pixels: int | None) -> Mask:
    from PIL import TiffImagePlugin

    with TiffImagePlugin.TiffImageFile(path) as image:
        _require_one(path, image.n_frames)
        tag: Tag = image.tag_v2.get
        _require_labels(path, tag)
        sizes = tag(STRIP_BYTES) or tag(TILE_BYTES) or ()
        bits = _several(tag(BITS) or 1)
        width, height = image.size
        Promise(path, (height, width), sum(bits) / 8, sum(_several(sizes)), RATIOS.get(tag(COMPRESSION))).require(
            max_pixels
        )
        kind, floating = _several(tag(FORMAT) or UNSIGNED)[0], image.mode == "F"
        if image.mode not in (*LABELS, "RGB", "RGBA", "LA", "F") or bits[0] not in (1, 8, 16, 32):
            raise MaskError(path, f"cannot be read (it has {bits[0]} bits, mode {image.mode!r}; {NEEDED})")
        if floating or image.mode in LABELS:
            values = np.asarray(image)
            if bits[0] == 8 and kind == SIGNED:
                values = values.view(np.int8)
            elif bits[0] == 32 and kind == UNSIGNED:
                values = values.view(np.uint32)
            return _mask(path, values, tag)
        return of_image(path, image, nodata=_nodata(tag), affine=_affine(tag))


def _require_one(path: Path, pages: int) -> None:
    if pages != 1:
        raise MaskError(path, f"a mask must be one image, got {pages} in one file")


def _require_labels(path: Path, tag: Tag) -> None:
    """Raise a MaskError for what would be read as other labels than were meant."""
    compression, photometric = int(tag(COMPRESSION) or 1), int(tag(PHOTOMETRIC) or 0)
    samples, bits = int(tag(SAMPLES) or 1), _several(tag(BITS) or 1)
    if compression in LOSSY:
        raise MaskError(path, f"is compressed as {LOSSY[compression]}, which changes labels: save it as PNG or deflate")
    if photometric == INVERTED and tag(PHOTOMETRIC) is not None:
        raise MaskError(path, "is stored with 0 as white, which programs read as different numbers: save 0 as black")
    if int(tag(ORIENTATION) or 1) != 1:
        raise MaskError(path, f"is stored turned or flipped (orientation {tag(ORIENTATION)}): save it upright")
    extra = [int(each) for each in _several(tag(EXTRA_SAMPLES) or ())]
    alpha = len(extra) == 1 and extra[0] in (1, 2)
    if samples - alpha != (3 if photometric == COLOURS else 1):
        raise MaskError(path, f"a mask must have one band, or be RGB, got {samples} bands: save the one of the labels")
    if photometric == COLOURS and {*bits} != {8}:
        raise MaskError(path, f"colours must have 8 bits a channel, got {bits[0]}")


def _mask(path: Path, values: Array, tag: Tag) -> Mask:
    """The mask of pixels as they are stored, ``(H, W)`` or ``(H, W, samples)``."""
    facts: dict[str, Any] = {"nodata": _nodata(tag), "affine": _affine(tag)}
    samples = int(tag(SAMPLES) or 1)
    if samples in (2, 4):
        return opaque(path, values, **facts)
    if samples == 3:
        return Mask(path, np.ascontiguousarray(values), colours=True, **facts)
    return whole_numbers(path, values.reshape(values.shape[:2]), **facts)


def _nodata(tag: Tag) -> float | None:
    """The value that GDAL writes down as no data."""
    try:
        return float(str(tag(NODATA)).strip(" \0"))
    except ValueError:
        return None


def _affine(tag: Tag) -> Array | None:
    """From column, row and layer of a pixel to a place on the map (OGC 19-008r4, GeoTIFF 1.1, B.6)."""
    found = np.eye(4)
    transform, scale, tie = (_several(tag(number) or ()) for number in (TRANSFORM, SCALE, TIE_POINT))
    if len(transform) == 16:
        found = np.array(transform, float).reshape(4, 4)
    elif len(scale) == 3 and len(tie) == 6:
        found[0, 0], found[1, 1] = scale[0], -scale[1]
        found[:2, 3] = tie[3] - tie[0] * scale[0], tie[4] + tie[1] * scale[1]
    else:
        return None
    keys = _several(tag(GEO_KEYS) or ())
    point = any(keys[at : at + 4] == (POINT_KEY, 0, 1, IS_POINT) for at in range(4, len(keys), 4))
    if point:  # the place is that of a pixel's centre, and not of its corner
        found[:2, 3] -= found[:2, :2] @ (0.5, 0.5)
    found[2, 2] = found[2, 2] or 1
    return found if math.isfinite(found.sum()) else None


def _several(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, Sequence | np.ndarray) and not isinstance(value, str | bytes) else (value,)
