"""How the values of our metrics are held to the exact fractions of ``tests.helpers.peers``."""

import math
from fractions import Fraction as F

import pytest
import torch

LOOSE = {"ignore_index": 255, "validate_args": False}
WEIGHTS = [F(4, 10), F(4, 10), F(2, 10), F(0), F(0)]


def tensors(images):
    pixels = torch.tensor(images)
    return pixels[..., 0], pixels[..., 1]


def value(metric, images) -> float:
    return float(metric(*tensors(images)))


def exactly(score: F | None):
    return pytest.approx(math.nan if score is None else float(score), rel=1e-6, nan_ok=True)
