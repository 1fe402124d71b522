"""Masks in NPY, NPZ and NIfTI: arrays of any number of axes."""

import functools
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from segiou.environment.installed import installed
from segiou.evaluation.masks import DEFLATE, Mask, MaskError, Promise, whole_numbers

Read = Callable[[Path, int | None], Mask]


def _twice(read: Read) -> Read:
    """Read once more where Python 3.11 fails to parse a header, as it does now and then in a garbage collection."""

    @functools.wraps(read)
    def reading(path: Path, max_pixels: int | None) -> Mask:
        try:
            return read(path, max_pixels)
        except SystemError:
            return read(path, max_pixels)

    return reading


@_twice
def read_npy(path: Path, max_pixels: int | None) -> Mask:
    """The mask of an NPY file. Raises a MaskError, or whatever numpy raises for a broken file."""
    with path.open("rb") as file:
        shape, dtype = _header(file)
        Promise(path, shape, dtype.itemsize, path.stat().st_size, 1).require(max_pixels)
        file.seek(0)
        return whole_numbers(path, np.asarray(np.lib.format.read_array(file, allow_pickle=False)))


@_twice
def read_npz(path: Path, max_pixels: int | None) -> Mask:
    """The mask of an NPZ file of one array. Raises a MaskError, or whatever a broken file leads to."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        if len(names) != 1:
            raise MaskError(
                path, f"an npz file must hold one array, got {len(names)}: {', '.join(names)[:200]}: save the one"
            )
        info = archive.getinfo(names[0])
        ratio = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: DEFLATE}.get(info.compress_type)
        with archive.open(info) as stored:
            shape, dtype = _header(stored)
        Promise(path, shape, dtype.itemsize, info.compress_size, ratio).require(max_pixels)
        with archive.open(info) as stored:
            return whole_numbers(path, np.asarray(np.lib.format.read_array(stored, allow_pickle=False)))


def _header(file: Any) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype as the file of an array promises them."""
    version = np.lib.format.read_magic(file)
    if version == (1, 0):
        shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    else:
        shape, _, dtype = np.lib.format.read_array_header_2_0(file)
    return shape, dtype


def read_nifti(path: Path, max_pixels: int | None) -> Mask:
    """The mask of a NIfTI file. Raises a MaskError, or whatever nibabel raises for a broken file."""
    if not installed("nibabel"):
        raise MaskError(path, "NIfTI needs nibabel: pip install nibabel")
    import nibabel

    volume: Any = nibabel.load(path)
    stored = np.dtype(volume.get_data_dtype())
    ratio = DEFLATE if path.name.lower().endswith(".gz") else 1
    Promise(path, volume.shape, stored.itemsize, path.stat().st_size, ratio).require(max_pixels)
    header = volume.header
    known = any(int(header[code]) for code in ("sform_code", "qform_code") if code in header)
    values = np.asanyarray(volume.dataobj)
    return whole_numbers(path, values, affine=np.asarray(volume.affine, float) if known else None)
