"""The page: rendered from a report by one template, and written whole or not at all."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

from segiou.labels.checks import Colour
from segiou.report.comparison import ComparisonReport, shown_comparison
from segiou.report.conventions import absent, averages, conventions
from segiou.report.curves import curves
from segiou.report.data import Report, WorstImage
from segiou.report.examples import gallery
from segiou.report.files import require_writable, write_whole
from segiou.report.line_breaks import breakable
from segiou.report.matrix import Confusion, confusions, matrix_of
from segiou.report.meanings import meaning
from segiou.report.pictures import colours, overlay
from segiou.report.views import distribution, headlines, tables

PAIRS = 12  # of the list of confusions, by pixels and by share
WORST_PAIRS = 3  # of one image
LEGEND = 8  # classes whose colours are named under one image


def render(report: Report | ComparisonReport) -> str:
    """The page as HTML text, with its style, script and pictures inside.

    Raises:
        ModuleNotFoundError: Jinja2, or for overlays Pillow, is not installed.
    """
    from segiou import __version__

    if isinstance(report, ComparisonReport):
        name, shown = "comparison.html.j2", shown_comparison(report)
    else:
        name, shown = "template.html.j2", _shown(report)
    return str(_template(name).render(version=__version__, meaning=meaning, **shown))


def write_report(report: Report | ComparisonReport, path: str | PathLike[str]) -> None:
    """Write the page to a file, whole or not at all.

    Args:
        report: what it shows.
        path: of the file, which is replaced; its folder must exist. ``segiou.report.files.require_writable`` checks it
            beforehand.

    Raises:
        OSError: the folder does not exist, or the file cannot be written.
        ModuleNotFoundError: Jinja2, or for overlays Pillow, is not installed.
    """
    target = require_writable(path)
    # file names may hold bytes that are no UTF-8, which Python keeps as surrogates
    write_whole(target, render(report).encode("utf-8", "backslashreplace"))


def _shown(report: Report) -> dict[str, Any]:
    """What the template shows, by the names that it has there."""
    metric = report.metric
    palette = list(report.palette or colours(len(metric.class_names)))
    shown = gallery(report)
    matrix = matrix_of(metric, report.counts)
    drawn = curves(report.history)
    by_pixels, by_share = (confusions(matrix, PAIRS, by_share) for by_share in (False, True))
    return {
        "report": report,
        "headlines": headlines(report),
        "tables": list(tables(report, palette)),
        "curves": [curve for curve in drawn if "/" not in curve.name],
        "class_curves": [curve for curve in drawn if "/" in curve.name],
        "pairs": sorted({*by_pixels, *by_share}, key=lambda pair: (-pair.pixels, pair)),
        "matrix": matrix,
        "heat": {**matrix._asdict(), "counts": matrix.counts.tolist()},
        "images": None if report.images is None else distribution(report.images, metric.classes.scored),
        "image_rules": _image_rules(report),
        "gallery": shown,
        "figures": [
            (
                image,
                overlay(image, palette, metric.rules.ignore_index),
                _confused(image, report),
                _legend(image, report, palette),
            )
            for image in shown.figures
        ],
        "scored": metric.classes.scored,
        "conventions": list({**dict(conventions(metric, report.counts)), **report.facts}.items()),
    }


def _image_rules(report: Report) -> str:
    """How single images were scored."""
    if report.image_metric is None:
        return ""
    score, how = report.image_metric.score, report.image_metric.averaging
    return f"{score.key} of each image alone, {averages(score, how)}; {absent(how)}"


def _confused(image: WorstImage, report: Report) -> list[Confusion]:
    """The classes that are confused most in one image."""
    prediction, label = (np.asarray(part)[None] for part in (image.prediction, image.label))
    counts, _ = report.metric.counted(prediction, label)
    return confusions(matrix_of(report.metric, counts.cpu()), WORST_PAIRS)


def _legend(image: WorstImage, report: Report, palette: Sequence[Colour]) -> list[tuple[str, Colour]]:
    """The names and colours of the classes that take most of one image."""
    names = report.metric.class_names
    values, pixels = np.unique(np.stack([np.asarray(image.prediction), np.asarray(image.label)]), return_counts=True)
    order = sorted(zip((-pixels).tolist(), values.tolist(), strict=True))
    ignored = report.metric.rules.ignore_index
    shown = [value for _, value in order if 0 <= value < len(names) and value not in ignored]
    return [(names[value], palette[value]) for value in shown[:LEGEND]]


def _template(name: str) -> Any:
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError('a report needs Jinja2: pip install "segiou[report]"') from missing
    loader = PackageLoader("segiou", "report")
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["breakable"] = breakable
    return environment.get_template(name)
