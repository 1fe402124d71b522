"""Masks from files: what is read, and that every broken file says its name."""

import os
import pickle
import struct
import sys
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segiou.evaluation.mask_files import SUFFIXES, read_mask, suffix_of
from segiou.evaluation.masks import MaskError, shown

LABELS = np.array([[0, 1, 2], [255, 7, 1]], np.uint8)
WIDE = np.array([[0, 1, 256], [65535, 7, 1]], np.uint16)


def saved(path: Path, values: np.ndarray) -> Path:
    Image.fromarray(values).save(path)
    return path


def values_of(path: Path) -> np.ndarray:
    return read_mask(path).values


@pytest.mark.parametrize("suffix", [".png", ".tif", ".TIFF", ".bmp"])
def test_an_image_of_8_bits(tmp_path, suffix):
    mask = values_of(saved(tmp_path / f"a{suffix}", LABELS))
    assert mask.dtype == np.uint8
    assert mask.tolist() == LABELS.tolist()


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_an_image_of_16_bits(tmp_path, suffix):
    assert values_of(saved(tmp_path / f"a{suffix}", WIDE)).tolist() == WIDE.tolist()


def test_the_places_in_a_palette_are_the_labels_and_not_its_colours(tmp_path):
    image = Image.fromarray(LABELS)
    image.putpalette(np.random.default_rng(0).integers(0, 256, 768, dtype=np.uint8).tobytes())
    image.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P"
    assert values_of(tmp_path / "a.png").tolist() == LABELS.tolist()


def test_an_image_of_one_bit(tmp_path):
    assert values_of(saved(tmp_path / "a.png", LABELS == 1)).tolist() == (LABELS == 1).tolist()


@pytest.mark.parametrize("channels", [3, 4])
def test_colours_are_known_from_arrays_of_three_axes(tmp_path, channels):
    rgba = np.full((2, 5, 4), 255, np.uint8)
    rgba[..., :3] = np.arange(30).reshape(2, 5, 3)
    found = read_mask(saved(tmp_path / "a.png", rgba[..., :channels]))
    assert found.colours
    assert found.values.tolist() == rgba[..., :3].tolist()
    np.save(tmp_path / "a.npy", rgba[..., :3])
    assert not read_mask(tmp_path / "a.npy").colours


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint32, np.int64, np.uint64, np.bool_, ">i4"])
def test_arrays_of_any_whole_numbers(tmp_path, dtype):
    values = np.array([[[0, 1], [1, 0]]]).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    np.savez_compressed(tmp_path / "a.npz", mask=values)
    for name in ("a.npy", "a.npz"):
        found = values_of(tmp_path / name)
        assert found.dtype == (np.uint8 if dtype is np.bool_ else np.dtype(dtype))
        assert found.tolist() == values.tolist()


def refused(path: Path, match: str) -> None:
    with pytest.raises(MaskError, match=match) as caught:
        read_mask(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert caught.value.path == path


@pytest.mark.parametrize("suffix", [".png", ".tif", ".bmp", ".npy", ".npz"])
def test_a_file_that_is_cut_off_anywhere(tmp_path, suffix):
    path, rng = tmp_path / f"a{suffix}", np.random.default_rng(0)
    values = rng.integers(0, 255, (40, 50), dtype=np.uint8)
    {".npy": np.save, ".npz": np.savez}.get(suffix, saved)(path, values)
    whole = path.read_bytes()
    for length in [0, 1, 10, 60, 140, len(whole) // 2]:
        path.write_bytes(whole[:length])
        refused(path, "cannot be read")


def test_a_png_with_a_flipped_bit_is_an_error_and_never_other_labels(tmp_path):
    path = saved(tmp_path / "a.png", np.arange(600, dtype=np.uint8).reshape(20, 30) // 40)
    whole = path.read_bytes()
    pixels = range(whole.index(b"IDAT"), whole.index(b"IEND") - 4)
    assert len(pixels) > 60
    for bit in range(8 * pixels.start, 8 * pixels.stop, 3):
        data = bytearray(whole)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        refused(path, "cannot be read")


def test_a_file_of_another_kind_under_the_name_of_a_mask(tmp_path):
    for suffix in SUFFIXES[:6]:
        (tmp_path / f"a{suffix}").write_text("no mask")
        refused(tmp_path / f"a{suffix}", "cannot be read")


def test_no_file_a_folder_and_a_link_to_itself(tmp_path):
    refused(tmp_path / "a.png", r"cannot be read \(No such file or directory\)")
    (tmp_path / "b.png").mkdir()
    refused(tmp_path / "b.png", r"cannot be read \(Is a directory\)")
    (tmp_path / "c.png").symlink_to(tmp_path / "c.png")
    refused(tmp_path / "c.png", r"cannot be read \(Too many levels of symbolic links\)")


def test_lossy_images_are_refused(tmp_path):
    refused(saved(tmp_path / "a.jpg", LABELS), "is a JPEG, which changes labels near every edge: save masks as PNG")
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    refused(tmp_path / "a.png", "cannot be read")
    Image.fromarray(LABELS).save(tmp_path / "a.tif", compression="jpeg")
    refused(tmp_path / "a.tif", "is compressed as JPEG, which changes labels")


def test_what_holds_no_labels(tmp_path):
    Image.fromarray(np.full((2, 2, 4), 9, np.uint8), "CMYK").save(tmp_path / "a.tif")
    refused(tmp_path / "a.tif", "a mask must have one band, or be RGB, got 4 bands")
    refused(
        saved(tmp_path / "b.tif", LABELS + np.float32(0.5)), r"got float32 with 0\.5 among others \(6 of 6 pixels\)"
    )
    rgba = np.full((2, 2, 4), 254, np.uint8)
    refused(saved(tmp_path / "c.png", rgba), "an alpha channel below 255")
    np.save(tmp_path / "d.npy", LABELS.astype(np.complex64))
    refused(tmp_path / "d.npy", "got complex64: save class ids, not scores")
    grey = Image.fromarray(LABELS)
    grey.save(tmp_path / "e.tif", save_all=True, append_images=[grey])
    refused(tmp_path / "e.tif", "a mask must be one image, got 2 in one file")
    np.savez(tmp_path / "f.npz", a=LABELS, b=LABELS)
    refused(tmp_path / "f.npz", "must hold one array, got 2: a.npy, b.npy")


class Bomb:
    """What runs where it is unpickled."""

    def __reduce__(self):
        return os.mkdir, (os.environ["SEGIOU_TEST_BOMB"],)


@pytest.mark.parametrize("save", ["npy", "npz"])
def test_pickles_are_not_opened(tmp_path, monkeypatch, save):
    monkeypatch.setenv("SEGIOU_TEST_BOMB", str(tmp_path / "exploded"))
    path = tmp_path / f"a.{save}"
    {"npy": np.save, "npz": np.savez}[save](path, np.array([Bomb()], dtype=object))
    refused(path, "allow_pickle=False")
    assert not (tmp_path / "exploded").exists()
    with pytest.raises(pickle.UnpicklingError):  # as numpy says of a file that is a pickle and nothing else
        pickle.loads(b"no pickle")
    (tmp_path / "b.npy").write_bytes(pickle.dumps(LABELS.tolist()))
    refused(tmp_path / "b.npy", "cannot be read")


def png_of(width: int, height: int) -> bytes:
    """A small file that claims a size."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(b"\0" * 100)), (b"IEND", b""))
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def test_a_decompression_bomb_is_refused_before_it_is_opened(tmp_path):
    (tmp_path / "a.png").write_bytes(png_of(30_000, 30_000))
    refused(tmp_path / "a.png", "decompression bomb")
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        text = "{'descr': '|u1', 'fortran_order': False, 'shape': (65536, 65536), }"
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", 118) + text.ljust(117).encode() + b"\n")
    refused(tmp_path / "a.npz", "its header promises 65536x65536 pixels, more than its 128 bytes can hold")


def test_nifti_needs_nibabel(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "nibabel", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    refused(tmp_path / "a.nii.gz", "NIfTI needs nibabel: pip install nibabel")


@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_nifti(tmp_path, suffix):
    nibabel = pytest.importorskip("nibabel")
    for dtype in (np.uint8, np.int16, np.float32):
        values = np.arange(24).reshape(2, 3, 4).astype(dtype)
        nibabel.save(nibabel.Nifti1Image(values, np.eye(4)), tmp_path / f"a{suffix}")
        assert values_of(tmp_path / f"a{suffix}").tolist() == values.tolist()
    nibabel.save(nibabel.Nifti1Image(np.full((2, 2, 2), 0.5, np.float32), np.eye(4)), tmp_path / f"b{suffix}")
    refused(tmp_path / f"b{suffix}", "must hold whole numbers, got float")


def test_the_longest_suffix_counts():
    assert suffix_of(Path("a.b/x.NII.GZ")) == ".nii.gz"
    assert suffix_of(Path("x.gz")) is None
    assert suffix_of(Path("x.png.txt")) is None


def test_errors_of_masks_can_be_sent_to_another_process():
    error = pickle.loads(pickle.dumps(MaskError(Path("a.png"), "is broken")))
    assert (str(error), error.path, error.reason) == ("a.png: is broken", Path("a.png"), "is broken")


def test_names_that_are_no_text_are_shown_escaped():
    assert shown(Path(os.fsdecode(b"\xff.png"))) == "\\xff.png"
