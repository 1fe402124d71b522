"""What the template shows, as plain numbers and texts: no markup, and nothing that is drawn yet."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import torch

from segiou.metrics.image_means import ImageScores
from segiou.metrics.intervals import Interval
from segiou.report.conventions import averages
from segiou.report.data import Report, Value, headline
from segiou.report.examples import names_of
from segiou.scoring.class_scores import CLASS_SCORES, Column, Number
from segiou.scoring.class_table import ClassTable

BINS = 20


class Headline(NamedTuple):
    """A number at the head of the page, and how it was averaged."""

    name: str
    number: Number
    average: str


class Row(NamedTuple):
    """A class, or group, in the table; ``pixels`` are those of the target. ``colour`` is of a class alone."""

    place: int
    name: str
    numbers: list[Number]
    pixels: int
    share: float
    left_out: bool
    colour: tuple[int, int, int] | None


class Table(NamedTuple):
    """The table of classes, or of groups; ``means`` are its last row, ``copies`` its text in other formats."""

    id: str
    title: str
    columns: list[str]
    rows: list[Row]
    means: list[Number]
    copies: list[tuple[str, str]]
    without_score: bool
    has_bounds: bool


class Bin(NamedTuple):
    """Images whose score is from ``low`` to ``high``; ``height`` is relative to the largest bin."""

    low: float
    high: float
    images: int
    height: float


class ImageRow(NamedTuple):
    """An image in the list of all: its score, and the class that scored lowest."""

    name: str
    number: Number
    lowest: str
    lowest_number: Number


class Distribution(NamedTuple):
    """The scores of single images."""

    summary: Mapping[str, float]
    scored: int
    bins: list[Bin]
    rows: list[ImageRow]


def headlines(report: Report) -> list[Headline]:
    """The numbers at the head of the page."""
    how = {key: averages(score, averaging) for key, (score, averaging) in headline(report.metric).items()}
    return [Headline(key, _number(value), how.get(key, "")) for key, value in report.scores.items()]


def class_table(report: Report) -> ClassTable:
    """The columns of the report, each with the headline number that is its average; nan where it has none."""
    keys = {column: score.key for column, score in CLASS_SCORES.items()}
    columns = {}
    for name, values in report.per_class.items():
        interval = report.class_intervals.get(name)
        bounds = [] if interval is None else [interval.low.tolist(), interval.high.tolist()]
        average = _number(report.scores.get(keys.get(name, name), torch.nan))
        columns[name] = Column.of(values.tolist(), average.value, *bounds)._replace(average=average)
    return replace(report.metric.table_of(report.counts), columns=columns)


def tables(report: Report, palette: Sequence[tuple[int, int, int]]) -> Iterator[Table]:
    """The table of the classes, and that of the groups where there is one beside it."""
    titles = {"class": "Classes", "group": "Groups", "label": "Labels"}
    of_classes = class_table(report)
    for name, table in (("class", of_classes), ("group", report.groups)):
        if table is None:
            continue
        columns = table.columns.values()
        yield Table(
            name,
            titles[table.kind],
            list(table.columns),
            list(rows(report, table, palette)),
            [column.average for column in columns],
            [("Markdown", table.to_markdown()), ("LaTeX", table.to_latex())],
            any(not number.exists for column in columns for number in column.scores),
            any(column.has_bounds for column in columns),
        )


def rows(report: Report, table: ClassTable, palette: Sequence[tuple[int, int, int]]) -> Iterator[Row]:
    """The rows of a table of classes or groups."""
    target = table.counts["target"]
    counted = report.counts[..., :-1, :].sum((-2, -1)).clamp(min=1).expand(len(target)).tolist()
    for place, name in enumerate(table.names):
        yield Row(
            place,
            name,
            [column.scores[place] for column in table.columns.values()],
            target[place],
            target[place] / counted[place],
            place in table.left_out,
            palette[place] if table.kind == "class" else None,
        )


def distribution(images: ImageScores, names: Sequence[str]) -> Distribution:
    """The histogram of the scores of images, and a list of all."""
    values = images.values.detach().cpu().double()
    known = values[~values.isnan()]
    edges = torch.linspace(0, 1, BINS + 1).tolist()
    # the small step keeps 0.3, which float32 has as 0.300000012, in one bin with float64's
    places = ((known + 1e-7) * BINS).floor().clamp(0, BINS - 1).long()
    filled = torch.bincount(places, minlength=BINS).tolist()
    bins = [
        Bin(low, high, number, number / max(*filled, 1))
        for low, high, number in zip(edges[:-1], edges[1:], filled, strict=True)
    ]
    summary = {}
    if len(known):
        quantiles = torch.quantile(known, torch.tensor([0, 0.1, 0.5, 0.9, 1], dtype=known.dtype)).tolist()
        named = zip(("lowest", "10th percentile", "median", "90th percentile", "highest"), quantiles, strict=True)
        summary = {"mean": float(known.mean()), **dict(named)}
    return Distribution(summary, len(known), bins, _image_rows(images, names))


def _image_rows(images: ImageScores, names: Sequence[str]) -> list[ImageRow]:
    of_classes = images.per_class.detach().cpu()
    found: list[tuple[float, int]] = [(float("nan"), -1)] * len(of_classes)
    if of_classes.shape[-1] == len(names) > 1:
        lowest = of_classes.nan_to_num(torch.inf).min(-1)
        found = list(zip(lowest.values.tolist(), lowest.indices.tolist(), strict=True))
    rows = []
    for name, value, (low, place) in zip(names_of(images), images.values.tolist(), found, strict=True):
        known = place >= 0 and low != float("inf")
        rows.append(
            ImageRow(name, Number(value), names[place] if known else "", Number(low if known else float("nan")))
        )
    return sorted(rows, key=lambda row: (not row.number.exists, row.number.value if row.number.exists else 0))


def _number(value: Value | float) -> Number:
    if isinstance(value, Interval):
        return Number(*map(float, value))
    return Number(float(value))
