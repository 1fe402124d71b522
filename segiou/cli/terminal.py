"""Consoles and tables of the shell. Nothing here loads torch."""

import sys

from rich import box
from rich.console import Console
from rich.table import Column, Table


def console(stderr: bool = False) -> Console:
    """A console that shows names as they are; wide where no terminal says how wide it is."""
    stream = sys.stderr if stderr else sys.stdout
    terminal = stream is not None and stream.isatty()  # None where it was closed
    return Console(stderr=stderr, width=None if terminal else 100, markup=False, emoji=False, highlight=False)


def table(*columns: Column | str) -> Table:
    """A table of the shell, without rows."""
    return Table(*columns, box=box.SIMPLE_HEAD, caption_justify="left", pad_edge=False)


def right(name: str) -> Column:
    """A column of numbers."""
    return Column(name, justify="right", no_wrap=True)
