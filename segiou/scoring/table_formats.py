"""The formats of a class table: plain text, rich, HTML, Markdown, LaTeX, CSV and pandas. None computes a number."""

import csv
import html as html_module
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

MISSING = "-"  # a score that is 0/0
# Controls and line ends would break a row; bidirectional marks could turn the digits of the cells after them around.
UNSAFE_CATEGORIES = {"Cc", "Cs", "Zl", "Zp"}
BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "`": r"\textasciigrave{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    # at the start of a row, "[" would be an argument of the line break before it, and so would "*"
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    **{char: f"\\{char}" for char in "&%$#_{}"},
}


class Grid(NamedTuple):
    """The cells of a table as texts that are not escaped yet; the first column is text, the others are numbers.

    ``averages`` is the last row, or None. ``notes`` explain signs in the cells. ``scores`` are those of the whole data
    set: name, value and interval, which may be empty.
    """

    header: list[str]
    rows: list[list[str]]
    averages: list[str] | None
    notes: list[str]
    scores: list[tuple[str, str, str]]


def text(grid: Grid) -> str:
    """Aligned columns of plain text."""
    lines = [[visible(cell) for cell in row] for row in (grid.header, *grid.rows, *_last(grid))]
    widths = [max(map(_width, column)) for column in zip(*lines, strict=True)]
    shown = ["  ".join(_padded(row, widths)).rstrip() for row in lines]
    rule = "-" * (sum(widths) + 2 * (len(widths) - 1))
    shown.insert(1, rule)
    if grid.averages is not None:
        shown.insert(-1, rule)
    return "\n".join([*shown, *grid.notes, *_score_lines(grid)])


def rich_table(grid: Grid, title: str | None, box: Any) -> Any:
    """A table of rich, alone or in a group with the lines below it."""
    try:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text  # which does not read names as markup
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError("to_rich needs rich: pip install rich") from missing

    table = Table(title=None if title is None else Text(visible(title)), title_justify="left", caption_justify="left")
    if box is not None:
        table.box, table.pad_edge = box, False
    table.add_column(Text(grid.header[0]), overflow="fold")
    for name in grid.header[1:]:
        table.add_column(Text(name), justify="right", no_wrap=True)
    for place, row in enumerate(grid.rows):
        ends = place == len(grid.rows) - 1 and grid.averages is not None
        table.add_row(*(Text(visible(cell)) for cell in row), end_section=ends)
    for row in _last(grid):
        table.add_row(*map(Text, row))
    table.caption = Text("\n".join(grid.notes)) if grid.notes else None
    lines = _score_lines(grid)
    return Group(table, *map(Text, lines)) if lines else table


def html(grid: Grid) -> str:
    """A table of HTML, with the lines below it as paragraphs."""
    head = "".join(_html_cell("th", cell, place, ' scope="col"') for place, cell in enumerate(grid.header))
    foot = "" if grid.averages is None else f"<tfoot>\n{_html_row(grid.averages)}</tfoot>\n"
    body = "".join(map(_html_row, grid.rows))
    below = "".join(f"<p><small>{_html_text(line)}</small></p>\n" for line in [*grid.notes, *_score_texts(grid)])
    return (
        '<div class="segiou-class-table">\n<table style="font-variant-numeric:tabular-nums">\n'
        f"<thead>\n<tr>{head}</tr>\n</thead>\n<tbody>\n{body}</tbody>\n{foot}</table>\n{below}</div>"
    )


def markdown(grid: Grid) -> str:
    """A table of GitHub's Markdown."""
    rows = [f"| {' | '.join(map(_markdown_text, row))} |" for row in (grid.header, *grid.rows, *_last(grid))]
    rows.insert(1, f"| :--- |{' ---: |' * (len(grid.header) - 1)}")
    return "\n\n".join(["\n".join(rows), *map(_markdown_text, [*grid.notes, *_score_texts(grid)])])


def latex(grid: Grid) -> str:
    r"""A ``tabular`` of LaTeX with the rules of the package booktabs."""
    rows = [f"{' & '.join(map(_latex_text, row))} \\\\" for row in (grid.header, *grid.rows, *_last(grid))]
    rows.insert(1, r"\midrule")
    if grid.averages is not None:
        rows.insert(-1, r"\midrule")
    width = len(grid.header)
    below = [
        f"\\multicolumn{{{width}}}{{l}}{{\\footnotesize {_latex_text(line)}}} \\\\"
        for line in [*grid.notes, *_score_texts(grid)]
    ]
    begin = f"\\begin{{tabular}}{{l{'r' * (width - 1)}}}"
    return "\n".join([begin, r"\toprule", *rows, r"\bottomrule", *below, r"\end{tabular}"])


def csv_text(records: Sequence[Mapping[str, Any]], fields: Sequence[str]) -> str:
    """Records as CSV; what is None is empty."""
    return "".join(map(_csv_line, [fields, *([record[name] for name in fields] for record in records)]))


def data_frame(records: Sequence[Mapping[str, Any]], fields: Sequence[str], kind: str, whole: dict[str, Any]) -> Any:
    """Records as a ``pandas.DataFrame`` whose index is their names; ``attrs`` hold what is of no class."""
    try:
        import pandas as pd
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError("to_pandas needs pandas: pip install pandas") from missing
    columns = {name: [record[name] for record in records] for name in fields if name != "name"}
    of_floats = [name for name, values in columns.items() if not all(isinstance(value, int) for value in values)]
    frame = pd.DataFrame(columns, index=pd.Index([record["name"] for record in records], name=kind))
    frame = frame.astype(dict.fromkeys(of_floats, "float64"))
    frame.attrs |= {name: whole[name] for name in ("average", "scores", "left_out")}
    return frame


def visible(name: str) -> str:
    """A name on one line: controls, line ends, surrogates and bidirectional marks become their escapes."""
    return "".join(
        char.encode("unicode_escape").decode()
        if unicodedata.category(char) in UNSAFE_CATEGORIES or char in BIDIRECTIONAL
        else char
        for char in name
    )


def _last(grid: Grid) -> list[list[str]]:
    return [] if grid.averages is None else [grid.averages]


def _score_lines(grid: Grid) -> list[str]:
    """The scores of the whole as lines of text, their values below each other."""
    widths = [max(map(_width, column)) for column in zip(*grid.scores, strict=True)]
    return ["  ".join(_padded(row, widths)).rstrip() for row in grid.scores]


def _score_texts(grid: Grid) -> list[str]:
    """The scores of the whole for formats in which spaces do not align."""
    return [f"{name}: {value}" + (f" ({interval})" if interval else "") for name, value, interval in grid.scores]


def _padded(row: Sequence[str], widths: Sequence[int]) -> list[str]:
    """The first cell on the left, the others on the right."""
    spaces = [" " * (width - _width(cell)) for cell, width in zip(row, widths, strict=True)]
    return [row[0] + spaces[0], *(space + cell for space, cell in zip(spaces[1:], row[1:], strict=True))]


def _width(shown: str) -> int:
    """How many columns of a terminal a text takes."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown)


def _html_text(cell: str) -> str:
    return html_module.escape(visible(cell))


def _html_cell(tag: str, cell: str, place: int, scope: str = "") -> str:
    align = "right" if place else "left"
    return f'<{tag}{scope} style="text-align:{align}">{_html_text(cell)}</{tag}>'


def _html_row(row: Sequence[str]) -> str:
    first = _html_cell("th", row[0], 0, ' scope="row"')
    return f"<tr>{first}{''.join(_html_cell('td', cell, 1) for cell in row[1:])}</tr>\n"


def _markdown_text(cell: str) -> str:
    return re.sub(r"([\\`*_\[\]<>|~&$])", r"\\\1", visible(cell))


def _latex_text(cell: str) -> str:
    escaped = "".join(LATEX.get(char, char) for char in visible(cell))
    return re.sub(r"([-',])(?=\1)", r"\1{}", escaped)  # two of them would become another sign


def _csv_line(cells: Sequence[Any]) -> str:
    r"""One line; written with ``\r\n``, which makes every Python quote a name that holds either of the two."""
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(cells)
    return line.getvalue()[:-2] + "\n"
