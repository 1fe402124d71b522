"""Settings and fixtures that every test file shares."""

import os

import matplotlib.pyplot
import pytest
import torch
from hypothesis import HealthCheck, settings

matplotlib.use("Agg")
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")  # before triton is imported

settings.register_profile(
    "segiou", deadline=None, max_examples=60, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("segiou")


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture
def _closed_figures():
    """Close the figures that a test leaves open."""
    yield
    matplotlib.pyplot.close("all")
