"""What counts as installed, and a folder that has the name of a package."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from segiou.environment.installed import installed


@pytest.mark.parametrize("name", ["torch", "torch.nn", "torch.nn.functional", "json", "json.decoder"])
def test_packages_and_modules_inside_them(name):
    assert installed(name)


@pytest.mark.parametrize("name", ["no_such_package", "torch.no_such_package", "json.decoder.no_such", "no.such"])
def test_what_is_not_there(name):
    assert not installed(name)


def test_a_folder_is_no_package_and_a_file_of_that_name_is_not_run(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "some_folder" / "inner").mkdir(parents=True)
    (tmp_path / "some_package").mkdir()
    (tmp_path / "some_package" / "__init__.py").write_text("raise SystemExit('it is run')")
    (tmp_path / "some_script.py").write_text("raise SystemExit('it is run')")
    assert not installed("some_folder")
    assert not installed("some_folder.inner")
    (tmp_path / "some_folder" / "module.py").write_text("raise SystemExit('it is run')")
    assert not installed("some_folder.module")
    assert installed("some_package")
    assert not installed("some_package.inner")
    (tmp_path / "some_package" / "folder").mkdir()
    assert not installed("some_package.folder")
    assert not installed("some_script.inner")


@pytest.mark.parametrize("form", ["folder", "folder of modules", "package", "script"])
def test_a_lightning_of_the_users_own_in_the_working_directory(tmp_path, form):
    if form == "script":
        (tmp_path / "lightning.py").write_text("raise SystemExit('it is run')")
    else:
        (tmp_path / "lightning" / "pytorch").mkdir(parents=True)
        (tmp_path / "lightning" / "module.py").touch()
    if form == "folder of modules":
        (tmp_path / "lightning" / "pytorch" / "module.py").touch()
    if form == "package":
        (tmp_path / "lightning" / "__init__.py").touch()
        (tmp_path / "lightning" / "pytorch").rmdir()
    # only this folder has a lightning: the finder of installed packages is made to find none
    program = """
import sys
from importlib.machinery import PathFinder
class Hides(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "lightning" and path is None:
            return PathFinder.find_spec(name, [sys.argv[1]], target)
        return PathFinder.find_spec(name, path, target)
sys.meta_path[sys.meta_path.index(PathFinder)] = Hides
from segiou.lightning import SegmentationMonitor
import pytorch_lightning
assert issubclass(SegmentationMonitor, pytorch_lightning.Callback)
assert [base.__module__.split(".")[0] for base in SegmentationMonitor.__bases__] == ["segiou", "pytorch_lightning"]
"""
    path = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
