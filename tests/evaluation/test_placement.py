"""Predictions that lie elsewhere than their labels: brought to them where axes are only turned, refused otherwise."""

from pathlib import Path

import numpy as np
import pytest

from segiou.evaluation.evaluate import Counter
from segiou.evaluation.mask_files import read_mask
from segiou.evaluation.mask_values import Coding
from segiou.evaluation.masks import MaskError
from segiou.evaluation.pairing import Item
from segiou.evaluation.placement import in_one_place
from segiou.evaluation.tally import Scoring
from tests.helpers import oracle

nibabel = pytest.importorskip("nibabel")
LABEL = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.uint8)
PRED = np.where(np.random.default_rng(1).random(LABEL.shape) < 0.7, LABEL, 0).astype(np.uint8)
AFFINE = np.array([[-1.5, 0.02, 0, 90], [0.02, 1.25, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])


def nifti(path: Path, values: np.ndarray, affine: np.ndarray | None) -> Path:
    nibabel.save(nibabel.Nifti1Image(values, affine), path)
    return path


def turned(values: np.ndarray, affine: np.ndarray, orientation: str) -> tuple[np.ndarray, np.ndarray]:
    """The same volume, as nibabel stores it in another orientation."""
    image = nibabel.Nifti1Image(values, affine)
    to = nibabel.orientations.axcodes2ornt(orientation)
    turn = nibabel.orientations.ornt_transform(nibabel.io_orientation(affine), to)
    found = image.as_reoriented(turn)
    return np.asarray(found.dataobj), found.affine


def counted(tmp_path: Path, pred: Path, label: Path) -> list[list[int]]:
    scoring = Scoring({"num_classes": 3}, Coding.of(3, of_label=False), Coding.of(3))
    return Counter(scoring)(Item("a", (pred,), label)).pixels[0].tolist()


EXPECTED = oracle.matrix(PRED.ravel().tolist(), LABEL.ravel().tolist(), 3)


@pytest.mark.parametrize("orientation", ["LAS", "RAS", "RPI", "SAR", "PIL", "ASL"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_a_volume_that_is_flipped_or_turned_with_its_affine_is_the_same(tmp_path, orientation, suffix):
    label = nifti(tmp_path / f"label{suffix}", LABEL, AFFINE)
    values, affine = turned(PRED, AFFINE, orientation)
    assert counted(tmp_path, nifti(tmp_path / f"pred{suffix}", values, affine), label) == EXPECTED


def test_a_volume_without_an_affine_is_taken_as_it_is(tmp_path):
    label = nifti(tmp_path / "label.nii", LABEL, AFFINE)
    assert read_mask(nifti(tmp_path / "pred.nii", PRED, None)).affine is None
    assert counted(tmp_path, tmp_path / "pred.nii", label) == EXPECTED
    np.save(tmp_path / "pred.npy", PRED)
    assert counted(tmp_path, tmp_path / "pred.npy", label) == EXPECTED


def moved(**changes: float) -> np.ndarray:
    affine = AFFINE.copy()
    for place, value in changes.items():
        affine[int(place[1]), int(place[2])] += value
    return affine


@pytest.mark.parametrize("affine", [np.eye(4), moved(x03=1), moved(x23=0.1), moved(x11=0.01), moved(x01=0.2)])
def test_volumes_in_other_places_are_refused_and_both_affines_named(tmp_path, affine):
    label, pred = nifti(tmp_path / "label.nii", LABEL, AFFINE), nifti(tmp_path / "pred.nii", PRED, affine)
    with pytest.raises(MaskError, match="lies elsewhere than its label .*label.nii: its affine is") as caught:
        counted(tmp_path, pred, label)
    assert caught.value.path == pred
    assert "[-1.5 0.02 0 90]" in caught.value.reason
    assert f"[{affine[0, 0]:g} {affine[0, 1]:g} 0 {affine[0, 3]:g}]" in caught.value.reason
    assert caught.value.reason.endswith("or save it with the affine that is right")
    assert counted(tmp_path, nifti(pred, PRED, AFFINE), label) == EXPECTED


def test_affines_that_differ_by_rounding_are_one(tmp_path):
    label = nifti(tmp_path / "label.nii", LABEL, AFFINE)
    pred = nifti(tmp_path / "pred.nii", PRED, AFFINE.astype(np.float32) * (1 + 1e-6))
    assert counted(tmp_path, pred, label) == EXPECTED


def test_another_size_is_said_before_another_place(tmp_path):
    label = nifti(tmp_path / "label.nii", LABEL, AFFINE)
    values, affine = turned(PRED[1:], AFFINE, "RAS")
    with pytest.raises(MaskError, match="is 3x5x6, and its label .* is 4x5x6: masks are not resized"):
        counted(tmp_path, nifti(tmp_path / "pred.nii", values, affine), label)


def test_an_affine_that_lacks_an_axis_is_refused(tmp_path):
    flat = AFFINE.copy()
    flat[:, 2] = 0
    label, pred = (nifti(tmp_path / f"{name}.nii", LABEL, AFFINE) for name in ("label", "pred"))
    masks = read_mask(pred), read_mask(label)
    object.__setattr__(masks[0], "affine", flat)
    with pytest.raises(MaskError, match="lies elsewhere"):
        in_one_place(*masks)


# ---- maps


def geotiff(
    path: Path, values: np.ndarray, *, origin=(500_000.0, 4_600_000.0), size=10.0, keys=(), matrix=None
) -> Path:
    tifffile = pytest.importorskip("tifffile")
    tags = [(33550, "d", 3, (size, size, 0), True), (33922, "d", 6, (0, 0, 0, *origin, 0), True)]
    if matrix is not None:
        tags = [(34264, "d", 16, matrix, True)]
    if keys:
        tags.append((34735, "H", len(keys), keys, True))
    tifffile.imwrite(path, values, extratags=tags)
    return path


MAP, MAP_PRED = LABEL[0], PRED[0]
MAP_EXPECTED = oracle.matrix(MAP_PRED.ravel().tolist(), MAP.ravel().tolist(), 3)


def test_maps_of_one_place_are_counted(tmp_path):
    label = geotiff(tmp_path / "label.tif", MAP)
    assert counted(tmp_path, geotiff(tmp_path / "pred.tif", MAP_PRED), label) == MAP_EXPECTED
    point = geotiff(tmp_path / "point.tif", MAP_PRED, origin=(500_005.0, 4_599_995.0), keys=(1, 1, 0, 1, 1025, 0, 1, 2))
    assert counted(tmp_path, point, label) == MAP_EXPECTED
    matrix = (10.0, 0, 0, 500_000.0, 0, -10.0, 0, 4_600_000.0, 0, 0, 0, 0, 0, 0, 0, 1)
    assert counted(tmp_path, geotiff(tmp_path / "matrix.tif", MAP_PRED, matrix=matrix), label) == MAP_EXPECTED
    import tifffile

    tifffile.imwrite(tmp_path / "plain.tif", MAP_PRED)  # as networks write them, without a place
    assert counted(tmp_path, tmp_path / "plain.tif", label) == MAP_EXPECTED


@pytest.mark.parametrize("how", [{"origin": (500_010.0, 4_600_000.0)}, {"size": 20.0}])
def test_maps_of_other_places_are_refused(tmp_path, how):
    label, pred = geotiff(tmp_path / "label.tif", MAP), geotiff(tmp_path / "pred.tif", MAP_PRED, **how)
    with pytest.raises(MaskError, match="lies elsewhere than its label"):
        counted(tmp_path, pred, label)
