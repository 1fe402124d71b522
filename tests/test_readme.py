"""The README: its code runs, its commands exist, and what it says of repeated samples holds on two processes."""

import re
import shlex
import subprocess
from typing import Any

import pytest
import torch
import typer
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from segiou import MeanIoU
from segiou.cli.app import app
from tests.helpers import readme
from tests.helpers import repeated_samples_cases as cases
from tests.helpers.processes import ROOT, TORCHRUN, results_of_two_ranks

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
EXTRAS = set(
    re.findall(r"^(\w+) = \[", PYPROJECT.split("[project.optional-dependencies]")[1].split("[project.")[0], re.M)
)
COMMANDS = readme.commands()


class Alone:
    """An accelerator of one process."""

    @staticmethod
    def gather_for_metrics(data: Any) -> Any:
        return data


def test_it_is_short():
    assert len(readme.TEXT.splitlines()) <= 260
    assert len(readme.section("Contributing")) <= 20


@pytest.mark.filterwarnings("ignore:.*isinstance.treespec, LeafSpec")  # Lightning's own
def test_every_block_of_python_runs(tmp_path, monkeypatch, capsys):
    """In order, as one program, with a data set of four images and a network of one convolution."""
    pytest.importorskip("transformers")
    monkeypatch.chdir(tmp_path)
    images, masks = torch.randn(4, 3, 8, 8), torch.randint(0, 21, (4, 8, 8)).masked_fill(torch.rand(4, 8, 8) < 0.1, 255)
    data, model = TensorDataset(images, masks), nn.Conv2d(3, 21, 1)
    target = torch.randint(0, 21, (2, 8, 8))
    names = {
        "loader": DataLoader(data, 2),
        "model": model,
        "accelerator": Alone(),
        "raw": torch.tensor([[7, 26, 0]]),
        "train": data,
        "val": data,
        "target": target,
        **{name: torch.randint(0, 21, (2, 8, 8)) for name in ("preds", "preds_a", "preds_b")},
    }
    blocks = readme.blocks()
    assert len(blocks) >= 6
    for line, code in blocks:
        readme.run(code, names, line)
    value = MeanIoU(21, ignore_index=255)(model(images), masks)
    assert f"tensor({float(value):.4f}" in capsys.readouterr().out
    assert torch.equal(names["miou"].compute(), value)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_be_read_and_names_what_exists(command):
    subprocess.run(["bash", "-n", "-c", command], check=True)
    program, *words = [word for word in shlex.split(command) if word != "..."]
    for word in words:
        assert set(re.findall(r"\w+", (re.findall(r"\[(.*)\]", word) or [""])[0])) <= EXTRAS
        if "/" in word and program in ("python", "pytest"):
            assert (ROOT / word).exists(), word
    if " segiou " in f" {command} " and program in ("segiou", "torchrun", "python"):
        asked = [word for word in [program, *words][[program, *words].index("segiou") + 1 :] if "=" not in word]
        commands = typer.main.get_command(app).commands
        assert not asked or asked[0] in commands
        parameters = commands[asked[0]].params if asked else []
        options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in asked if word.startswith("--")} <= options | {"--help"}


def test_every_kind_of_command_is_found():
    programs = {command.split()[0] for command in COMMANDS}
    assert {"pip", "python", "pytest", "segiou", "torchrun", "ruff", "pdoc"} <= programs


def test_links_lead_to_files_and_extras_exist():
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme.TEXT) if "://" not in link]
    assert {"examples/coming_from.md", "examples/speed.md"} <= set(links)
    assert all((ROOT / link).is_file() for link in links)
    named = set(re.findall(r"\(?extras? `(\w+)`", readme.TEXT))
    assert named
    assert named <= EXTRAS


# ---- samples that are repeated on several processes


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, list[float]]]:
    """What each of two processes has measured in every way."""
    pytest.importorskip("accelerate")
    command = [*TORCHRUN, "tests.helpers.repeated_samples_cases"]
    return results_of_two_ranks(command, tmp_path_factory.mktemp("repeated"))


@pytest.fixture(scope="module")
def every_sample_once() -> float:
    images, masks = cases.data().tensors
    with torch.no_grad():
        return float(MeanIoU(cases.CLASSES, ignore_index=255)(cases.network()(images), masks))


@pytest.mark.parametrize("way", cases.WAYS)
def test_the_ways_of_the_readme_count_every_sample_once(ranks, every_sample_once, way):
    assert [rank[way] for rank in ranks] == [[every_sample_once] * len(cases.SIZES)] * 2  # to the last bit


@pytest.mark.parametrize("way", cases.WAYS)
def test_without_them_a_sample_is_counted_twice(ranks, every_sample_once, way):
    for rank in ranks:
        assert every_sample_once not in rank[f"{way}, repeats counted"]
