"""What the shell writes: checked before the work, that nothing of the input is lost, and written after it."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from segiou.report.files import is_special, require_writable, write_whole

STANDARD_OUTPUT = Path("-")
SAME = {Path(text) for text in ("/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")}  # as "-" is


def output_of(path: Path | None) -> Path | None:
    """The path to write to; "-" for every name of the standard output."""
    return STANDARD_OUTPUT if path in SAME else path


def require_outputs(outputs: dict[str, Path | None], inputs: Iterable[Path]) -> None:
    """Check all that is to be written.

    Args:
        outputs: the path of each option, or None.
        inputs: the files that are read.

    Raises:
        OSError: a place that cannot be written to.
        ValueError: a file that is read, or that another option writes.
    """
    taken: dict[object, str] = {}
    seen = None
    for option, path in outputs.items():
        if path is None:
            continue
        if path != STANDARD_OUTPUT:
            require_writable(path)
        place = _identity(path)
        if place in taken and place != _identity(Path(os.devnull)):
            raise ValueError(f"{taken[place]} and {option} would write to the same place, {path}: give each its own")
        taken[place] = option
        if path == STANDARD_OUTPUT or not path.exists():
            continue
        seen = {_identity(each) for each in inputs if each.exists()} if seen is None else seen
        if place in seen:
            raise ValueError(f"{option} {path} is a file of the input, which would be lost: write to another")


def to_standard_output(outputs: Iterable[Path | None]) -> bool:
    """Whether something is written to the standard output, so that tables must go elsewhere."""
    return STANDARD_OUTPUT in outputs


def write(path: Path | None, made: Callable[[], bytes]) -> None:
    """Write a file, if there is one to write; what went wrong after the work does not lose what is on the screen."""
    if path is None:
        return
    try:
        if path == STANDARD_OUTPUT:
            sys.stdout.flush()
            typer.echo(made(), nl=False)
        else:
            write_whole(path, made())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise stopped(f"{path} could not be written: {error}") from error


def discard_output() -> None:
    """Let what waits for the standard output go: it is lost, and Python would say so again when it ends."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, AttributeError, ValueError):  # it is closed, or no file
        return


def stopped(text: str) -> typer.Exit:
    """Say what is wrong; the exit of status 1."""
    typer.echo(f"Error: {text}", err=True)
    return typer.Exit(1)


def _identity(path: Path) -> object:
    """Equal for two paths of one file: by links of either kind, and by names that differ in their case alone."""
    if path == STANDARD_OUTPUT:
        return path
    try:
        found = path.stat()
    except OSError:
        return os.path.realpath(path)
    return (found.st_dev, found.st_ino, found.st_rdev) if not is_special(path) else (os.path.realpath(path),)
