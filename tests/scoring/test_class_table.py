"""The formats of a class table: each is read back by another reader, and holds the same names and numbers."""

import csv
import io
import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich import box
from rich.console import Console

from segiou import ClassTable
from segiou.scoring.class_scores import Column, Number
from segiou.scoring.table_formats import visible

SCORES = st.one_of(st.just(math.nan), st.floats(0, 1, width=32))
# what the formats give a meaning to, and what breaks lines
SPECIAL = [
    "|",
    "\\",
    "\\|",
    "&",
    "%",
    "$",
    "#",
    "_",
    "{",
    "}",
    "~",
    "^",
    "`",
    "``",
    "[red]",
    ":car:",
    "*",
    "<b>",
    "&amp;",
]
SPECIAL += [
    "\n",
    "\r",
    "\r\n",
    "\t",
    "\x00",
    "\u2028",
    "\u202e",
    ",",
    '"',
    "'",
    "''",
    "--",
    "=1+1",
    "-",
    "車",
    "é",
    "(%)",
]
NAMES = st.lists(st.one_of(st.text(max_size=6), st.sampled_from(SPECIAL)), max_size=4).map("".join).filter(str.strip)


@st.composite
def tables(draw, names=NAMES) -> ClassTable:
    chosen = draw(st.lists(names, min_size=1, max_size=4, unique=True))
    size = len(chosen)
    columns = {}
    for name in draw(st.lists(st.sampled_from(["IoU", "Dice", "m_IoU"]), min_size=1, unique=True)):
        low, high = (draw(st.lists(SCORES, min_size=size, max_size=size)) for _ in range(2))
        bounds = draw(st.sampled_from([(None, None), (low, high)]))
        average = Number(draw(SCORES), *(None if bounds[0] is None else draw(SCORES) for _ in range(2)))
        columns[name] = Column.of(draw(st.lists(SCORES, min_size=size, max_size=size)), 0, *bounds)._replace(
            average=average
        )
    target = tuple(draw(st.lists(st.integers(0, 2**40), min_size=size, max_size=size)))
    return ClassTable(
        tuple(chosen),
        columns,
        {"target": target, "predicted": target},
        draw(st.sampled_from([{}, {"target": sum(target)}])),
        draw(st.sampled_from([{}, {"Kappa": Number(-0.25)}, {"Kappa": Number(0.5, 0.25, math.nan)}])),
        draw(st.sampled_from([(), (0,)])),
        percent=draw(st.booleans()),
        digits=draw(st.sampled_from([None, 0, 6])),
    )


def shown(table: ClassTable, value: float | None) -> str:
    """A score as texts show it, by another way than the table's."""
    if value is None or math.isnan(value):
        return "-"
    digits = (2 if table.percent else 4) if table.digits is None else table.digits
    return "{:.{}f}".format(value * 100 if table.percent else value, digits)


def expected(table: ClassTable) -> list[list[str]]:
    """The cells of the rows and of the averages, names as they are."""
    rows = []
    for place in [*range(len(table.names)), None]:
        numbers = [column.average if place is None else column.scores[place] for column in table.columns.values()]
        drawn = [
            n for n, column in zip(numbers, table.columns.values(), strict=True) if column.scores[0].low is not None
        ]
        pixels = table.totals.get("target") if place is None else table.counts["target"][place]
        name = ("mean / total" if table.totals else "mean") if place is None else table.names[place]
        rows.append([
            name + " *" * (place in table.left_out),
            *(shown(table, number.value) for number in numbers),
            *(f"{shown(table, number.low)} to {shown(table, number.high)}" for number in drawn),
            "" if pixels is None else f"{pixels:,}",
        ])  # fmt: skip
    return rows


def lines_of_text(table: ClassTable) -> list[list[str]]:
    """The expected cells as one line each, without the spaces between them."""
    return [[part for cell in row for part in visible(cell).split()] for row in expected(table)]


@given(tables())
def test_plain_text(table):
    lines = str(table).split("\n")
    rows = len(table.names)
    assert set(lines[1]) == set(lines[2 + rows]) == {"-"}
    assert [line.split() for line in (*lines[2 : 2 + rows], lines[3 + rows])] == lines_of_text(table)
    assert lines[0].split()[:2] == ["class", next(iter(table.columns))]
    assert ("(%)" in lines[0]) == table.percent


@given(tables(st.text("abc", min_size=1, max_size=9)))
def test_the_columns_of_plain_text_are_aligned(table):
    table = replace(table, totals={"target": 0}, scores={}, left_out=())
    lines = str(table).split("\n")[: 4 + len(table.names)]
    assert len({len(line) for line in lines}) == 1


@given(tables())
@settings(max_examples=50)
def test_rich(table):
    out = io.StringIO()
    Console(file=out, width=300).print(table)  # with markup, emoji and highlighting, as users have it
    found = [line.replace("│", " ").split() for line in out.getvalue().split("\n") if line.startswith("│")]
    assert found == [[part for part in line if part != "│"] for line in lines_of_text(table)]


def test_rich_without_averages_in_another_box():
    table = ClassTable(("a",), {"IoU": Column.of([0.5], 0.25)}, {"target": (7,)})
    out = io.StringIO()
    Console(file=out, width=80).print(table.to_rich(title="[test]", box=box.SIMPLE_HEAD, average=False))
    text = out.getvalue()
    assert text.split("\n")[0].strip() == "[test]"
    assert ["a", "0.5000", "7"] in [line.split() for line in text.split("\n")]
    assert "0.2500" not in text


class Cells(HTMLParser):
    """The cells of a page's table, row by row, and the paragraphs below it; every tag must be one of the table's own."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.paragraphs: list[str] = []
        self.tags: set[str] = set()
        self.into: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th", "p"):
            self.into = self.paragraphs if tag == "p" else self.rows[-1]
            self.into.append("")

    def handle_endtag(self, tag) -> None:
        self.into = [] if tag in ("td", "th", "p") else self.into

    def handle_data(self, data) -> None:
        if self.into:
            self.into[-1] += data


@given(tables())
def test_html(table):
    found = Cells(table._repr_html_())
    assert found.tags <= {"div", "table", "thead", "tbody", "tfoot", "tr", "th", "td", "p", "small"}
    assert found.rows[1:] == [[visible(cell) for cell in row] for row in expected(table)]
    assert len(found.paragraphs) == len(table.scores) + notes(table)


def notes(table: ClassTable) -> int:
    empty = any(math.isnan(number.value) for column in table.columns.values() for number in column.scores)
    return empty + bool(table.left_out)


@given(tables())
def test_markdown(table):
    rendered = MarkdownIt("commonmark").enable("table").render(table.to_markdown())
    found = Cells(rendered)
    assert found.tags <= {"table", "thead", "tbody", "tr", "th", "td", "p"}
    wanted = [[" ".join(visible(cell).split(" ")).strip() for cell in row] for row in expected(table)]
    assert [[cell.strip() for cell in row] for row in found.rows[1:]] == wanted
    assert len(found.paragraphs) == len(table.scores) + notes(table)


LATEX = {
    r"\textbackslash{}": "\\",
    r"\textasciitilde{}": "~",
    r"\textasciicircum{}": "^",
    r"\textasciigrave{}": "`",
    r"\textless{}": "<",
    r"\textgreater{}": ">",
    r"\textbar{}": "|",
    r"\textquotedbl{}": '"',
    "{[}": "[",
    "{]}": "]",
    "{*}": "*",
    "{}": "",
    **{f"\\{char}": char for char in "&%$#_{}"},
}


def from_latex(cell: str) -> str:
    """What LaTeX prints. Raises for a sign that it would read as something else."""
    read = re.sub("|".join(map(re.escape, LATEX)) + r"|.", lambda found: LATEX.get(found[0], found[0]), cell)
    bare = re.sub("|".join(map(re.escape, LATEX)), "", cell)
    assert not set(bare) & set('\\{}&%$#_^~`<>|"[]*'), cell
    assert not re.search(r"--|''|,,", cell), cell
    return read


@given(tables())
def test_latex(table):
    lines = table.to_latex().split("\n")
    width = 2 + len(table.columns) + sum(column.has_bounds for column in table.columns.values())
    assert lines[0] == rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}"
    assert lines[-1] == r"\end{tabular}"
    rules = [line for line in lines if line.endswith("rule")]
    assert rules == [r"\toprule", r"\midrule", r"\midrule", r"\bottomrule"]
    rows = [line for line in lines[2:-1] if not line.startswith("\\multicolumn") and line not in rules]
    assert all(line.endswith(r" \\") for line in rows)
    cells = [[from_latex(cell) for cell in re.split(r"(?<!\\) & ", line[:-3])] for line in rows]
    assert cells[1:] == [[visible(cell) for cell in row] for row in expected(table)]


def scaled(table: ClassTable, value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else 100 * value if table.percent else value


def key(table: ClassTable, name: str) -> str:
    return f"{name} (%)" if table.percent else name


@given(tables(), st.booleans())
def test_csv(table, average):
    rows = list(csv.DictReader(io.StringIO(table.to_csv(average=average), newline="")))
    assert [row["name"] for row in rows] == [*table.names, *["mean"] * average]
    for name, column in table.columns.items():
        found = [float(row[key(table, name)] or "nan") for row in rows]
        wanted = [scaled(table, number.value) for number in (*column.scores, *[column.average] * average)]
        assert [None if math.isnan(value) else value for value in found] == wanted
    assert [int(row["target"]) for row in rows[: len(table.names)]] == list(table.counts["target"])


@given(tables())
def test_dict_is_ready_for_json(table):
    found = json.loads(json.dumps(table.to_dict(), allow_nan=False))
    assert found["kind"] == "class"
    assert [row["name"] for row in found["classes"]] == list(table.names)
    for name, column in table.columns.items():
        for part in ("value", "low", "high"):
            label = key(table, name if part == "value" else f"{name}_{part}")
            if part == "value" or column.has_bounds:
                wanted = [scaled(table, getattr(number, part)) for number in (*column.scores, column.average)]
                assert [row[label] for row in (*found["classes"], found["average"])] == wanted
            else:
                assert label not in found["classes"][0]
    assert found["average"]["target"] == table.totals.get("target")
    assert found["left_out"] == [table.names[place] for place in table.left_out]
    assert found["scores"].get(key(table, "Kappa")) == scaled(table, table.scores.get("Kappa", Number(math.nan)).value)


@given(tables())
@settings(max_examples=30, deadline=None)
def test_pandas(table):
    frame = table.to_pandas()
    assert list(frame.index) == list(table.names)
    assert frame.index.name == "class"
    assert frame["target"].dtype == "int64"
    assert list(frame["target"]) == list(table.counts["target"])
    for name, column in table.columns.items():
        values = frame[key(table, name)]
        assert values.dtype == "float64"
        wanted = [scaled(table, number.value) for number in column.scores]
        assert [None if math.isnan(value) else value for value in values] == wanted
    assert frame.attrs["average"] == table.to_dict()["average"]
    longer = table.to_pandas(average=True)
    assert list(longer.index) == [*table.names, "mean"]
    assert longer.iloc[:-1][key(table, name)].equals(frame[key(table, name)])


def test_what_breaks_a_line_or_turns_digits_around_is_escaped():
    assert visible("a\nb\t\u202e\ud800 é車") == r"a\nb\t\u202e\ud800 é車"


@pytest.mark.parametrize(("package", "method"), [("pandas", "to_pandas"), ("rich", "to_rich")])
def test_what_is_not_installed_is_named_and_the_other_formats_need_nothing(package, method):
    code = (
        "import sys, torch, torchmetrics\n"
        f"sys.modules['{package}'] = None\n"  # an import is an error now
        "from segiou import MeanIoU\n"
        "table = MeanIoU(2).table()\n"
        "print(table, table.to_markdown(), table.to_latex(), table.to_csv(), table.to_dict(), table._repr_html_())\n"
        f"table.{method}()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "target pixels" in done.stdout
    assert re.search(f"ModuleNotFoundError: to_{package} needs {package}: pip install {package}", done.stderr)


@pytest.mark.parametrize("digits", [-1, 16, True, 2.5, "2"])
def test_digits_out_of_range_are_named(digits):
    with pytest.raises(ValueError, match="digits must be an integer from 0 to 15, or None, got"):
        ClassTable(("a",), {}, digits=digits)


def test_columns_of_another_size_are_named():
    with pytest.raises(ValueError, match="'IoU' must hold a number for each of the 2 names, got 1"):
        ClassTable(("a", "b"), {"IoU": Column.of([0.5], 0.5)})
    with pytest.raises(ValueError, match="'target' must hold a number for each of the 2 names, got 3"):
        ClassTable(("a", "b"), {}, {"target": (1, 2, 3)})
