"""Interior pixels of label maps on the CPU; the twin of ``segiou.counting.bands``."""

import torch
from torch import Tensor

from segiou.counting import bands
from segiou.counting.bands import Marking
from segiou.counting.native import KINDS, MOST_CLASSES, _native, described
from segiou.counting.native.threads import team


def mark(kind: str, values: Tensor, bound: float, marking: Marking, distance: int) -> Tensor:
    """As ``segiou.counting.bands.mark``; with kernels for two spatial axes."""
    spatial = values.ndim - (2 if kind == "scores" else 1)
    if spatial != 2 or values.dtype not in KINDS or not values.numel() or marking.classes > MOST_CLASSES:
        return bands.mark(kind, values, bound, marking, distance)
    if kind != "labels":
        values = bands.labels(kind, values, bound)
    marked = torch.empty(values.shape, dtype=torch.uint16, device="cpu")
    table = torch.tensor(marking.table, dtype=torch.uint16, device="cpu")
    address = table.data_ptr() if marking.table else 0
    threads = team(values.numel(), 0)
    _native.mark(
        described(values),
        marking.classes,
        address,
        marking.labels,
        distance,
        marking.border,
        *threads,
        marked.data_ptr(),
    )
    return marked
