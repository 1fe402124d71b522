"""One self-contained HTML page that shows a result: open it in any browser, without a network.

The extra ``report`` (Jinja2 and Pillow) writes it. A ``Report`` holds what the page shows, made of segiou's own
objects, a ``ComparisonReport`` what it shows of two models; ``write_report`` writes either.
"""

from segiou.report.comparison import ComparisonReport, ImageChange
from segiou.report.data import Report, WorstImage
from segiou.report.page import render, write_report
from segiou.report.pictures import ComparedMaps

__all__ = ["ComparedMaps", "ComparisonReport", "ImageChange", "Report", "WorstImage", "render", "write_report"]
