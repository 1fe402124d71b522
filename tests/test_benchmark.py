"""The benchmark runs, and refuses to time contenders that do not count the same; what it measures is not asked."""

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.mark.parametrize(("only", "rows"), [("labels uint8 4x512x512", 1), ("labels 1x", 2), ("sync", 1)])
def test_every_number_is_positive(tmp_path, only, rows):
    file = tmp_path / "found.json"
    command = [sys.executable, str(EXAMPLES / "benchmark.py"), "--quick", "--rounds", "1", "--only", only]
    done = subprocess.run([*command, "--json", str(file)], cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(file.read_text())
    assert found["machine"]["torch"] == version("torch")
    assert len(found["rows"]) == rows
    for row in found["rows"]:
        assert only in row["name"]
        assert {"torchmetrics", "segiou"} <= row["median_ms"].keys()
        extra = [number for values in row["extra"].values() for number in values.values()]
        assert all(number > 0 for number in [*row["median_ms"].values(), *row["ratios"].values(), *extra])
        assert row["name"] in done.stdout


def test_contenders_that_disagree_are_not_timed(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    monkeypatch.setenv("SEGIOU_KERNEL", "auto")  # the timing sets it
    from benchmarking.timing import Contender, check

    row = {
        name: Contender(lambda: None, lambda value=value: torch.tensor([value]))
        for name, value in {"a": 1, "b": 2}.items()
    }
    with pytest.raises(AssertionError, match="b counts otherwise than a"):
        check(row)
