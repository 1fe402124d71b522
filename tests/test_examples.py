"""The examples run as their first lines say, and give the same numbers on one process and on two."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.helpers import oracle

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


def there(*modules: str) -> bool:
    """Whether all are installed; none is imported."""
    return all(importlib.util.find_spec(name) is not None for name in modules)


@pytest.mark.skipif(
    not there("transformers", "accelerate", "stardist"), reason="needs transformers, accelerate and stardist"
)
def test_segformer_measures_the_same_weights_alike_on_one_process_and_on_two(tmp_path):
    script = str(EXAMPLES / "segformer.py")
    trained = run(script, "--epochs", "1", "--quick", "--output", "weights", cwd=tmp_path)
    kept = re.search(r"weights in (weights/checkpoint-2)", trained)
    assert kept
    alone = run(script, "--evaluate", kept[1], cwd=tmp_path)
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert run(*launcher, script, "--evaluate", kept[1], cwd=tmp_path) == alone
    first, *classes = alone.splitlines()
    assert f"epoch 1  {first}\nbest epoch 1  " in trained
    assert "\n".join(classes) in trained


SETS = {"nuclei": "stardist", "tissue": "nilearn", "buildings": "cw_eval"}


def counted(folder: Path) -> list[list[int]]:
    """The counts of a folder's masks, a pixel at a time."""
    counts = [[0] * 3 for _ in range(3)]
    for label in (folder / "label").iterdir():
        pixels = [list(Image.open(path).tobytes()) for path in (folder / "pred" / label.name, label)]
        found = oracle.matrix(*pixels, 2, (255,))
        counts = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(counts, found, strict=True)]
    return counts


def test_evaluate_folder_writes_the_sets_whose_packages_are_there(tmp_path):
    status = 0 if any(map(there, SETS.values())) else 1  # where there is nothing to write it says so
    script = str(EXAMPLES / "evaluate_folder.py")
    printed = run(script, "--only-write", "--output", "masks", cwd=tmp_path, status=status)
    for name, package in SETS.items():
        written = (tmp_path / "masks" / name).exists()
        assert written == (f"{name} is left out" not in printed)
        assert there(package) or "is not installed: pip install" in printed
        if written:
            counts = counted(tmp_path / "masks" / name)
            assert (sum(counts[2]) > 0) == (name == "tissue")
            assert all(0.4 < oracle.iou(*oracle.class_areas(counts, c)) < 0.96 for c in (0, 1))


@pytest.mark.skipif(not there("segiou.__main__", "typer"), reason="needs the shell: pip install segiou[cli]")
@pytest.mark.skipif(not any(map(there, SETS.values())), reason="needs stardist, nilearn or cw-eval")
def test_evaluate_folder_scores_the_sets_from_the_shell(tmp_path):
    run(str(EXAMPLES / "evaluate_folder.py"), "--output", "masks", cwd=tmp_path)
    scored = list((tmp_path / "masks").glob("*/scores.json"))
    assert scored
    for file in scored:
        assert json.loads(file.read_text())["confusion"] == counted(file.parent)
