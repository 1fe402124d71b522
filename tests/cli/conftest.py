"""Folders of masks that the tests of the shell share."""

import numpy as np
import pytest

from tests.helpers.shell_cases import SIZE, write


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Predictions of two models and labels of 9 images of 3 classes, in the working folder."""
    rng = np.random.default_rng(3)
    for number in range(9):
        target = rng.integers(0, 3, SIZE)
        target[0, :2] = 255
        write(tmp_path / f"gt/{number % 2}/{number}_gt.png", target)
        for name, share in (("a", 0.6), ("b", 0.3)):
            values = np.where(rng.random(SIZE) < share, rng.integers(0, 3, SIZE), target % 255)
            write(tmp_path / f"{name}/{number % 2}/{number}_pred.png", values)
    monkeypatch.chdir(tmp_path)
    return tmp_path
