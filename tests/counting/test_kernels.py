"""The choice of kernel, and what happens where a compiled one cannot run."""

import logging
import sys
import types

import pytest
import torch

from segiou import MeanIoU
from segiou.counting import eager, kernel_for, kernels

pytestmark = pytest.mark.usefixtures("_fresh_kernels")
CPU = torch.device("cpu")
PREDS, TARGET = torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]])


def replaced(monkeypatch, **functions) -> None:
    """A module of compiled kernels that consists of these functions."""
    module = types.ModuleType("segiou.counting.made_up")
    module.__dict__.update(functions)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(kernels.FUSED, "cpu", (module.__name__, "luck"))


def test_every_kernel_has_the_three_functions():
    for device in ("cpu", "cuda", "mps", "meta"):
        kernel = kernel_for(torch.device(device))
        assert all(callable(getattr(kernel, name)) for name in ("labels", "scores", "binary"))
    assert kernel_for(torch.device("mps")) is eager


def test_the_environment_can_force_torch_operations(monkeypatch):
    replaced(monkeypatch, labels=None)
    monkeypatch.setenv("SEGIOU_KERNEL", "eager")
    assert kernel_for(CPU) is eager


def test_the_environment_can_insist_on_compiled_kernels(monkeypatch):
    monkeypatch.setenv("SEGIOU_KERNEL", "fused")
    monkeypatch.setitem(kernels.FUSED, "cpu", ("segiou.counting.no_such_module", "numba"))
    with pytest.raises(ImportError, match='^SEGIOU_KERNEL="fused" needs numba for cpu: '):
        MeanIoU(2).update(PREDS, TARGET)
    with pytest.raises(ValueError, match='^SEGIOU_KERNEL="fused", but there are no compiled kernels for mps$'):
        kernel_for(torch.device("mps"))


def test_an_unknown_choice_is_an_error(monkeypatch):
    monkeypatch.setenv("SEGIOU_KERNEL", "fast")
    with pytest.raises(ValueError, match='^SEGIOU_KERNEL must be "auto", "eager" or "fused", got \'fast\'$'):
        kernel_for(CPU)


def test_the_choice_is_logged_once(monkeypatch, caplog):
    replaced(monkeypatch, labels=eager.labels)
    with caplog.at_level(logging.DEBUG, "segiou"):
        kernel_for(CPU)
        kernel_for(CPU)
    assert caplog.messages == ["counting on cpu with segiou.counting.made_up"]


def test_without_the_package_torch_operations_count_in_silence(monkeypatch):
    monkeypatch.setitem(kernels.FUSED, "cpu", ("segiou.counting.no_such_module", "numba"))
    assert kernel_for(CPU) is eager


def test_a_kernel_that_fails_is_warned_of_once_and_torch_operations_count(monkeypatch):
    calls = []

    def broken(*args):
        calls.append(args)
        raise RuntimeError("no compiler here")

    replaced(monkeypatch, labels=broken)
    metric = MeanIoU(2)
    with pytest.warns(UserWarning, match=r"torch operations count instead, slower \(RuntimeError: no compiler here\)"):
        metric.update(PREDS, TARGET)
    metric.update(PREDS, TARGET)
    assert len(calls) == 1
    assert metric.confmat.tolist() == [[2, 2, 0], [0, 2, 0], [0, 0, 0]]
    monkeypatch.setenv("SEGIOU_KERNEL", "fused")
    monkeypatch.setattr(kernels, "_failed", set())
    with pytest.raises(RuntimeError, match="no compiler here"):
        metric.update(PREDS, TARGET)


@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 7), (2, 300, 6, 5), (0, 3, 4), (2, 3, 0, 4), (1, 4, 3, 5, 2)])
@pytest.mark.parametrize("classes_last", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [1, 20, eager.SCORES])
def test_argmax_is_torchs_in_every_layout(monkeypatch, shape, classes_last, dtype, size):
    """The first maximum and the first NaN, of classes next to each other in memory or far apart."""
    monkeypatch.setattr(eager, "SCORES", size)
    for nans in (0.0, 0.02):
        preds = (torch.randint(-2, 3, shape) / 2).to(dtype).masked_fill(torch.rand(shape) < nans, float("nan"))
        preds = preds.movedim(1, -1).contiguous().movedim(-1, 1) if classes_last else preds
        labels, flaws = eager.argmax(preds)
        assert torch.equal(labels.long(), preds.argmax(1))
        assert flaws.tolist() == [int(preds.isnan().any(1).sum()), 0]
