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
    page = tmp_path / "speed.md"
    done = subprocess.run(
        [*command, "--json", str(file), "--markdown", str(page)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
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
        assert f"\n| {row['name']} | " in page.read_text()
    assert str(Path.home()) not in page.read_text()


def test_the_page_has_the_numbers_of_every_section_and_what_has_failed(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    from benchmarking.page import page
    from benchmarking.timing import CPU, LIMIT, OWN, SMALL, THEIRS, Result

    large = Result(CPU, "per image *", 1, extra={"Extra memory, MB": {OWN: 0.125}})
    large.add({THEIRS: [30.0, 10.0, 20.0], OWN: [2.0, 4.0, 3.0], LIMIT: [1.5]})
    small = Result(SMALL, "labels 1x64x64", 1, median_ms={OWN: 0.034})
    found = page({"CPU": "of a test", "threads": 2}, [large, small, Result("", "sync", 0, error="OSError: no port")])
    lines = found.splitlines()
    assert "Measured with: CPU of a test, threads 2." in lines
    assert lines[lines.index("## CPU, ms") + 2 : lines.index("## CPU, ms") + 5] == [
        "| measured | torchmetrics | segiou | read once | torchmetrics /segiou | segiou /read once |",
        "| :-- | --: | --: | --: | --: | --: |",
        "| per image \\* | 20 | 3 | 1.50 | 6.67 | 2 |",
    ]
    assert lines[lines.index("## Extra memory, MB") + 4] == "| per image \\* | 0.125 |"
    assert lines[lines.index(f"## {SMALL}, us") + 4] == "| labels 1x64x64 | 34 |"
    assert "- sync: FAILED, OSError: no port" in lines


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
