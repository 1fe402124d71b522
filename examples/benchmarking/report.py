"""The tables, and what they depend on."""

import io
import os
import platform
from collections.abc import Iterator
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

import torch

from benchmarking.timing import COLUMNS, LIMIT, OPENCV, SMALL, THEIRS, TORCH, Result

RATIOS = {
    THEIRS: "torchmetrics /segiou",
    OPENCV: "OpenCV /segiou",
    TORCH: "torch /segiou",
    LIMIT: "segiou /read once",
}


def machine() -> dict[str, Any]:
    """What the numbers depend on, and nothing that names the machine or its user."""
    cpu, info = platform.machine(), Path("/proc/cpuinfo")
    if info.exists():
        models = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        cpu = models[0] if models else cpu
    found = {"date": date.today().isoformat(), "CPU": cpu, "cores": os.cpu_count()}
    if torch.cuda.is_available():
        found["GPU"] = torch.cuda.get_device_name()
    found |= {"system": platform.system(), "Python": platform.python_version()}
    for package in ("torch", "torchmetrics", "triton"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "none"
    return found


class Table(NamedTuple):
    """A title, the names of the columns, and lines of as many cells, the first of which says what was measured."""

    title: str
    head: list[str]
    lines: list[list[str]]


def tables(results: list[Result]) -> Iterator[Table]:
    """Of each section its times, and what else was measured in it."""
    for section in dict.fromkeys(result.section for result in results if not result.error):
        rows = [result for result in results if result.section == section and not result.error]
        unit, scale = ("us", 1e3) if section == SMALL else ("ms", 1.0)
        times = [{name: scale * ms for name, ms in row.median_ms.items()} for row in rows]
        ratios = [name for name in RATIOS if any(name in row.ratios for row in rows)]
        yield table(f"{section}, {unit}", rows, times, ratios)
        for title in dict.fromkeys(title for row in rows for title in row.extra):
            having = [row for row in rows if title in row.extra]
            yield table(title, having, [row.extra[title] for row in having], [])


def table(title: str, rows: list[Result], numbers: list[dict[str, float]], ratios: list[str]) -> Table:
    columns = [name for name in COLUMNS if any(name in values for values in numbers)]
    lines = [
        [row.name, *(digits(values.get(name)) for name in columns), *(digits(row.ratios.get(name)) for name in ratios)]
        for row, values in zip(rows, numbers, strict=True)
    ]
    return Table(title, ["", *columns, *(RATIOS[name] for name in ratios)], lines)


def failures(results: list[Result]) -> list[str]:
    return [f"{result.name}: FAILED, {result.error}" for result in results if result.error]


def show(results: list[Result]) -> None:
    """Print the tables, and what has failed."""
    for each in tables(results):
        print()
        try:
            _rich(*each)
        except ImportError:
            _plain(*each)
    for failure in failures(results):
        print(failure)


def digits(value: float | None) -> str:
    """Three digits that count, and no exponent."""
    if value is None:
        return ""
    places = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{places}f}"


def _rich(title: str, head: list[str], lines: list[list[str]]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    grid = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=0, collapse_padding=True)
    for place, name in enumerate(head):
        name = name.replace("torchmetrics", "torch- metrics")  # for narrow columns
        longest = max(map(len, [*name.split(), *(line[place] for line in lines)]))
        grid.add_column(name, justify="right" if place else "left", width=longest, vertical="bottom")
    for line in lines:
        grid.add_row(*line)
    text = io.StringIO()
    Console(file=text, width=120).print(grid)
    print("\n".join(line.rstrip() for line in text.getvalue().rstrip().splitlines()))


def _plain(title: str, head: list[str], lines: list[list[str]]) -> None:
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    print(title)
    for line in [head, *lines]:
        cells = [cell.rjust(width) for cell, width in zip(line, widths, strict=True)]
        print("  ".join([line[0].ljust(widths[0]), *cells[1:]]))
