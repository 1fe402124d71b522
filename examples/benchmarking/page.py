"""The tables as a page of Markdown, ``examples/speed.md``."""

from typing import Any

from benchmarking.report import Table, failures, tables
from benchmarking.timing import EAGER, LIMIT, OPENCV, OWN, THEIRS, TORCH, Result

INTRODUCTION = f"""# Speed

This page is written by `python examples/benchmark.py --markdown examples/speed.md`, which measures your own machine.
The contenders of a row take turns in one loop, and none is timed before their counts agree. Times are medians.

- `{THEIRS}` is `update` of its Jaccard index with `validate_args=False`; "checked" is with `True`, its default.
- `{TORCH}` is the fastest way known to us to count the same with torch operations. It checks nothing.
- `{OPENCV}`, where it is installed, erodes the mask of each class, as the reference code of boundary IoU does.
- `{OWN}` is `update` of `MeanIoU` with its compiled kernels, which always checks. `{EAGER}` counts exactly the same
  with torch operations, as `SEGIOU_KERNEL=eager` makes it do.
- `{LIMIT}` is `torch.sum` over the bytes of the input, which hardly any way of counting can beat. In rows with a star
  it is segiou's one matrix of all images.

One thread counts where a row does not say otherwise. Score maps smaller than the target go through `F.interpolate`
for the others. Extra memory is what a call takes at its peak beside its input. Bytes sent are those of collectives
that send in rings.
"""
CLOSING = """
The environment variable `SEGIOU_KERNEL` chooses: `eager` counts with torch operations, `fused` insists on compiled
kernels. The logger "segiou" says at level DEBUG what counts. On an NVIDIA GPU one Triton kernel counts, without making
the host wait; so far it has run in Triton's interpreter alone. `python examples/tune_cuda.py` checks and times it.
"""


def page(about: dict[str, Any], results: list[Result]) -> str:
    """The whole page; ``about`` says what the numbers depend on."""
    machine = ", ".join(f"{key} {value}" for key, value in about.items())
    parts = [f"{INTRODUCTION}\nMeasured with: {machine}.\n", *map(_section, tables(results))]
    failed = "".join(f"- {failure}\n" for failure in failures(results))
    return "\n".join([*parts, *([failed] if failed else [])]) + CLOSING


def _section(table: Table) -> str:
    head, align = ["measured", *table.head[1:]], [":--", *("--:" for _ in table.head[1:])]
    lines = [f"| {' | '.join(map(_escaped, line))} |" for line in (head, align, *table.lines)]
    return "\n".join([f"## {table.title}", "", *lines, ""])


def _escaped(cell: str) -> str:
    return cell.replace("|", "\\|").replace("*", "\\*")
