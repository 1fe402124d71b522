"""Interior pixels of label maps on the CPU; the twin of ``segiou.counting.bands``."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from segiou.counting import bands, cpu
from segiou.counting.bands import Marking
from segiou.counting.cpu.band_rows import mark_bands, memory_for
from segiou.counting.cpu.gather import LARGEST, tile_size
from segiou.counting.cpu.geometry import span
from segiou.counting.cpu.threads import together


def mark(kind: str, values: Tensor, bound: float, marking: Marking, distance: int) -> Tensor:
    """As ``segiou.counting.bands.mark``; compiled for two spatial axes."""
    spatial = values.ndim - (2 if kind == "scores" else 1)
    plain = values.dtype in (cpu._KINDS if kind == "labels" else cpu._LIMITS)
    if spatial != 2 or not plain or not values.numel() or marking.classes > cpu.MOST_CLASSES:
        return bands.mark(kind, values, bound, marking, distance)
    image, *others = values.stride()
    height, width = values.shape[-2:]
    source, room = _source(kind, values, bound, marking.classes)
    marked = np.empty((len(values), height, width), np.uint16)
    threads = 1 if values.numel() < cpu.ONE_THREAD else torch.get_num_threads()
    pieces = -(-threads // len(values))  # no more, for each reads the rows around it as well
    head = (source, (image, *others[-2:]), np.array(marking.table, np.uint16), marking.labels)
    reach = min(distance, max(height, width))
    memory = memory_for(threads, width, reach, room)
    job = (*head, reach, int(marking.border), pieces, memory, marked, np.zeros(2, np.int64))
    together(threads, mark_bands, job)
    return torch.from_numpy(marked)


def _source(kind: str, values: Tensor, bound: float, classes: int) -> tuple[tuple[Any, ...], int]:
    """What the kernels read labels from, and how many bytes of memory they need for that."""
    address = values.data_ptr()
    if kind == "labels":
        return (address, cpu._KINDS[values.dtype], classes), 0
    reach = span(values.shape, values.stride())
    if kind == "binary":
        return (*cpu._bounds(bound, False, values.dtype), address, reach), 0
    tile = tile_size(classes)
    room = values.element_size() * max(values.shape[-1] + LARGEST, tile * (classes + 1))
    return (*cpu._LIMITS[values.dtype], address, reach, values.stride(1), classes, tile), room
