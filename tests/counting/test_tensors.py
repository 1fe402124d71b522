"""What a user may pass as a tensor: plain values are counted, what has no memory of its own is an error."""

import gc
import os
import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.masked import masked_tensor

from segiou import Imagewise, InstanceIoU, MeanIoU
from segiou.counting import kernels
from segiou.counting.tensors import tensor

TARGET = torch.tensor([[[0, 1, 2, 0], [1, 1, 2, 2]]])
SCORES = torch.nn.functional.one_hot(TARGET.roll(1, -1), 3).movedim(-1, 1).float()
EXPECTED = MeanIoU(3)(SCORES, TARGET)


class Subclass(torch.Tensor):
    """Like torchvision's Mask, or MONAI's MetaTensor: values and memory of its own."""


class Wrapper(torch.Tensor):
    """Like many quantized or sharded tensors: it holds another, and has no memory."""

    @staticmethod
    def __new__(cls, inner):
        return torch.Tensor._make_wrapper_subclass(cls, inner.shape, dtype=inner.dtype, device=inner.device)

    def __init__(self, inner):
        self.inner = inner

    @classmethod
    def __torch_dispatch__(cls, function, types, args=(), kwargs=None):
        raise NotImplementedError(function)


def fake(x):
    with FakeTensorMode():
        return torch.zeros(x.shape, dtype=x.dtype)


def freed(x, start=0):
    x = x.clone()[..., start:]
    x.untyped_storage().resize_(0)
    return x


WITHOUT_MEMORY = {
    "wrapper": (Wrapper, "got a Wrapper: pass the values of"),
    "fake": (fake, "got a FakeTensor: it has no values to count"),
    "freed": (freed, "memory was freed or never given"),
    "freed, and not from the start": (lambda x: freed(x, 1), "memory was freed or never given"),
    "functional": (lambda x: torch._to_functional_tensor(x.clone()), "memory was freed or never given"),
    "zeros without memory": (lambda x: torch._efficientzerotensor(x.shape, dtype=x.dtype), "memory was freed or never"),
    "ragged": (lambda x: torch.nested.nested_tensor([x[0], x[0]], layout=torch.jagged), "NestedTensor: pass .*unbind"),
    "sparse": (lambda x: x.to_sparse(), "dense tensor, got layout torch.sparse_coo"),
    "masked": (lambda x: masked_tensor(x.float(), x > 0), r"got a MaskedTensor: pass .*\.to_tensor\(value\)"),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of")
@pytest.mark.parametrize("name", WITHOUT_MEMORY)
@pytest.mark.parametrize("place", ["preds", "target", "labels"])
def test_a_tensor_without_memory_of_its_own_is_an_error(name, place):
    make, message = WITHOUT_MEMORY[name]
    metric = MeanIoU(3)
    metric.update(SCORES, TARGET)
    counts = metric.confmat.clone()
    preds, target = {
        "preds": (lambda: (make(SCORES), TARGET)),
        "target": (lambda: (SCORES, make(TARGET))),
        "labels": (lambda: (make(TARGET), TARGET)),
    }[place]()
    with pytest.raises(TypeError, match=message):
        metric.update(preds, target)
    assert torch.equal(metric.confmat, counts)
    assert metric.update_count == 1


def test_instances_are_looked_at_too():
    metric = InstanceIoU(3, things=[1]) if "things" in InstanceIoU.__init__.__annotations__ else InstanceIoU(3)
    with pytest.raises(TypeError, match="instances must be a plain tensor, got a Wrapper"):
        metric.update(SCORES, TARGET, Wrapper(TARGET))


def test_a_subclass_is_counted_as_a_plain_tensor():
    metric = MeanIoU(3)
    assert metric(SCORES.as_subclass(Subclass), TARGET.as_subclass(Subclass)) == EXPECTED
    assert {type(state) for state in metric.metric_state.values()} == {torch.Tensor}
    of_images = Imagewise(MeanIoU(3), keep_images=True)
    of_images.update(SCORES.as_subclass(Subclass), TARGET.as_subclass(Subclass))
    assert type(of_images.images().values) is torch.Tensor
    assert metric(torch.nn.Parameter(SCORES), TARGET) == EXPECTED
    assert type(tensor("preds", torch.nn.Parameter(SCORES))) is torch.Tensor


def test_read_only_and_odd_arrays_are_counted():
    scores, target = SCORES.numpy().copy(), TARGET.numpy().copy()
    scores.setflags(write=False)
    target.setflags(write=False)
    assert MeanIoU(3)(scores, target) == EXPECTED
    assert MeanIoU(3)(scores[..., ::-1], target[..., ::-1]) == EXPECTED
    assert MeanIoU(3)(scores.astype(">f4"), target.astype(">i8")) == EXPECTED
    packed = np.zeros(target.shape, dtype=[("label", "<i4"), ("other", "<i2")])
    packed["label"] = target
    assert MeanIoU(3)(scores, packed["label"]) == EXPECTED


def test_torch_func_does_not_switch_the_compiled_kernels_off(monkeypatch):
    """A gradient is not taken of a count, and a batch within vmap is not a batch."""
    monkeypatch.setattr(kernels, "_failed", set())
    metric = MeanIoU(3)

    def loss(scores):
        metric.update(scores, TARGET)
        return scores.sum()

    torch.func.grad(loss)(SCORES)
    torch.func.grad(lambda x: torch.func.grad(loss)(x).sum())(SCORES)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch scripts its rules for forward mode, and warns of itself
        torch.func.jvp(loss, (SCORES,), (SCORES,))
    assert metric.compute() == EXPECTED
    assert int(metric.confmat.sum()) == 3 * TARGET.numel()
    with pytest.raises(
        TypeError, match=r"preds must be a tensor, got what torch.vmap .*: call the metric outside of it"
    ):
        torch.func.vmap(loss)(SCORES[None])
    assert not kernels._failed
    assert int(metric.confmat.sum()) == 3 * TARGET.numel()


DISTRIBUTED = """
    import torch
    from torch.distributed._functional_collectives import all_gather_tensor
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.tensor import Replicate, Shard, distribute_tensor
    from segiou import MeanIoU

    torch.distributed.init_process_group("gloo", init_method="tcp://127.0.0.1:{port}", rank=0, world_size=1)
    mesh = init_device_mesh("cpu", (1,))
    target = torch.randint(0, 3, (2, 4, 4))
    whole = MeanIoU(3)
    for placement in (Shard(0), Shard(1), Replicate()):
        sharded = distribute_tensor(target, mesh, [placement])
        for preds, labels in ((sharded, target), (target, sharded)):
            try:
                whole.update(preds, labels)
            except TypeError as error:
                assert "got a DTensor: pass" in str(error) and ".to_local() on each rank" in str(error), error
            else:
                raise SystemExit("a DTensor was counted")
        assert MeanIoU(3)(sharded.full_tensor(), target) == MeanIoU(3)(sharded.to_local(), target) == 1
    waiting = all_gather_tensor(target, 0, mesh)
    try:
        whole.update(waiting, target)
    except TypeError as error:
        assert "got a AsyncCollectiveTensor: pass preds.wait()" in str(error), error
    assert MeanIoU(3)(waiting.wait(), target) == 1
    torch.distributed.destroy_process_group()
    print("counted")
"""


def test_tensors_that_are_spread_over_processes_are_an_error_with_a_remedy():
    """In a process of its own, for what was wrong once ended the process."""
    code = textwrap.dedent(DISTRIBUTED).replace("{port}", str(20000 + os.getpid() % 20000))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert run.stdout == "counted\n", run.stderr[-2000:]


def test_nothing_of_a_batch_is_kept():
    scores = SCORES.clone()
    MeanIoU(3).update(scores, TARGET)
    assert sum(1 for each in gc.get_referrers(scores) if isinstance(each, torch.Tensor)) == 0
