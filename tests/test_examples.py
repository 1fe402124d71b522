"""The examples run as their first lines say, and give the same numbers on one process and on two."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"


def run(*command: str, cwd: Path, status: int = 0) -> str:
    done = subprocess.run([sys.executable, *command], cwd=cwd, capture_output=True, text=True, timeout=240)
    assert done.returncode == status, done.stderr
    return done.stdout + (done.stderr if status else "")


def scores(output: str) -> list[str]:
    """The table and the line below it, that progress bars and paths differ from run to run."""
    start = output.index("┃ class")
    lines = output[start:].splitlines()
    return [line.strip() for line in lines if line.startswith(("│", "validation blocks"))]


def test_plain_ddp_prints_the_same_on_one_process_and_on_two(tmp_path):
    script = str(EXAMPLES / "plain_ddp.py")
    alone = run(script, cwd=tmp_path)
    both = run("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", script, cwd=tmp_path)
    assert "IoU/forest" in alone
    assert both == alone


def test_indian_pines_measures_the_same_weights_alike_on_one_process_and_on_two(tmp_path):
    script = str(EXAMPLES / "indian_pines.py")
    trained = run(script, "--epochs", "2", "--devices", "2", cwd=tmp_path)
    assert trained.count("val/mIoU 0.") == 2
    weights = next(tmp_path.rglob("last.ckpt"))
    results = [scores(run(script, "--evaluate", str(weights), "--devices", str(n), cwd=tmp_path)) for n in (1, 2)]
    assert "Soybean-mintill" in "".join(results[0])
    assert results[0] == results[1] == scores(trained)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is not None, reason="torchvision is installed")
def test_fcn_resnet50_says_what_is_missing(tmp_path):
    assert "torchvision is not installed" in run(str(EXAMPLES / "fcn_resnet50.py"), cwd=tmp_path, status=1)


@pytest.mark.skipif(importlib.util.find_spec("torchvision") is None, reason="needs a torchvision that matches torch")
def test_fcn_resnet50_runs_where_torchvision_matches(tmp_path):
    assert "val/mIoU" in run(str(EXAMPLES / "fcn_resnet50.py"), cwd=tmp_path)
