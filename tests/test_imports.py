"""What ``import segiou`` loads, and that imports inside the package run one way."""

import ast
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
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
# Rooms from the ground up. A room may import the rooms of the lines above its own, and nothing else of the package.
FLOORS = [
    {"argument_checks", "environment"},
    {"scoring"},
    {"counting"},
    {"labels"},
    {"plots"},
    {"metrics"},
    {"classification", "segmentation"},
    {"functional"},
    {"segiou"},
    {"report"},
    {"lightning", "evaluation", "transformers"},
    {"cli"},
    {"__main__"},
]
AT_THE_TOP = {"__init__", "__main__", "argument_checks", "plots", "transformers"}


def loaded_by(statement: str) -> set[str]:
    out = subprocess.run(
        [sys.executable, "-c", PROBE.format(statement=statement)], capture_output=True, text=True, check=True
    )
    return set(out.stdout.split())


def test_import_segiou_loads_nothing_heavy():
    new = loaded_by("import segiou, segiou.functional, segiou.transformers; from segiou import *")
    assert "segiou" in new
    assert not new & set(HEAVY)


def loaded_without_torch(statement: str) -> set[str]:
    code = f"import sys\n{statement}\nprint(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(out.stdout.splitlines()[-1].split())


def test_the_package_and_its_label_sets_do_not_load_torch():
    statement = "import segiou; labels = segiou.LabelSet.of('cityscapes'); labels.to_json()"
    assert "segiou" in loaded_without_torch(statement)
    assert "torch" not in loaded_without_torch(statement)
    assert "torch" in loaded_without_torch("import segiou; segiou.MeanIoU")


def test_every_public_name_is_there_when_it_is_asked_for():
    types = ast.parse((PACKAGE / "__init__.py").read_text())
    named = {alias.name for node in ast.walk(types) if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert named >= set(segiou.__all__)  # what editors and mypy see
    assert set(segiou.__all__) <= set(dir(segiou))
    for name in segiou.__all__:
        assert getattr(segiou, name).__name__.split(".")[-1] == name
    with pytest.raises(AttributeError, match="module 'segiou' has no attribute 'MeanIuO'"):
        segiou.MeanIuO  # noqa: B018


def test_the_test_above_can_fail():
    assert "pytorch_lightning" in loaded_by("import segiou.lightning.monitor") & set(HEAVY)


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


def room(module: str) -> str:
    """The room that a module is in: a package, or a module at the top."""
    return module.split(".")[1] if "." in module else module


def floor(module: str) -> int:
    return next(index for index, rooms in enumerate(FLOORS) if room(module) in rooms)


def wrong_way(imports: dict[str, set[str]]) -> list[tuple[str, str]]:
    """Imports of a room that is not below the importer's own."""
    return [
        (name, other)
        for name, others in imports.items()
        for other in others
        if room(name) != room(other) and floor(other) >= floor(name)
    ]


def private_names(path: Path) -> list[str]:
    """Names that begin with an underscore and that a file takes from another room."""
    own = room(module_name(path)) if path.is_relative_to(PACKAGE) else ""
    return [
        f"{node.module}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "segiou"
        for alias in node.names
        if room(node.module) != own
        and any(part[0] == "_" and part[:2] != "__" for part in (*node.module.split("."), alias.name))
    ]


def test_every_module_is_in_a_room():
    assert {room(name) for name in MODULES} == set().union(*FLOORS)
    assert {path.stem for path in PACKAGE.glob("*.py")} == AT_THE_TOP


def test_every_room_says_what_it_is():
    for name, path in MODULES.items():
        assert ast.get_docstring(ast.parse(path.read_text())), name


def test_imports_run_one_way_between_rooms():
    assert not wrong_way({name: imported(path) for name, path in MODULES.items()})


def test_imports_run_one_way_within_a_room():
    """No module needs itself: a package is the face of its modules, which do not import it."""
    graph = {name: imported(path) - {name} for name, path in MODULES.items()}
    faces = {name for name, path in MODULES.items() if path.name == "__init__.py"}
    inside = {name: {other for other in others if other not in faces} for name, others in graph.items()}
    assert list(TopologicalSorter(inside).static_order())


def test_a_circle_within_a_room_is_found():
    with pytest.raises(CycleError):
        list(TopologicalSorter({"a": {"b"}, "b": {"a"}}).static_order())


def test_no_room_takes_a_private_name_of_another():
    assert [found for path in MODULES.values() for found in private_names(path)] == []


TESTS = Path(__file__).parent


def taken_from_tests(path: Path) -> list[str]:
    """What a file imports from a module of tests, ``tests.*.test_*``."""
    names = [
        f"{getattr(node, 'module', '')}.{alias.name}"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    return [name for name in names if "tests" in name.split(".") and ".test_" in name]


def test_what_tests_share_is_in_helpers_and_not_in_a_test():
    assert [found for path in TESTS.rglob("*.py") for found in taken_from_tests(path)] == []


@pytest.mark.parametrize(
    "statement",
    ["from tests.metrics.test_scores import same", "from tests.metrics import test_scores", "import tests.test_plots"],
)
def test_an_import_from_a_test_is_found(tmp_path, statement):
    path = tmp_path / "test_new.py"
    path.write_text(f"import torch\nfrom tests.helpers import oracle\n{statement}\n")
    assert len(taken_from_tests(path)) == 1


def test_a_wrong_import_is_found(tmp_path):
    path = tmp_path / "formulas.py"
    path.write_text("def f():\n    from segiou.metrics import scores\n    from segiou.counting.eager import _chunks\n")
    assert imported(path) == {"segiou.metrics.scores", "segiou.counting.eager"}
    assert len(wrong_way({"segiou.scoring.formulas": imported(path)})) == 2
    assert private_names(path) == ["segiou.counting.eager._chunks"]


# arguments with their docstring, and a GPU kernel that is one launch
LONG = {"__init__", "count", "compute_metrics", "evaluate_command", "compare"}  # by their arguments


@pytest.mark.parametrize("name", sorted(MODULES))
def test_rooms_are_small(name):
    tree = ast.parse(MODULES[name].read_text())
    assert len(MODULES[name].read_text().splitlines()) <= 300
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name not in LONG:
            assert (node.end_lineno or 0) - node.lineno <= 45, node.name
