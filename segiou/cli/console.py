"""What the shell shows: progress while files are scored, and tables."""

import time
from collections.abc import Mapping
from dataclasses import replace

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor

from segiou.cli.results import FBETA, Row, class_table, headline
from segiou.cli.terminal import console, right, table
from segiou.evaluation.evaluate import Outcome
from segiou.evaluation.tally import Result
from segiou.metrics.intervals import ENOUGH, TOO_FEW, Comparison, verdict
from segiou.metrics.scores import MeanIoU, SegmentationMetrics

EVERY = 0.2  # seconds between two looks at the running mIoU
MOST_NAMED = 10  # files that could not be scored


class Watch:
    """A progress bar with images a second and the mIoU so far; nothing where there is no terminal."""

    def __init__(self, metric: SegmentationMetrics, items: int, shown: bool) -> None:
        columns = [TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()]
        out = console(stderr=True)
        self.progress = Progress(*columns, console=out, disable=not (shown and out.is_terminal), transient=True)
        self.metric = metric
        self.task = self.progress.add_task("starting", total=items)
        self.begun = self.looked = time.perf_counter()
        self.done = 0

    def __enter__(self) -> "Watch":
        self.progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.progress.stop()

    def __call__(self, counts: Tensor) -> None:
        """One more item is done; ``counts`` are those so far."""
        self.done += 1
        now = time.perf_counter()
        if self.progress.disable or now - self.looked < EVERY:
            return
        self.looked = now
        miou = float(MeanIoU.score(self.metric.areas(counts), self.metric.averaging))
        rate = self.done / (now - self.begun)
        self.progress.update(self.task, completed=self.done, description=f"{rate:.1f} images/s  mIoU {cell(miou)}")

    def summary(self, failed: int) -> str:
        """How many items this process has read, how many of all could not be scored, and how fast."""
        seconds = time.perf_counter() - self.begun
        but = f", of which {failed:,} could not be scored" if failed else ""
        return f"{images(self.done)} in {seconds:.1f} s, {self.done / seconds:.1f} images/s{but}"


def images(number: int) -> str:
    """A number of images as text."""
    return f"{number:,} image{'' if number == 1 else 's'}"


def cell(value: float | None, sign: str = "") -> str:
    """A score as text."""
    return "-" if value is None or value != value else f"{value:{sign}.4f}"


def show_evaluation(out: Console, outcome: Outcome, worst: int, twins: str = "") -> None:
    """The tables of classes and of groups, their scores of the whole, and the images that scored lowest.

    Args:
        out: where it is shown.
        outcome: of one model; nothing is shown where no image could be scored.
        worst: how many images are named.
        twins: a remark on values that may mean something else than is counted, or nothing.
    """
    (result,) = outcome.results
    if not result.images.ids:
        return
    show_scores(out, result, "class")
    if result.groups is not None:
        out.print("\ngroups of classes")
        show_scores(out, result.groups, "group")
    if twins:
        out.print(twins, soft_wrap=True)
    number = len(result.images.ids)
    if result.intervals:
        _warn_of_few(out, number)
    scored = [(name, value) for name, value in result.images.worst(worst) if value == value] if worst else []
    if scored:
        out.print(f"\nlowest mIoU of {images(number)}, each over the classes in its label")
        for name, value in scored:
            out.print(f"  {cell(value)}  {name}", soft_wrap=True)


def _warn_of_few(out: Console, number: int) -> None:
    if number < ENOUGH:
        out.print(f"{images(number)}: {TOO_FEW}", soft_wrap=True)


def show_scores(out: Console, result: Result, kind: str) -> None:
    """The table of classes, or of groups, and the scores of the whole."""
    found = class_table(result)
    short = {"Boundary" if name == "BoundaryIoU" else name: column for name, column in found.columns.items()}
    out.print(replace(found, columns=short, kind=kind).to_rich(box=box.SIMPLE_HEAD, average=False))
    _show_headline(out, result)


def _show_headline(out: Console, result: Result) -> None:
    for name, value in headline(result).items():
        interval = result.intervals.get(name)
        bounds = "" if interval is None else f"  {_bounds(float(interval.low), float(interval.high))}"
        out.print(f"{name:<21}{cell(value)}{bounds}")


def show_comparison(out: Console, outcome: Outcome, most: int, remarks: Mapping[str, str] | None = None) -> None:
    """Both scores and their differences, classes that got better and worse, and images that differ most."""
    number = len(outcome.results[0].images.ids)
    if not number:
        return
    _show_differences(out, outcome.differences, "classes")
    if outcome.group_differences:
        out.print("\ngroups of classes")
        _show_differences(out, outcome.group_differences, "groups")
    _warn_of_few(out, number)
    rows = [row for row in image_differences(outcome) if row["a"] != row["b"]][:most]
    if rows:
        out.print(
            f"\nimages whose mIoU differs most, of {images(number)}, sorted by the size of B - A, whatever its sign"
        )
        for row in rows:
            shown = f"{cell(row['a'])} to {cell(row['b'])} ({cell(row['b'] - row['a'], '+')})"
            out.print(f"  {shown}  {row['name']}", soft_wrap=True)
    for name, remark in (remarks or {}).items():
        if remark:
            out.print(f"{name}: {remark}", soft_wrap=True)


def _show_differences(out: Console, differences: dict[str, Comparison], kind: str) -> None:
    shown = table("", *[right(name) for name in ("A", "B", "B - A", "95 % of B - A", "p")], "")
    whole = [name for name in differences if "/" not in name and name != FBETA]
    classes = sorted((name for name in differences if "/" in name), key=lambda name: _order(name, differences))
    for name in [*whole, *classes]:
        ends = name == whole[-1]
        shown.add_row(name, *_difference_cells(differences[name]), end_section=ends)
    shown.caption = (
        f"{kind} are sorted by B - A, the greatest gain first\n"
        f"better, worse: the interval of B - A does not hold 0, and p is at most 0.05; of many {kind}, 5 % are so by "
        "chance"
    )
    out.print(shown)


def image_differences(outcome: Outcome) -> list[Row]:
    """The mIoU of each image in both models, those that differ most first."""
    a, b = (result.images for result in outcome.results)
    rows = [
        {"name": name, "a": first, "b": second}
        for name, first, second in zip(a.ids, a.values.tolist(), b.values.tolist(), strict=True)
        if first == first and second == second
    ]
    return sorted(rows, key=lambda row: (-abs(row["b"] - row["a"]), row["name"]))


def show_failures(out: Console, outcome: Outcome) -> None:
    """What could not be scored, and whether the scoring was interrupted."""
    failures = outcome.failures
    if failures:
        out.print(f"{len(failures):,} could not be scored:", style="bold red")
        for name, reason in failures[:MOST_NAMED]:
            out.print(f"  {name}: {reason}", soft_wrap=True)
        if len(failures) > MOST_NAMED:
            out.print(f"  and {len(failures) - MOST_NAMED:,} more (--json FILE names all)")
    if outcome.partial:
        scored = images(len(outcome.results[0].images.ids))
        out.print(f"PARTIAL: interrupted after {scored}, and nothing else is scored", style="bold red")


def show_missing_photos(out: Console, missing: list[tuple[str, str]]) -> None:
    """The images whose photo the page does not show, and why."""
    for name, reason in missing:
        out.print(f"no photo in the page of {name}: {reason}", soft_wrap=True)


def _difference_cells(found: Comparison) -> list[str]:
    low, high = float(found.difference.low), float(found.difference.high)
    difference, p_value = cell(float(found.difference.value), "+"), float(found.p_value)
    values = [cell(float(each.value)) for each in (found.a, found.b)]
    return [*values, difference, _bounds(low, high, "+"), cell(p_value), verdict(low, high, p_value)]


def _bounds(low: float | None, high: float | None, sign: str = "") -> str:
    return "-" if low != low else f"{cell(low, sign)} to {cell(high, sign)}"


def _order(name: str, differences: dict[str, Comparison]) -> tuple[bool, float, str]:
    """The greatest gain first, what cannot be compared last."""
    gain = float(differences[name].difference.value)
    return gain != gain, -gain if gain == gain else 0.0, name
