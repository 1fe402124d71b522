"""What ``import segiou`` loads, and that imports inside the package run one way."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import segiou

PACKAGE = Path(segiou.__file__).parent
HEAVY = ["pytorch_lightning", "lightning", "matplotlib", "numba", "triton", "PIL", "rich", "typer", "pandas", "jinja2"]
HEAVY += ["transformers", "accelerate"]
# torchmetrics itself draws with matplotlib and looks for others; what it loads is not ours
PROBE = """
import sys
import torch, torchmetrics
before = set(sys.modules)
{statement}
print(*sorted({{name.split(".")[0] for name in set(sys.modules) - before}}))
"""
LAYERS = [
    {
        "segiou.steps",
        "segiou.compiling",
        "segiou.files",
        "segiou.formulas",
        "segiou.counting.forks",
        "segiou.counting.rules",
        "segiou.plots",
        "segiou.resampling",
        "segiou.labels.presets",
        "segiou.labels.tables",
    },
    {"segiou.averaging", "segiou.counting.inputs", "segiou.labels.checks"},
    {"segiou.labels"},
    {"segiou.classes"},
    {"segiou.counting.eager", "segiou.counting.upsample", "segiou.counting.triton_kernels"},
    {"segiou.counting.bands", "segiou.counting.cuda", "segiou.counting.predicted"},
    {
        "segiou.counting.cpu.geometry",
        "segiou.counting.cpu.threads",
        "segiou.counting.cpu.native",
        "segiou.counting.cpu.vectors",
    },
    {
        "segiou.counting.cpu.blend",
        "segiou.counting.cpu.cells",
        "segiou.counting.cpu.gather",
        "segiou.counting.cpu.histogram",
        "segiou.counting.cpu.label_rows",
        "segiou.counting.cpu.nearest",
        "segiou.counting.cpu.rows",
        "segiou.counting.cpu.sweep",
    },
    {
        "segiou.counting.cpu.binary_columns",
        "segiou.counting.cpu.by_axes",
        "segiou.counting.cpu.by_corners",
        "segiou.counting.cpu.resizing",
        "segiou.counting.cpu.score_columns",
    },
    {"segiou.counting.cpu.driver", "segiou.counting.cpu.band_rows"},
    {"segiou.counting.cpu.bilinear", "segiou.counting.cpu.thresholds"},
    {"segiou.counting.cpu.pieces"},
    {"segiou.counting.cpu"},
    {"segiou.counting.cpu.bands"},
    {"segiou.counting.kernels"},
    {"segiou.counting", "segiou.counting.thresholds"},
    {"segiou.state"},
    {"segiou.together", "segiou.pixels"},
    {"segiou.metric"},
    {"segiou.metrics"},
    {"segiou.boundary", "segiou.classification.tasks", "segiou.images", "segiou.instances", "segiou.sweep"},
    {"segiou.classification.confusion_matrix", "segiou.classification.jaccard"},
    {"segiou.classification"},
    {"segiou.bootstrap", "segiou.imagewise"},
    {"segiou", "segiou.functional", "segiou.measures", "segiou.padding", "segiou.publishing"},
    {"segiou.report.conventions", "segiou.report.data", "segiou.report.matrix"},
    {"segiou.report.pictures", "segiou.report.views"},
    {"segiou.report.page"},
    {"segiou.report", "segiou.worst"},
    {"segiou.reporting"},
    {"segiou.lightning", "segiou.transformers"},
    {"segiou.masks", "segiou.processes"},
    {"segiou.coding", "segiou.folders"},
    {"segiou.tally"},
    {"segiou.evaluation", "segiou.shell", "segiou.shell.options"},
    {"segiou.shell.pages", "segiou.shell.results"},
    {"segiou.shell.console"},
    {"segiou.cli"},
    {"segiou.__main__"},
]


def loaded_by(statement: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=statement)], capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def test_import_segiou_loads_nothing_heavy():
    new = loaded_by("import segiou, segiou.functional, segiou.transformers")
    assert "segiou" in new
    assert not new & set(HEAVY)


def test_the_test_above_can_fail():
    assert "pytorch_lightning" in loaded_by("import segiou.lightning") & set(HEAVY)


def test_a_first_update_and_compute_load_nothing_heavy_either():
    statement = "import segiou; m = segiou.MeanIoU(2); m(torch.tensor([0]), torch.tensor([1]))"
    assert not loaded_by(statement) & {"pytorch_lightning", "lightning", "matplotlib", "triton", "PIL", "rich"}


def module_name(path: Path) -> str:
    parts = ("segiou", *path.relative_to(PACKAGE).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in PACKAGE.rglob("*.py")}


def imported(path: Path) -> set[str]:
    """The modules of the package that a file imports, those inside functions too."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "segiou":
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.split(".")[0] == "segiou"}
    return found


def layer(module: str) -> int:
    return next(index for index, modules in enumerate(LAYERS) if module in modules)


def wrong_way(imports: dict[str, set[str]]) -> list[tuple[str, str]]:
    return [(name, other) for name, others in imports.items() for other in others if layer(other) >= layer(name)]


def test_every_module_has_a_layer():
    assert set(MODULES) == set().union(*LAYERS)


def test_imports_run_one_way():
    assert not wrong_way({name: imported(path) for name, path in MODULES.items()})


def test_a_wrong_import_is_found(tmp_path):
    path = tmp_path / "formulas.py"
    path.write_text("def f():\n    from segiou import metrics\n    from segiou.counting import eager\n")
    assert imported(path) == {"segiou.metrics", "segiou.counting.eager"}
    assert len(wrong_way({"segiou.formulas": imported(path)})) == 2


# arguments with their docstring, and a GPU kernel that is one launch
LONG = {"__init__", "count", "compute_metrics"}


@pytest.mark.parametrize("name", sorted(MODULES))
def test_rooms_are_small(name):
    tree = ast.parse(MODULES[name].read_text())
    assert len(MODULES[name].read_text().splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in LONG:
            assert (node.end_lineno or 0) - node.lineno <= 45, node.name
