"""The confusion matrix as the page shows it, and the pairs of classes that are confused most."""

from typing import NamedTuple

import torch
from torch import Tensor

from segiou.metrics.confusion_matrix import ConfusionMatrixMetric

VOID = "no class"


class Matrix(NamedTuple):
    """Counts by target (rows) and prediction (columns), without ignored pixels.

    ``right`` is the column of each row that is no error. ``counts`` is int64 ``(rows, columns)``.
    """

    rows: list[str]
    columns: list[str]
    right: list[int]
    counts: Tensor


class Confusion(NamedTuple):
    """Pixels of a target that were predicted as something else, and their share of the target's pixels."""

    target: str
    predicted: str
    pixels: int
    share: float


def matrix_of(metric: ConfusionMatrixMetric, counts: Tensor) -> Matrix:
    """The matrix of the classes; for multilabel two rows for each label, without it and with it."""
    names = list(metric.class_names)
    rows, columns, right = names, [*names, VOID], list(range(len(names)))
    shown = counts[..., :-1, :]
    if counts.ndim == 3:
        rows = [f"{prefix}{name}" for name in names for prefix in ("not ", "")]
        columns, right = ["not the label", "the label", VOID], [0, 1] * len(names)
        shown = shown.flatten(0, 1)
    if not shown[:, -1].any():
        shown, columns = shown[:, :-1], columns[:-1]
    return Matrix(rows, columns, right, shown)


def confusions(matrix: Matrix, number: int, by_share: bool = False) -> list[Confusion]:
    """The most frequent errors, by pixels or by their share of the target's pixels."""
    wrong = matrix.counts.clone()
    wrong[torch.arange(len(matrix.rows)), matrix.right] = 0
    shares = wrong / matrix.counts.sum(1, keepdim=True).double().clamp(min=1)
    order = (shares if by_share else wrong).flatten().argsort(descending=True, stable=True)[:number].tolist()
    cells = [divmod(place, len(matrix.columns)) for place in order]
    return [
        Confusion(matrix.rows[row], matrix.columns[column], int(wrong[row, column]), float(shares[row, column]))
        for row, column in cells
        if wrong[row, column]
    ]
