"""Masks as people have them: what each file is read as, held to what was written by another library or by hand."""

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import segiou.counting.memory
from segiou.evaluation import formats
from segiou.evaluation.mask_files import read_mask
from segiou.evaluation.mask_values import Coding
from segiou.evaluation.masks import Mask, MaskError
from segiou.labels import LabelSet

LABELS = np.array([[0, 1, 2], [3, 7, 1]], np.uint8)


def refused(path: Path, match: str, *how) -> None:
    with pytest.raises(MaskError, match=match) as caught:
        read_mask(path, *how)
    assert caught.value.path == path


def png(width: int, height: int, depth: int, kind: int, rows: bytes) -> bytes:
    """A PNG by hand, of any depth and colour type; ``rows`` are those of pixels, one after the other."""
    side = len(rows) // height
    raw = b"".join(b"\0" + rows[at : at + side] for at in range(0, len(rows), side))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(raw)), (b"IEND", b""))
    parts = [struct.pack(">I", len(d)) + k + d + struct.pack(">I", zlib.crc32(k + d)) for k, d in chunks]
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


# ---- grey in several channels


@pytest.mark.parametrize("mode", ["LA", "RGB", "RGBA"])
@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_in_several_channels_is_labels(tmp_path, mode, suffix):
    Image.fromarray(LABELS).convert(mode).save(tmp_path / f"a{suffix}")
    mask = Coding.of(8).labels_of(read_mask(tmp_path / f"a{suffix}"))
    assert (mask.colours, mask.values.tolist()) == (False, LABELS.tolist())


def test_grey_with_holes_is_refused(tmp_path):
    image = Image.fromarray(LABELS).convert("LA")
    image.putpixel((1, 1), (7, 254))
    image.save(tmp_path / "a.png")
    refused(tmp_path / "a.png", "must be opaque, got an alpha channel below 255 in 1 pixels: save it without alpha")


def rgb_of(*colours) -> Mask:
    return Mask(Path("a.png"), np.array([colours], np.uint8), colours=True)


def test_grey_is_a_colour_where_the_palette_has_it():
    city = LabelSet.of("cityscapes")
    building, pole = (city.names.index(name) for name in ("building", "pole"))
    coding = Coding.of(city)
    greys = rgb_of((70, 70, 70), (153, 153, 153), (0, 0, 0))
    assert coding.classes(coding.labels_of(greys)).tolist() == [[building, pole, 19]]
    raw = rgb_of((7, 7, 7), (33, 33, 33), (0, 0, 0))  # raw ids, which are no colours
    assert coding.classes(coding.labels_of(raw)).tolist() == [[0, 18, 19]]
    with pytest.raises(MaskError, match=r"rgb must hold colours of 'cityscapes', got \(7, 7, 7\)"):
        coding.classes(coding.labels_of(rgb_of((7, 7, 7), (70, 70, 70))))
    mine = LabelSet("mine", ["a", "b", "c"], palette=[[0, 0, 0], [2, 2, 2], [9, 9, 9]])
    coding = Coding.of(mine)
    with pytest.raises(MaskError, match="2 means one thing as a colour of 'mine' and another as a label"):
        coding.labels_of(rgb_of((0, 0, 0), (2, 2, 2)))
    assert coding.classes(coding.labels_of(rgb_of((0, 0, 0), (9, 9, 9)))).tolist() == [[0, 2]]
    assert coding.classes(coding.labels_of(rgb_of((0, 0, 0), (1, 1, 1)))).tolist() == [[0, 1]]


# ---- depths


def test_depths_that_programs_read_differently_are_refused(tmp_path):
    cases = {
        "4": (png(2, 1, 4, 0, bytes([0x01])), "is grey of 4 bits"),
        "2": (png(4, 1, 2, 0, bytes([0b00011011])), "is grey of 2 bits"),
        "16 RGB": (png(1, 1, 16, 2, bytes([0, 7] * 3)), "has 16 bits a channel, of which 8 would be read"),
        "16 grey and alpha": (png(1, 1, 16, 4, bytes([0, 7, 255, 255])), "has 16 bits a channel"),
    }
    for name, (data, reason) in cases.items():
        (tmp_path / f"{name}.png").write_bytes(data)
        refused(tmp_path / f"{name}.png", reason)
    (tmp_path / "wide.png").write_bytes(png(2, 1, 16, 0, bytes([1, 7, 0, 2])))
    assert read_mask(tmp_path / "wide.png").values.tolist() == [[263, 2]]
    (tmp_path / "bit.png").write_bytes(png(8, 1, 1, 0, bytes([0b00011011])))
    assert read_mask(tmp_path / "bit.png").values.astype(int).tolist() == [[0, 0, 0, 1, 1, 0, 1, 1]]


# ---- floating numbers


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_floating_numbers_that_are_whole_are_labels(tmp_path, dtype):
    np.save(tmp_path / "a.npy", LABELS.astype(dtype))
    np.savez(tmp_path / "a.npz", LABELS.astype(dtype))
    for name in ("a.npy", "a.npz"):
        mask = read_mask(tmp_path / name)
        assert mask.values.dtype == np.int32
        assert mask.values.tolist() == LABELS.tolist()
    np.save(tmp_path / "b.npy", np.array([2.0**40, -1], np.float64))
    assert read_mask(tmp_path / "b.npy").values.tolist() == [2**40, -1]


@pytest.mark.parametrize("odd", [0.5, np.inf, -np.inf, 1e20])
def test_floating_numbers_that_are_no_labels_are_refused(tmp_path, odd):
    np.save(tmp_path / "a.npy", np.array([1, odd, np.nan]))
    refused(tmp_path / "a.npy", r"must hold whole numbers, got float64 with .* \(1 of 3 pixels\): save class ids")


def test_not_a_number_is_said_and_left_out_where_asked_for(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[1, np.nan, 0]]))
    mask = read_mask(tmp_path / "a.npy")
    with pytest.raises(MaskError, match="got NaN in 1 pixel: pass --ignore-index nan if they are not to be scored"):
        Coding.of(2).classes(mask)
    with pytest.raises(MaskError, match="pass --ignore-index nan if they are of no class, which makes them misses"):
        Coding.of(2, of_label=False).classes(mask)
    assert Coding.of(2, missing=True).classes(mask).tolist() == [[1, 2, 0]]


# ---- TIFF, by both libraries


@pytest.fixture(params=["tifffile", "Pillow"])
def library(request, monkeypatch):
    if request.param == "tifffile":
        pytest.importorskip("tifffile")
        pytest.importorskip("imagecodecs")
    else:
        monkeypatch.setattr(formats.tiff, "has_tifffile", lambda: False)
    return request.param


def tiff(path: Path, values: np.ndarray, **how) -> Path:
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(path, values, **how)
    return path


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "i4", "u4", "f4"])
@pytest.mark.parametrize("compression", [None, "deflate", "lzw", "packbits"])
def test_tiffs_keep_their_numbers_and_signs(tmp_path, library, dtype, compression):
    values = np.array([[0, 1, 120], [3, 7, 1]]).astype(dtype)
    if dtype in ("i1", "i2", "i4", "f4"):
        values[0, 0] = -1
    if dtype == "u4":
        values[0, 0] = 2**32 - 1
    path = tiff(tmp_path / "a.tif", values, compression=compression)
    assert read_mask(path).values.tolist() == values.tolist()


def test_tiffs_in_tiles_big_ones_and_other_byte_orders(tmp_path, library):
    values = np.random.default_rng(0).integers(0, 200, (70, 90)).astype(np.uint8)
    for how in ({"tile": (32, 32), "compression": "lzw"}, {"bigtiff": True}, {"byteorder": ">"}, {"rowsperstrip": 7}):
        path = tiff(tmp_path / "a.tif", values, **how)
        assert read_mask(path).values.tolist() == values.tolist(), how
    wide = values.astype(np.uint16) * 300
    assert read_mask(tiff(tmp_path / "b.tif", wide, byteorder=">")).values.tolist() == wide.tolist()


def test_predictors_zstd_and_64_bits(tmp_path, library):
    values = np.random.default_rng(0).integers(0, 200, (40, 50))
    for how, dtype in (
        ({"predictor": True, "compression": "deflate"}, "f4"),
        ({"compression": "zstd"}, "u1"),
        ({}, "i8"),
    ):
        path = tiff(tmp_path / "a.tif", values.astype(dtype), **how)
        if library == "tifffile" or dtype != "i8":
            assert read_mask(path).values.tolist() == values.tolist()
        else:
            refused(path, r"some TIFFs need tifffile: pip install 'segiou\[tiff\]'")


REFUSED = {
    "two bands": ({"planarconfig": "contig"}, (6, 5, 2), "u1", "must have one band, or be RGB, got 2 bands"),
    "two planes": ({"planarconfig": "separate", "photometric": "minisblack"}, (2, 6, 5), "u1", "got 2 bands"),
    "three bands": ({"photometric": "minisblack", "planarconfig": "contig"}, (6, 5, 3), "u1", "got 3 bands"),
    "two pages": ({"photometric": "minisblack"}, (2, 6, 5), "u1", "a mask must be one image, got 2 in one file"),
    "white as zero": ({"photometric": "miniswhite"}, (6, 5), "u1", "is stored with 0 as white"),
    "colours of 16 bits": ({"photometric": "rgb"}, (6, 5, 3), "u2", "colours must have 8 bits a channel, got 16"),
    "JPEG": ({"compression": "jpeg"}, (16, 16), "u1", "is compressed as JPEG, which changes labels"),
    "turned": ({"extratags": [(274, "H", 1, 6, True)]}, (6, 5), "u1", "is stored turned or flipped"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_tiffs_that_would_be_read_as_other_labels_are_refused(tmp_path, library, case):
    how, shape, dtype, reason = REFUSED[case]
    unknown = "|some TIFFs need tifffile" if library == "Pillow" and "bands" in case + reason else ""
    refused(tiff(tmp_path / "a.tif", np.ones(shape, dtype), **how), reason + unknown)


def test_colours_in_tiff(tmp_path, library):
    rgb = np.arange(90).reshape(5, 6, 3).astype(np.uint8)
    for values, how in (
        (rgb, {}),
        (np.dstack([rgb, np.full((5, 6), 255, np.uint8)]), {"extrasamples": ["unassalpha"]}),
    ):
        mask = read_mask(tiff(tmp_path / "a.tif", values, photometric="rgb", **how))
        assert mask.colours
        assert mask.values.tolist() == rgb.tolist()


def test_overviews_are_no_pages(tmp_path):
    tifffile = pytest.importorskip("tifffile")
    pytest.importorskip("imagecodecs")
    values = np.random.default_rng(0).integers(0, 9, (64, 64)).astype(np.uint8)
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(values, tile=(16, 16), photometric="minisblack", metadata=None)
        file.write(values[::2, ::2], tile=(16, 16), photometric="minisblack", subfiletype=1, metadata=None)
    assert read_mask(tmp_path / "a.tif").values.tolist() == values.tolist()
    with tifffile.TiffWriter(tmp_path / "b.tif") as file:
        file.write(values, photometric="minisblack", metadata=None)
        file.write(values > 3, photometric="minisblack", subfiletype=4, metadata=None)
    refused(tmp_path / "b.tif", "has a page that says which pixels are valid")


NODATA = 42113


def test_nodata_is_said(tmp_path, library):
    def of(values, nodata):
        return tiff(tmp_path / "a.tif", values, extratags=[(NODATA, "s", 0, nodata, True)])

    mask = read_mask(of(np.array([[0, 1, -9999]], np.int16), "-9999"))
    assert mask.nodata == -9999
    with pytest.raises(
        MaskError, match="or --ignore-index -9999 if these pixels are not to be scored, as the file decl"
    ):
        Coding.of(2).classes(mask)
    assert Coding.of(2, [-9999]).classes(mask).tolist() == [[0, 1, 2]]
    low = np.finfo(np.float32).min
    mask = read_mask(of(np.array([[0, 1, low]], np.float32), str(low)))
    with pytest.raises(MaskError, match="got NaN or the nodata value of the file in 1 pixel: pass --ignore-index nan"):
        Coding.of(2).classes(mask)
    assert Coding.of(2, missing=True).classes(mask).tolist() == [[0, 1, 2]]


def test_a_tiff_that_is_cut_off_anywhere_is_an_error(tmp_path, library):
    values = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    for how in ({}, {"compression": "deflate"}, {"compression": "lzw", "tile": (16, 16)}):
        whole = tiff(tmp_path / "a.tif", values, **how).read_bytes()
        for length in range(0, len(whole) - 1, 37):
            (tmp_path / "b.tif").write_bytes(whole[:length])
            refused(tmp_path / "b.tif", "cannot be read")
        if library == "tifffile":
            (tmp_path / "b.tif").write_bytes(whole[:-1])
            refused(tmp_path / "b.tif", "it is cut off")


# ---- sizes


def test_large_images_are_read(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)  # Pillow's own limit, which is for photos from the net
    values = np.random.default_rng(0).integers(0, 3, (80, 90)).astype(np.uint8)
    for name in ("a.png", "a.bmp", "a.tif"):
        Image.fromarray(values).save(tmp_path / name)
        assert read_mask(tmp_path / name).values.tolist() == values.tolist()


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.npy", "a.npz", "a.nii.gz"])
def test_a_limit_of_pixels_is_held(tmp_path, name):
    values = np.zeros((30, 40), np.uint8)
    if name.startswith("a.np"):
        {"a.npy": np.save, "a.npz": np.savez}[name](tmp_path / name, values)
    elif name == "a.nii.gz":
        nibabel = pytest.importorskip("nibabel")
        nibabel.save(nibabel.Nifti1Image(values, None), tmp_path / name)
    else:
        Image.fromarray(values).save(tmp_path / name)
    assert read_mask(tmp_path / name, 1200).shape == (30, 40)
    refused(tmp_path / name, "is 30x40, 1,200 pixels, and --max-pixels allows 1,199", 1199)


def test_what_does_not_fit_into_memory_is_refused(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((30, 40), np.uint8))
    monkeypatch.setattr(segiou.counting.memory, "physical_memory", lambda: 1024)
    refused(tmp_path / "a.npy", "is 30x40, which takes 1 KiB of memory, and this machine has 1 KiB")


def test_headers_that_promise_more_than_the_bytes_can_hold(tmp_path, library):
    (tmp_path / "a.png").write_bytes(png(100_000, 1, 8, 0, bytes(100)))
    whole = bytearray(tiff(tmp_path / "a.tif", np.zeros((64, 64), np.uint8), compression="deflate").read_bytes())
    for number in (256, 257, 278):  # width, height, and the rows of the one strip
        at = next(
            whole.index(struct.pack("<HHI", number, kind, 1))
            for kind in (3, 4)
            if struct.pack("<HHI", number, kind, 1) in whole
        )
        whole[at + 2 : at + 12] = struct.pack("<HII", 4, 1, 30_000)
    (tmp_path / "a.tif").write_bytes(whole)
    refused(tmp_path / "a.tif", "its header promises 30000x30000 pixels, more than its .* bytes can hold")
    with (tmp_path / "a.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": (10**5, 10**5)})
    for name in ("a.png", "a.tif", "a.npy"):
        refused(tmp_path / name, "cannot be read")


# ---- JPEG


def test_jpeg_is_refused_with_the_reason(tmp_path):
    for name in ("a.jpg", "a.JPEG"):
        Image.fromarray(LABELS).save(tmp_path / name)
        refused(tmp_path / name, "is a JPEG, which changes labels near every edge: save masks as PNG")
    (tmp_path / "a.jpg").rename(tmp_path / "a.png")
    refused(tmp_path / "a.png", "cannot be read .*JPEG, which changes labels")


def test_a_header_that_python_fails_to_parse_once_is_read_again(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.ones((2, 3), np.uint8))
    failures = [SystemError("AST constructor recursion depth mismatch")]
    header = np.lib.format.read_array_header_1_0

    def once(file):
        if failures:
            raise failures.pop()
        return header(file)

    monkeypatch.setattr(np.lib.format, "read_array_header_1_0", once)
    assert formats.arrays.read_npy(tmp_path / "a.npy", None).values.sum() == 6
    assert not failures
