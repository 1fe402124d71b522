"""Fixtures that several tests of the monitor share."""

import pytest

import segiou.lightning.publisher


@pytest.fixture
def published(monkeypatch) -> list[tuple[str, int]]:
    """Stage and number of pixels of every epoch that the monitor measures."""
    found: list[tuple[str, int]] = []
    monkeypatch.setattr(
        segiou.lightning.publisher,
        "publish",
        lambda result, *_, **__: found.append((result.stage + result.suffix, int(result.counts.sum()))),
    )
    return found
