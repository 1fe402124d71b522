"""Folders of masks for the shell, its commands, and what they are held to."""

import os
import re
from pathlib import Path

import numpy as np
from PIL import Image
from typer.testing import CliRunner

import segiou
from segiou import MeanIoU
from segiou.cli.app import app

SIZE = (6, 8)


def write(path: Path, values: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8)).save(path)


FILES = ["--pred-suffix", "_pred", "--label-suffix", "_gt"]
THREE = ["--num-classes", "3", "--ignore-index", "255", *FILES]


def run(*arguments: str, code: int = 0):
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def plain(text: str) -> str:
    """Text without the frame and the line breaks that rich puts around errors."""
    return " ".join(re.sub(r"[│╭╮╰╯─]", " ", text).split())


def expected_miou(folders: Path, pred: str = "a") -> float:
    metric = MeanIoU(3, ignore_index=255)
    for path in sorted((folders / "gt").rglob("*.png")):
        other = folders / pred / path.parent.name / path.name.replace("_gt", "_pred")
        metric.update(np.array(Image.open(other))[None], np.array(Image.open(path))[None])
    return float(metric.compute())


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(segiou.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
