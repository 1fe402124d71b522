"""Type checkers know what ``compute`` returns, and find a misspelt argument."""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import segiou

ROOT = Path(segiou.__file__).parents[1]
USE = Path(__file__).parent / "data" / "typed_use.py"
WRONG = {number for number, line in enumerate(USE.read_text().splitlines(), 1) if "# WRONG" in line}


def reported(command: list[str]) -> set[int]:
    """The lines of the file that a checker calls wrong."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    run = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env={**os.environ, "MYPYPATH": path})
    found = re.findall(rf"{USE.name}:(\d+):.*error", run.stdout)
    if not found:
        pytest.fail(f"{run.stdout}\n{run.stderr}")
    return set(map(int, found))


@pytest.mark.skipif(not importlib.util.find_spec("mypy"), reason="needs mypy")
def test_mypy_knows_the_types_and_finds_typos():
    assert reported([sys.executable, "-m", "mypy", "--strict", str(USE)]) == WRONG


@pytest.mark.skipif(not shutil.which("pyright"), reason="needs pyright")
def test_pyright_knows_the_types_and_finds_typos():
    python = ["--pythonpath", sys.executable]
    assert reported(["pyright", *python, str(USE)]) == WRONG
