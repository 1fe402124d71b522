"""Fixtures that several tests of counting share."""

import pytest
import torch

from segiou.counting import kernels, verification


@pytest.fixture(params=[1, 2, 5])
def _threads(request):
    """Count with one thread, with two, and with more than most machines of a test have."""
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def _fresh_kernels(monkeypatch):
    """No kernel was chosen, has failed or was verified yet, as in a new process."""
    monkeypatch.delenv("SEGIOU_KERNEL", raising=False)
    monkeypatch.setattr(kernels, "_failed", set())
    monkeypatch.setattr(verification, "_verified", set())
    kernels._chosen.cache_clear()
    yield
    kernels._chosen.cache_clear()
