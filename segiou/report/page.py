"""The page: rendered from a report by one template, and written whole or not at all."""

from os import PathLike

from segiou.files import require_writable, write_whole
from segiou.report.data import Report


def render(report: Report) -> str:
    """The page as HTML text, with its style, script and pictures inside.

    Raises:
        ModuleNotFoundError: Jinja2, or for overlays Pillow, is not installed.
    """
    raise NotImplementedError


def write_report(report: Report, path: str | PathLike[str]) -> None:
    """Write the page to a file, whole or not at all.

    Args:
        report: what it shows.
        path: of the file, which is replaced; its folder must exist. ``segiou.files.require_writable`` checks it
            beforehand.

    Raises:
        OSError: the folder does not exist, or the file cannot be written.
        ModuleNotFoundError: Jinja2, or for overlays Pillow, is not installed.
    """
    target = require_writable(path)
    # file names may hold bytes that are no UTF-8, which Python keeps as surrogates
    write_whole(target, render(report).encode("utf-8", "backslashreplace"))
