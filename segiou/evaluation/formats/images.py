"""Masks in PNG and BMP, by Pillow: grey, palette or colours."""

import struct
from pathlib import Path
from typing import Any

import numpy as np

from segiou.evaluation.masks import DEFLATE, Mask, MaskError, Promise

LABELS = ("L", "P", "I", "I;16", "I;16L", "I;16B")  # one whole number a pixel, as Pillow calls them
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of each colour type of PNG
GREY = 0
RUN_LENGTH = 128  # the most bytes that one byte of a run-length BMP can hold


def read_png(path: Path, max_pixels: int | None) -> Mask:
    """The mask of a PNG. Raises a MaskError, or whatever Pillow raises for a broken file."""
    from PIL import PngImagePlugin

    with path.open("rb") as file:
        width, height, depth, kind = struct.unpack(">IIBB", file.read(26)[16:])
    pixel_bytes = CHANNELS.get(kind, 1) * depth / 8
    Promise(path, (height, width), pixel_bytes, path.stat().st_size, DEFLATE).require(max_pixels)
    if kind == GREY and depth in (2, 4):
        raise MaskError(
            path, f"is grey of {depth} bits, which programs read as different numbers: save 8 bits, or a palette"
        )
    if depth == 16 and kind != GREY:
        raise MaskError(path, "has 16 bits a channel, of which 8 would be read: save one grey channel of 16 bits")
    # not by Image.open, which refuses large images whatever the file holds
    with PngImagePlugin.PngImageFile(path) as image:
        image.verify()  # of its checksums, which reading the pixels does not look at
    with PngImagePlugin.PngImageFile(path) as image:
        if getattr(image, "n_frames", 1) != 1:
            raise MaskError(path, f"a mask must be one image, got {image.n_frames} in one file")
        return of_image(path, image)


def read_bmp(path: Path, max_pixels: int | None) -> Mask:
    """The mask of a BMP. Raises a MaskError, or whatever Pillow raises for a broken file."""
    from PIL import BmpImagePlugin

    with BmpImagePlugin.BmpImageFile(path) as image:
        width, height = image.size
        held = path.stat().st_size
        Promise(path, (height, width), len(image.getbands()), held, RUN_LENGTH).require(max_pixels)
        return of_image(path, image)


def of_image(path: Path, image: Any, **facts: Any) -> Mask:
    """The mask of an image that Pillow has opened: one whole number a pixel, or opaque colours."""
    if image.mode == "1":
        return Mask(path, np.asarray(image).astype(np.uint8), **facts)
    if image.mode in LABELS:
        return Mask(path, np.asarray(image), **facts)
    if image.mode == "RGB":
        return Mask(path, np.asarray(image), colours=True, **facts)
    if image.mode in ("LA", "RGBA"):
        return opaque(path, np.asarray(image), **facts)
    raise MaskError(path, f"a mask must hold whole numbers or RGB colours, got an image of mode {image.mode!r}")


def opaque(path: Path, channels: Any, **facts: Any) -> Mask:
    """The mask of grey or colours with an alpha channel, the last one. Raises a MaskError unless all is opaque."""
    alpha = channels[..., -1]
    see_through = int((alpha != np.iinfo(alpha.dtype).max).sum())
    if see_through:
        raise MaskError(
            path,
            f"labels and colours must be opaque, got an alpha channel below {np.iinfo(alpha.dtype).max} in "
            f"{see_through:,} pixels: save it without alpha",
        )
    values = np.ascontiguousarray(channels[..., :-1])
    return Mask(path, values, colours=True, **facts) if values.shape[-1] == 3 else Mask(path, values[..., 0], **facts)
