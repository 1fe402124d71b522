"""On which device states travel between processes."""

import pytest
import torch

from segiou import Imagewise, MeanIoU
from segiou.metrics import all_reduce as travel

CPU = torch.device("cpu")
LABELS = torch.tensor([[0, 1, 1, 0]])


@pytest.fixture
def nccl(monkeypatch):
    """A stand-in for a group whose backend knows CUDA only; what it is given is recorded, and counted twice."""
    seen = []

    class OnCuda(torch.Tensor):
        """A CPU tensor that says it is on CUDA, which this machine may not have."""

    plain_to = torch.Tensor.to

    def to(tensor, where, *args, **kwargs):
        if isinstance(where, torch.dtype):
            return plain_to(tensor, where, *args, **kwargs)
        return tensor.as_subclass(OnCuda if torch.device(where).type == "cuda" else torch.Tensor)

    def all_reduce(tensor, group=None):
        seen.append(type(tensor))
        tensor *= 2

    def gather(tensor, group=None):
        seen.append(type(tensor))
        return [tensor, tensor]

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_backend_config", lambda group=None: "cuda:nccl")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.Tensor, "to", to)
    monkeypatch.setattr(torch.distributed, "all_reduce", all_reduce)
    monkeypatch.setattr(travel, "gather_all_tensors", gather)
    return seen, OnCuda


def test_a_metric_on_the_cpu_is_synced_by_a_backend_that_knows_cuda_only(nccl):
    seen, on_cuda = nccl
    plain, rows = MeanIoU(2), Imagewise(MeanIoU(2), keep_images=True)
    for metric in (plain, rows):
        metric.distributed_available_fn = lambda: True
        metric.update(LABELS, LABELS)
        metric.sync()
    assert seen == [on_cuda, on_cuda, on_cuda, on_cuda], "both reduced, and areas and ids gathered"
    assert int(plain.confmat.sum()) == 8
    assert type(plain.confmat) is torch.Tensor
    for metric in (plain, rows):
        metric.unsync()
    assert int(plain.confmat.sum()) == 4
    assert float(rows.compute()) == 1


@pytest.mark.parametrize(
    ("config", "device", "expected"),
    [
        ("cpu:gloo,cuda:nccl", CPU, CPU),
        ("cpu:gloo", CPU, CPU),
        ("cuda:nccl", torch.device("cuda:1"), torch.device("cuda:1")),
    ],
)
def test_a_device_that_the_backend_knows_is_kept(monkeypatch, config, device, expected):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_backend_config", lambda group=None: config)
    assert travel.device_of_group(None, device) == expected


def test_where_no_device_will_do_the_error_says_what_does_and_the_state_stays(monkeypatch):
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_backend_config", lambda group=None: "cuda:nccl")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    metric = MeanIoU(2, distributed_available_fn=lambda: True)
    metric.update(LABELS, LABELS)
    with pytest.raises(RuntimeError, match=r"on cpu, and its process group sends tensors on cuda only: .*cpu:gloo"):
        metric.compute()
    assert not metric._is_synced
    assert int(metric.confmat.sum()) == 4
    metric.distributed_available_fn = lambda: False
    assert metric.compute() == 1
