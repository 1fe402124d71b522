"""What travels between processes: integer sums by one all-reduce, and rows that are gathered."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torchmetrics.utilities.distributed import gather_all_tensors


def all_reduced(states: Sequence[Tensor], group: Any | None = None) -> list[Tensor]:
    """The sums of int64 tensors over the processes, of all of them by one all-reduce, in new memory."""
    buffer = torch.cat([state.flatten() for state in states])  # a copy: other metrics may share the states
    sent = buffer.to(device_of_group(group, buffer.device))
    torch.distributed.all_reduce(sent, group=group)
    parts = torch.split(sent.to(buffer.device), [state.numel() for state in states])
    return [part.view_as(state) for part, state in zip(parts, states, strict=True)]


def gathered(rows: Tensor, group: Any | None = None) -> list[Tensor]:
    """The rows of every process, in the order of the ranks."""
    sent = rows.to(device_of_group(group, rows.device))
    return [part.to(rows.device) for part in gather_all_tensors(sent, group)]


def device_of_group(group: Any | None, device: torch.device) -> torch.device:
    """Where a tensor must be to travel: on its own device, or on the accelerator where the backend knows no other.

    NCCL, as Lightning and torchrun set it up for GPUs, knows CUDA tensors only, and a metric may be on the CPU.

    Raises:
        RuntimeError: the backend knows only devices that this process does not have.
    """
    if not torch.distributed.is_initialized():
        return device  # somebody stands in for torch.distributed
    known = [part.split(":")[0] for part in torch.distributed.get_backend_config(group).split(",")]
    if device.type in known:
        return device
    if "cuda" in known and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    raise RuntimeError(
        f"the states of the metric are on {device}, and its process group sends tensors on {' and '.join(known)} only: "
        'start it with a backend for both, such as init_process_group("cpu:gloo,cuda:nccl"), move the metric to a '
        "device that it knows, or pass sync_on_compute=False"
    )
