"""The table of classes: the scores of each class and their averages, made once, and written in many formats."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from segiou.scoring import table_formats
from segiou.scoring.averaging import Averaging, Score
from segiou.scoring.class_scores import CLASS_SCORES, Bounds, Column, Number, numbers_of
from segiou.scoring.formulas import Areas
from segiou.scoring.table_formats import MISSING, Grid

COUNT_LABELS = {"target": "target pixels", "images": "images", "instances": "instances"}  # those that texts show


@dataclass(frozen=True, eq=False, repr=False)
class ClassTable:
    """Scores of each class and their averages, for people and for programs; ``metric.table()`` makes one.

    ``str`` and ``print`` give plain text, rich draws it where it is printed by rich, and notebooks show HTML. These,
    ``to_markdown`` and ``to_latex`` round to ``digits``; "-" stands for a score that is 0/0, and "*" after the name of
    a class says that averages leave it out. ``to_dict``, ``to_csv`` and ``to_pandas`` give every digit.

    Args:
        names: of the classes, of the groups or of the labels.
        columns: the scores by name, each with as many numbers as there are names.
        counts: integers by name, one for each class: "target" pixels, "predicted" pixels and so on.
        totals: of the counts, where a total has a meaning.
        scores: scores of the whole data set that are no average of a column, such as "PixelAccuracy".
        left_out: the places of the classes that averages leave out.
        average: what the average is: "mean", "micro" or "weighted mean".
        kind: what a row is: "class", "group" or "label".
        level: the probability with which intervals hold the true score.
        percent: multiply every score by 100, in every format; the columns are then called "IoU (%)" and so on.
        digits: digits after the point in texts; None is 4, of percentages 2.

    Raises:
        ValueError: a column or a count without one number for each name; digits that are no integer from 0 to 15.

    >>> import torch
    >>> from segiou import MeanIoU
    >>> metric = MeanIoU(num_classes=3, class_names=["road", "car", "sky"])
    >>> metric.update(torch.tensor([[0, 1, 1, 0]]), torch.tensor([[0, 1, 0, 0]]))
    >>> print(metric.table(percent=True, digits=1))
    class         IoU (%)  Dice (%)  Precision (%)  Recall (%)  target pixels
    -------------------------------------------------------------------------
    road             66.7      80.0          100.0        66.7              3
    car              50.0      66.7           50.0       100.0              1
    sky                 -         -              -           -              0
    -------------------------------------------------------------------------
    mean / total     58.3      73.3           75.0        83.3              4
    -: nothing to divide by, left out of means
    """

    names: tuple[str, ...]
    columns: Mapping[str, Column]
    counts: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, Number] = field(default_factory=dict)
    left_out: tuple[int, ...] = ()
    average: str = "mean"
    kind: str = "class"
    level: float = 0.95
    percent: bool = False
    digits: int | None = None

    def __post_init__(self) -> None:
        parts = {name: len(column.scores) for name, column in self.columns.items()}
        for name, size in (parts | {name: len(values) for name, values in self.counts.items()}).items():
            if size != len(self.names):
                raise ValueError(f"{name!r} must hold a number for each of the {len(self.names)} names, got {size}")
        digits = self.digits
        if digits is not None and (isinstance(digits, bool) or digits not in range(16)):
            raise ValueError(f"digits must be an integer from 0 to 15, or None, got {digits!r}")

    @classmethod
    def of(
        cls,
        names: Sequence[str],
        areas: Areas,
        averaging: Averaging,
        columns: Mapping[str, Score] = CLASS_SCORES,
        scores: Sequence[Score] = (),
        bounds: Bounds | None = None,
        **more: Any,
    ) -> "ClassTable":
        """Score areas.

        Args:
            names: C names, for multilabel L.
            areas: ``(C,)``, for multilabel ``(L, 2)``; with ``bounds`` they have a leading axis ``1 + R``, of the data
                set and of its replicates.
            averaging: how scores are averaged. With "none" each average is the score's own.
            columns: the scores of classes, by the name of the column.
            scores: scores of the whole data set, which are no average of a column.
            bounds: from values with the leading axis to the value, low and high of an interval.
            more: the other fields, such as ``kind``.
        """
        how = replace(averaging, average=None) if averaging.average == "none" else averaging
        made = {
            name: Column(
                numbers_of(score.per_class(areas, averaging), bounds), numbers_of(score(areas, how), bounds)[0]
            )
            for name, score in columns.items()
        }
        counted = averaging.scored(areas if bounds is None else areas.map(lambda area: area[0]))
        pixels = {"target": counted.target, "predicted": counted.predicted, "intersection": counted.intersection}
        counts = {name: tuple(map(int, area.tolist())) for name, area in pixels.items()}
        return cls(
            tuple(names),
            made,
            counts,
            scores={score.key: numbers_of(score(areas, how), bounds)[0] for score in scores},
            left_out=next(iter(columns.values())).left_out(averaging),
            average={"micro": "micro", "weighted": "weighted mean"}.get(str(how.average), "mean"),
            **{"totals": {name: sum(values) for name, values in counts.items()}, **more},
        )

    def with_column(self, name: str, column: Column) -> "ClassTable":
        """The same table with one more column, or with another in place of the one that has this name."""
        return replace(self, columns={**self.columns, name: column})

    def __str__(self) -> str:
        """The table as plain text, as wide as it needs to be."""
        return table_formats.text(self._grid())

    __repr__ = __str__

    def __rich__(self) -> Any:
        """What rich prints."""
        return self.to_rich()

    def to_rich(self, *, title: str | None = None, box: Any = None, average: bool = True) -> Any:
        """The table for rich, with the scores of the whole below it.

        Args:
            title: shown above the table.
            box: one of ``rich.box``; rich's own choice where None.
            average: whether to show the row of averages.

        Raises:
            ModuleNotFoundError: rich is not installed.
        """
        return table_formats.rich_table(self._grid(average), title, box)

    def _repr_html_(self) -> str:
        """What notebooks show."""
        return table_formats.html(self._grid())

    def to_markdown(self) -> str:
        """The table in GitHub's Markdown."""
        return table_formats.markdown(self._grid())

    def to_latex(self) -> str:
        r"""The table as a LaTeX ``tabular``; the document needs ``\usepackage{booktabs}``."""
        return table_formats.latex(self._grid())

    def to_dict(self) -> dict[str, Any]:
        """The table as plain Python, ready for JSON; None where a score is 0/0.

        Returns:
            "kind": "class", "group" or "label". "classes": a dict for each of them, with its "name", scores, the bounds
            of intervals as "IoU_low" and "IoU_high", and counts. "average": one such dict, of averages and totals,
            whose "name" says what they are. "scores": those of the whole data set. "left_out": the names of the classes
            that averages leave out.
        """
        return {
            "kind": self.kind,
            "classes": self.records(),
            "average": self._record(None),
            "scores": {
                label: value
                for name, number in self.scores.items()
                for label, value in self._values(name, number, number.low is not None).items()
            },
            "left_out": [self.names[place] for place in self.left_out],
        }

    def records(self, *, average: bool = False) -> list[dict[str, Any]]:
        """A dict for each class, as in ``to_dict``; with ``average`` one more at the end, of averages and totals."""
        return [self._record(place) for place in (*range(len(self.names)), *[None] * average)]

    def to_csv(self, *, average: bool = False) -> str:
        """The classes as CSV with a header line; a score that is 0/0 is empty. See ``records``."""
        return table_formats.csv_text(self.records(average=average), self._fields())

    def to_pandas(self, *, average: bool = False) -> Any:
        """The classes as a ``pandas.DataFrame``: one row for each, with the names as index; nan where a score is 0/0.

        Args:
            average: add a row of averages and totals. Without it they are in ``DataFrame.attrs``, as ``to_dict`` has
                them, so that a mean of the column is one over classes alone.

        Raises:
            ModuleNotFoundError: pandas is not installed.

        >>> import torch
        >>> from segiou import MeanIoU
        >>> metric = MeanIoU(num_classes=2, class_names=["road", "car"])
        >>> metric.update(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
        >>> float(metric.table().to_pandas().loc["car", "IoU"])
        0.5
        """
        return table_formats.data_frame(self.records(average=average), self._fields(), self.kind, self.to_dict())

    # ---- what the formats show

    def _label(self, name: str) -> str:
        return f"{name} (%)" if self.percent else name

    def _fields(self) -> list[str]:
        """The keys of a record, of which those of ``counts`` hold integers."""
        return list(self._record(0 if self.names else None))

    def _scaled(self, value: float | None) -> float | None:
        return None if value is None or value != value else 100 * value if self.percent else value

    def _values(self, name: str, number: Number, bounds: bool) -> dict[str, float | None]:
        """A score, and its bounds where there are any, by the names that they have in data."""
        parts = {name: number.value} | ({f"{name}_low": number.low, f"{name}_high": number.high} if bounds else {})
        return {self._label(part): self._scaled(value) for part, value in parts.items()}

    def _record(self, place: int | None) -> dict[str, Any]:
        """The row of a class, or of averages."""
        row: dict[str, Any] = {"name": self.average if place is None else self.names[place]}
        scores: dict[str, float | None] = {}
        bounds: dict[str, float | None] = {}
        for name, column in self.columns.items():
            number = column.average if place is None else column.scores[place]
            scores |= self._values(name, number, False)
            bounds |= self._values(name, number, column.has_bounds)
        return (
            row
            | scores
            | bounds
            | {name: self.totals.get(name) if place is None else values[place] for name, values in self.counts.items()}
        )

    def _text(self, value: float | None) -> str:
        scaled = self._scaled(value)
        digits = self.digits if self.digits is not None else 2 if self.percent else 4
        return MISSING if scaled is None else f"{scaled:.{digits}f}"

    def _interval(self, number: Number) -> str:
        return "" if number.low is None else f"{self._text(number.low)} to {self._text(number.high)}"

    def _grid(self, average: bool = True) -> Grid:
        """The cells as texts."""
        drawn = [name for name, column in self.columns.items() if column.has_bounds]
        shown = [name for name in self.counts if name in COUNT_LABELS]

        def cells(first: str, numbers: Mapping[str, Number], counts: Mapping[str, int | None]) -> list[str]:
            integers = (counts.get(name) for name in shown)
            return [
                first,
                *(self._text(number.value) for number in numbers.values()),
                *(self._interval(numbers[name]) for name in drawn),
                *("" if integer is None else f"{integer:,}" for integer in integers),
            ]

        header = [self.kind, *map(self._label, self.columns), *(f"{100 * self.level:g} % of {n}" for n in drawn)]
        rows = [
            cells(
                f"{name} *" if place in self.left_out else name,
                {n: column.scores[place] for n, column in self.columns.items()},
                {n: values[place] for n, values in self.counts.items()},
            )
            for place, name in enumerate(self.names)
        ]
        numbers = {name: column.average for name, column in self.columns.items()}
        first = f"{self.average} / total" if any(name in self.totals for name in shown) else self.average
        empty = any(not number.exists for column in self.columns.values() for number in column.scores)
        return Grid(
            [*header, *(COUNT_LABELS[name] for name in shown)],
            rows,
            cells(first, numbers, self.totals) if average else None,
            ["-: nothing to divide by, left out of means"] * empty + ["*: not in means"] * bool(self.left_out),
            [
                (self._label(name), self._text(number.value), self._interval(number))
                for name, number in self.scores.items()
            ],
        )
