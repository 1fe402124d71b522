"""Interior pixels of label maps on the CPU; the twin of ``segiou.counting.boundary_bands``."""

import torch
from torch import Tensor

from segiou.counting import boundary_bands
from segiou.counting.boundary_bands import Marking
from segiou.counting.native import FLOATS, KINDS, MOST_CLASSES, _native, described, limits
from segiou.counting.threads import team

SOURCES = {"labels": 0, "scores": 1, "binary": 2}  # as in predict.h


def mark(kind: str, values: Tensor, bound: float, marking: Marking, distance: int) -> Tensor:
    """As ``segiou.counting.boundary_bands.mark``; with kernels for two spatial axes."""
    spatial = values.ndim - (2 if kind == "scores" else 1)
    plain = values.dtype in (KINDS if kind == "labels" else FLOATS)
    if spatial != 2 or not plain or not values.numel() or marking.classes > MOST_CLASSES:
        return boundary_bands.mark(kind, values, bound, marking, distance)
    marked = torch.empty((len(values), *values.shape[-2:]), dtype=torch.uint16, device="cpu")
    table = torch.tensor(marking.table, dtype=torch.uint16, device="cpu")
    _native.mark(
        described(values),
        SOURCES[kind],
        marking.classes,
        limits(bound, False, values.dtype) if kind == "binary" else (0.0, 0.0, 0.0),
        table.data_ptr() if marking.table else 0,
        marking.labels,
        distance,
        marking.border,
        *team(values.numel(), 0),
        marked.data_ptr(),
    )
    return marked
