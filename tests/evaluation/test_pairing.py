"""Masks that belong together, by their names."""

import os
import re
from pathlib import Path

import pytest

from segiou.evaluation.mask_files import SUFFIXES
from segiou.evaluation.pairing import Item, pair, stem_of


def folder(path: Path, *names: str) -> Path:
    path.mkdir(exist_ok=True)
    for name in names:
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).touch()
    return path


def test_masks_pair_by_relative_path_and_stem_whatever_their_suffix(tmp_path):
    a = folder(tmp_path / "a", "x.png", "in/x.npy", "in/deep/z.nii.gz")
    b = folder(tmp_path / "b", "in/deep/z.tif", "x.png", "in/x.PNG")
    found = pair([a], b)
    assert found.unpaired == ()
    assert found.items == (
        Item("in/deep/z", (a / "in/deep/z.nii.gz",), b / "in/deep/z.tif"),
        Item("in/x", (a / "in/x.npy",), b / "in/x.PNG"),
        Item("x", (a / "x.png",), b / "x.png"),
    )


def test_suffixes_of_stems_are_taken_off_and_files_without_them_left_aside(tmp_path):
    a = folder(tmp_path / "a", "x_pred.png", "other.png")
    b = folder(tmp_path / "b", "x_gt_ids.png", "x_gt_color.png", "x.jpg")
    assert pair([a], b, "_pred", "_gt_ids").items == (Item("x", (a / "x_pred.png",), b / "x_gt_ids.png"),)


def test_what_does_not_pair_is_listed(tmp_path):
    a = folder(tmp_path / "a", "x.png", "only a.png", "in/y.png")
    b = folder(tmp_path / "b", "x.png", "y.png")
    found = pair([a], b)
    assert [item.name for item in found.items] == ["x"]
    assert found.unpaired == (
        ("in/y", f"nothing of this name in {b}"),
        ("only a", f"nothing of this name in {b}"),
        ("y", f"nothing of this name in {a}"),
    )


def test_two_files_of_one_name_are_listed_and_none_is_taken(tmp_path):
    a, b = folder(tmp_path / "a", "x.png", "x.npy", "y.png"), folder(tmp_path / "b", "x.png", "y.png")
    found = pair([a], b)
    assert [item.name for item in found.items] == ["y"]
    assert found.unpaired == (("x", f"several files of one name: {a / 'x.npy'}, {a / 'x.png'}"),)


def test_two_models_pair_with_the_same_labels(tmp_path):
    a, b, c = (folder(tmp_path / name, "x.png") for name in "abc")
    folder(b, "y.png")
    folder(c, "y.png")
    found = pair([a, b], c)
    assert found.items == (Item("x", (a / "x.png", b / "x.png"), c / "x.png"),)
    assert found.unpaired == (("y", f"nothing of this name in {a}"),)


def test_files_pair_whatever_their_names(tmp_path):
    folder(tmp_path, "a.png", "b.npy")
    assert pair([tmp_path / "a.png"], tmp_path / "b.npy").items == (
        Item("b", (tmp_path / "a.png",), tmp_path / "b.npy"),
    )


def test_links_are_followed_and_loops_are_not(tmp_path):
    a, b, far = folder(tmp_path / "a", "in/x.png"), folder(tmp_path / "b", "in/x.png"), tmp_path / "far"
    folder(far, "y.png")
    for place in (a, b):
        (place / "in" / "back").symlink_to(place)
        (place / "in" / "self").symlink_to(place / "in")
        (place / "linked").symlink_to(far)
    (far / "to a").symlink_to(a)
    found = pair([a], b)
    names = [item.name for item in found.items]
    assert "in/x" in names
    assert "linked/y" in names
    assert max(name.count("/") for name in [*names, *(name for name, _ in found.unpaired)]) <= 3


def test_hidden_files_and_folders_are_no_masks(tmp_path):
    junk = ("._x.png", ".DS_Store", ".ipynb_checkpoints/x-checkpoint.png", "__MACOSX/._x.png", "in/._y.png", ".png")
    a, b = folder(tmp_path / ".a", "x.png", "in/y.png", *junk), folder(tmp_path / "b", "x.png", "in/y.png", ".z.png")
    found = pair([a], b)
    assert [item.name for item in found.items] == ["in/y", "x"]
    assert found.unpaired == ()
    assert set(found.files) == {place / name for place in (a, b) for name in ("x.png", "in/y.png")}


def test_jpegs_are_no_masks_and_the_reason_is_said(tmp_path):
    reason = "is a JPEG, which changes labels near every edge: save masks as PNG"
    a, b = folder(tmp_path / "a", "x.png", "in/y_p.JPG"), folder(tmp_path / "b", "x.png", "in/y.png", "photo.jpg")
    found = pair([a], b)
    assert [item.name for item in found.items] == ["x"]
    assert found.unpaired == (("in/y", f"nothing of this name in {a}"),)
    folder(a, "x_p.png")
    assert pair([a], b, "_p").unpaired == (("in/y", f"nothing of this name in {a}: {a}/in/y_p.JPG {reason}"),)
    with pytest.raises(
        ValueError, match=re.escape(f"holds no mask ({', '.join(SUFFIXES)}), but .jpeg: z.jpeg {reason}")
    ):
        pair([folder(tmp_path / "c", "z.jpeg")], b)


@pytest.mark.skipif(os.getuid() == 0, reason="root reads every folder")
def test_a_folder_that_cannot_be_read_is_an_error(tmp_path):
    a, b = folder(tmp_path / "a", "x.png", "in/y.png"), folder(tmp_path / "b", "x.png")
    (a / "in").chmod(0)
    try:
        with pytest.raises(ValueError, match=r"in cannot be read \(Permission denied\)"):
            pair([a], b)
    finally:
        (a / "in").chmod(0o700)


def test_names_that_are_no_text_pair_and_can_be_written(tmp_path):
    a, b = tmp_path / "a", tmp_path / "b"
    for place in (a, b):
        place.mkdir()
        (place / os.fsdecode(b"\xff.png")).touch()
    (item,) = pair([a], b).items
    assert item.name == "\\xff"
    assert item.label.exists()


@pytest.mark.parametrize(
    ("a", "b", "error"),
    [
        (["x.png"], None, "{b} does not exist"),
        (["x.png"], [], "{b} holds no mask (.png, .tif, .tiff, .bmp, .npy, .npz, .nii, .nii.gz)"),
        (["x.jpg"], ["x.png"], "{a} holds no mask (.png, .tif, .tiff, .bmp, .npy, .npz, .nii, .nii.gz), but .jpg"),
        (["x_p.png"], ["x.png"], "no file pairs: {a} has 'x_p'; {b} has 'x': pass --pred-suffix or --label-suffix"),
    ],
)
def test_folders_that_cannot_pair(tmp_path, a, b, error):
    places = {"a": folder(tmp_path / "a", *a), "b": tmp_path / "b"}
    if b is not None:
        folder(tmp_path / "b", *b)
    with pytest.raises(ValueError, match="^" + re.escape(error.format(**places))):
        pair([places["a"]], places["b"])


def test_a_suffix_that_no_file_has_is_named(tmp_path):
    a, b = folder(tmp_path / "a", "x.png"), folder(tmp_path / "b", "x.png")
    with pytest.raises(ValueError, match=r"whose stem ends with '_p', but x\.png$"):
        pair([a], b, "_p")


def test_a_folder_and_a_file_do_not_pair(tmp_path):
    a, b = folder(tmp_path / "a", "x.png"), folder(tmp_path / "b", "x.png")
    with pytest.raises(ValueError, match=re.escape(f"one file each, got {a} (folder), {b / 'x.png'} (file)")):
        pair([a], b / "x.png")


def test_stems_may_have_dots():
    assert stem_of(Path("a.b.png")) == "a.b"
    assert stem_of(Path("a.nii.gz")) == "a"
    assert stem_of(Path("a.jpg")) == "a"
    assert stem_of(Path("a")) == "a"
