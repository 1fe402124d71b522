"""Pixels far from any boundary: of label maps of any number of spatial axes, at a cost that hardly grows with distance.

With torch operations; ``segiou.counting.native.boundary_bands`` has the compiled ``mark`` for the CPU.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from segiou.counting.eager import CHUNK, argmax, signed

_SIGNED = {torch.uint16: torch.int16, torch.uint32: torch.int32, torch.uint64: torch.int64}


@dataclass(frozen=True)
class Marking:
    """What ``mark`` makes of the classes of a map; ``Marking.of`` builds it.

    Args:
        classes: labels from 0 to ``classes - 1`` are classes, every other is outside.
        table: what each class becomes, and outside at the end; empty where each stays.
        labels: how many labels that makes, and outside the next. Where all is done, interior pixels are
            ``labels`` and those outside ``labels + 1``.
        border: whether the border of the image is a boundary.
    """

    classes: int
    table: tuple[int, ...]
    labels: int
    border: bool

    @classmethod
    def of(cls, becomes: Sequence[int], labels: int, border: bool) -> "Marking":
        """For classes each of which becomes a label from 0 to ``labels - 1``, or ``labels`` for outside."""
        table = (*becomes, labels)
        return cls(len(becomes), () if table == (*range(len(table)),) else table, labels, border)


def interior(labels: Tensor, distance: int, border: bool = True) -> Tensor:
    """Whether all pixels within ``distance`` of a pixel have its label.

    The distance is the larger one along an axis (chessboard), so that a pixel is interior where erosion
    ``distance`` times with a full neighbourhood (3x3 in an image) leaves it in the mask of its label. All
    labels are found at once.

    Args:
        labels: ``(N, ...)``, integers of any type, with any number of spatial axes.
        distance: in pixels, at least 1.
        border: whether pixels outside the image are of another label; if False they are of none.

    Returns:
        bool, of the shape of ``labels``.

    >>> row = torch.tensor([[0, 0, 0, 1, 1, 1, 1]])
    >>> interior(row, 1).int().tolist()
    [[0, 1, 0, 0, 1, 1, 0]]
    >>> interior(row, 1, border=False).int().tolist()
    [[1, 1, 0, 0, 1, 1, 1]]
    """
    labels = labels.view(_SIGNED.get(labels.dtype, labels.dtype))
    marks = torch.zeros_like(labels, dtype=torch.bool)
    for axis in range(1, labels.ndim):
        marks = _near(marks, labels, axis, distance, border)
    return ~marks


def _near(marks: Tensor, labels: Tensor, axis: int, distance: int, border: bool) -> Tensor:
    """Whether there is a mark, or a change of label, within a distance along an axis."""
    size = labels.shape[axis]
    if not size:
        return marks
    distance = min(distance, size)
    # one for the edge to the left of each pixel, and on beyond both sides of the image
    edges = marks.new_full((*labels.shape[:axis], size + 2 * distance - 1, *labels.shape[axis + 1 :]), border)
    left, right = labels.narrow(axis, 0, size - 1), labels.narrow(axis, 1, size - 1)
    edges.narrow(axis, distance, size - 1).copy_(left != right)
    edges.narrow(axis, distance - 1, size).logical_or_(marks)
    edges.narrow(axis, distance, size).logical_or_(marks)
    reach = 1
    while reach < 2 * distance:  # each stands for ``reach`` edges, from its own on
        step = min(reach, 2 * distance - reach)
        rest = edges.shape[axis] - step
        edges = edges.narrow(axis, 0, rest) | edges.narrow(axis, step, rest)
        reach += step
    return edges


def mark(kind: str, values: Tensor, bound: float, marking: Marking, distance: int) -> Tensor:
    """Label maps in which interior pixels have a label of their own.

    Args:
        kind: as in ``segiou.counting.inputs.Batch``: "labels", "scores" or "binary".
        values: labels or binary scores ``(N, ...)``, or scores ``(N, C, ...)``, whose argmax is taken.
        bound: binary scores above it are 1, others 0.
        marking: what the labels become.
        distance: in pixels, at least 1; see ``interior``.

    Returns:
        integers ``(N, ...)``.
    """
    pixels = values[:1].numel() // (values.shape[1] if kind == "scores" else 1)
    parts = torch.split(values, max(1, CHUNK // max(1, pixels)))
    return torch.cat([_mark(_numbered(_labels(kind, part, bound), marking), marking, distance) for part in parts])


def _labels(kind: str, values: Tensor, bound: float) -> Tensor:
    if kind == "scores":
        return argmax(values)[0]
    return values > bound if kind == "binary" else values


def _numbered(labels: Tensor, marking: Marking) -> Tensor:
    """What the classes become, and one label for all that is outside."""
    labels = signed(labels, marking.classes, ())
    outside = (labels < 0) | (labels >= marking.classes)
    labels = labels.int().masked_fill_(outside, marking.classes)
    if not marking.table:
        return labels
    return _on_device(marking.table, labels.device)[labels]


@lru_cache(maxsize=64)
def _on_device(table: tuple[int, ...], device: torch.device) -> Tensor:
    """Kept, for to bring it to an accelerator is to wait for it."""
    return torch.tensor(table, dtype=torch.int32, device=device)


def _mark(labels: Tensor, marking: Marking, distance: int) -> Tensor:
    inside, outside = interior(labels, distance, marking.border), labels == marking.labels
    return labels.masked_fill(inside, marking.labels).masked_fill_(outside, marking.labels + 1)
