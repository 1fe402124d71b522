"""Where masks lie in the world, by NIfTI and GeoTIFF: a prediction must lie where its label does."""

import importlib
from typing import Any

import numpy as np

from segiou.evaluation.masks import Array, Mask, MaskError

TOLERANCE = 0.01  # of a pixel
VOLUMES, MAPS = (".nii", ".nii.gz"), (".tif", ".tiff")


def in_one_place(pred: Mask, label: Mask) -> Mask:
    """The prediction as it lies on its label, where both files say where their pixels lie.

    A NIfTI volume whose axes are in another order or direction is brought to those of the label.

    Raises:
        MaskError: a prediction that lies elsewhere.
    """
    if pred.affine is None or label.affine is None or _is(pred, VOLUMES) != _is(label, VOLUMES):
        return pred
    if same_place(pred.affine, label.affine, label):
        return pred
    if _is(label, VOLUMES):
        turned = _turned(pred, label.affine)
        if turned is not None and (turned.shape != label.shape or same_place(turned.affine, label.affine, label)):
            return turned  # another size is named where sizes are compared
    raise MaskError(
        pred.path,
        f"lies elsewhere than its label {label.path}: its affine is {_in_words(pred.affine)}, and the label's "
        f"{_in_words(label.affine)}: resample one to the grid of the other, or save it with the affine that is right",
    )


def same_place(ours: Array | None, theirs: Array | None, mask: Mask) -> bool:
    """Whether both affines put the corners of the mask in the same places, within a hundredth of a pixel."""
    if ours is None or theirs is None:
        return False
    rows, columns, layers = (*mask.shape, 1, 1)[:3]
    sides = (columns, rows, layers) if _is(mask, MAPS) else (rows, columns, layers)
    corners = np.array([[x, y, z, 1] for x in (0, sides[0]) for y in (0, sides[1]) for z in (0, sides[2])], float).T
    try:
        places = np.linalg.solve(theirs, ours @ corners)
    except np.linalg.LinAlgError:
        return False
    return bool((abs(places - corners) < TOLERANCE).all())


def _turned(mask: Mask, affine: Array) -> Mask | None:
    """A volume with its axes in the order and direction of an affine; None where it cannot be brought to them."""
    orientations: Any = importlib.import_module("nibabel.orientations")
    axes = len(mask.shape)
    if mask.affine is None or axes > 3:
        return None
    try:
        ours, theirs = (orientations.io_orientation(each) for each in (mask.affine, affine))
        turn = orientations.ornt_transform(ours, theirs)
    except (ValueError, np.linalg.LinAlgError):  # an affine that lacks an axis
        return None
    shape = (*mask.shape, 1, 1)[:3]
    values = orientations.apply_orientation(mask.values.reshape(shape), turn)
    if values.shape[axes:] != shape[axes:]:
        return None
    missing = None if mask.missing is None else orientations.apply_orientation(mask.missing.reshape(shape), turn)
    return Mask(
        mask.path,
        values.reshape(values.shape[:axes]),
        missing=None if missing is None else missing.reshape(values.shape[:axes]),
        affine=mask.affine @ orientations.inv_ornt_aff(turn, shape),
    )


def _is(mask: Mask, suffixes: tuple[str, ...]) -> bool:
    return mask.path.name.lower().endswith(suffixes)


def _in_words(affine: Array) -> str:
    rows = ("[" + " ".join(f"{number:.8g}" for number in row) + "]" for row in affine[:3])
    return "[" + " ".join(rows) + "]"
