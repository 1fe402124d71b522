"""One label mask as a file holds it, and what is wrong with one."""

import math
import os
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np

from segiou.counting.memory import lack_of_memory

Array = np.ndarray[Any, Any]

DEFLATE = 1032  # the most bytes that one byte of deflate can hold
LARGEST = 2**53  # whole numbers that floating ones hold exactly are below


class MaskError(ValueError):
    """A mask that cannot be scored: ``path`` and ``reason``."""

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{shown(path)}: {reason}")
        self.path = path
        self.reason = reason

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.reason)


@dataclass(frozen=True, eq=False)
class Mask:
    """The pixels of one file.

    Args:
        path: of the file.
        values: integers or bools of any shape; where the file holds colours, uint8 ``(H, W, 3)``.
        colours: whether the values are red, green and blue.
        missing: bool, of the shape of the values: pixels without a number (NaN), whose value means nothing; or None.
        nodata: the value that the file itself declares to be no data, or None.
        affine: ``(4, 4)``, from pixel places to places in the world, or None where the file does not say.
    """

    path: Path
    values: Array
    colours: bool = False
    missing: Array | None = None
    nodata: float | None = None
    affine: Array | None = None

    @property
    def shape(self) -> tuple[int, ...]:
        """The size in pixels."""
        shape: tuple[int, ...] = self.values.shape
        return shape[:2] if self.colours else shape


@dataclass(frozen=True)
class Promise:
    """What the header of a file says that it holds, known before its pixels are read.

    Args:
        path: of the file.
        shape: the size in pixels.
        pixel_bytes: memory that one pixel takes.
        held: the bytes of the file that hold pixels.
        ratio: how many bytes of pixels one of them can hold at most; None where there is no bound.
    """

    path: Path
    shape: tuple[int, ...]
    pixel_bytes: float
    held: int
    ratio: float | None

    def require(self, max_pixels: int | None) -> None:
        """Raise a MaskError for more pixels than are allowed, than the bytes can hold, or than fit into memory."""
        pixels = math.prod(self.shape)
        size = "x".join(map(str, self.shape))
        if max_pixels is not None and pixels > max_pixels:
            raise MaskError(self.path, f"is {size}, {pixels:,} pixels, and --max-pixels allows {max_pixels:,}")
        most = math.inf if self.ratio is None else self.held * self.ratio
        if pixels * self.pixel_bytes > most + 1024:
            raise MaskError(
                self.path,
                f"cannot be read (its header promises {size} pixels, more than its {self.held:,} bytes can hold: "
                "a decompression bomb, or cut off)",
            )
        lack = lack_of_memory(math.ceil(pixels * max(self.pixel_bytes, 1)))
        if lack:
            raise MaskError(self.path, f"is {size}, which {lack}")


def shown(path: PurePath) -> str:
    """A path as text that can be written anywhere: bytes of its name that are no UTF-8 are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def whole_numbers(path: Path, values: Array, nodata: float | None = None, affine: Array | None = None) -> Mask:
    """A mask of an array: integers as they are, floating numbers as the whole ones that they are.

    Raises:
        MaskError: fractions, infinities, or numbers of another kind.
    """
    if not values.ndim:
        raise MaskError(path, "a mask must have pixels along one axis or more, got a single number")
    kind = values.dtype.kind
    if kind == "b":  # so that 0 and 1 are what errors name
        return Mask(path, values.view(np.uint8), nodata=nodata, affine=affine)
    if kind in "iu":
        return Mask(path, values, nodata=nodata, affine=affine)
    if kind != "f":
        raise MaskError(path, f"a mask must hold whole numbers, got {values.dtype}: save class ids, not scores")
    values = values.astype(np.float32) if values.dtype.itemsize == 2 else values  # float16 knows no number so large
    missing = np.isnan(values)
    if nodata is not None and abs(nodata) >= LARGEST:  # such as -3.4e38, which no integer can stand for
        with np.errstate(over="ignore"):
            missing |= values == values.dtype.type(nodata)
        nodata = math.nan
    numbers = np.where(missing, 0, values)
    odd = ~((numbers == np.rint(numbers)) & (abs(numbers) < LARGEST))
    if odd.any():
        first = float(numbers[odd][0])
        raise MaskError(
            path,
            f"a mask must hold whole numbers, got {values.dtype} with {first:g} among others "
            f"({int(odd.sum()):,} of {odd.size:,} pixels): save class ids, not scores",
        )
    found = numbers.astype(np.int32 if not numbers.size or abs(numbers).max() < 2**31 else np.int64)
    return Mask(path, found, missing=missing if missing.any() else None, nodata=nodata, affine=affine)
