"""The page of a comparison: two models on the same images, and what changed from the first to the second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from segiou.metrics.intervals import Comparison, verdict


class ImageChange(NamedTuple):
    """The scores of one image by both models; fractions."""

    name: str
    a: float
    b: float


class Change(NamedTuple):
    """A row of a table of differences; nan where there is no score."""

    name: str
    a: float
    b: float
    difference: float
    low: float
    high: float
    p_value: float

    @property
    def verdict(self) -> str:
        """Whether the interval of the difference leaves out 0, and on which side."""
        return verdict(self.low, self.high)


@dataclass(frozen=True)
class ComparisonReport:
    """All that the page of a comparison shows; ``write_report`` writes it.

    Args:
        differences: what ``PairedComparison.compute()`` gives: scores of the whole by name, those of classes as
            "IoU/<class>", each of scalars.
        models: the names of the first model, A, and of the second, B.
        title: of the page.
        group_differences: likewise of groups; empty where there are none.
        images: the scores of single images by both.
        most: how many images are shown that gained most, and how many that lost most.
        facts: more that a reader needs to reproduce the numbers, such as the folders, by name.
        notes: a line each, such as a file that could not be scored and why.
    """

    differences: Mapping[str, Comparison]
    models: tuple[str, str] = ("A", "B")
    title: str = "Comparison of two models"
    group_differences: Mapping[str, Comparison] = field(default_factory=dict)
    images: Sequence[ImageChange] = ()
    most: int = 5
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()


def shown_comparison(report: ComparisonReport) -> dict[str, Any]:
    """What the template shows, by the names that it has there."""
    gains = sorted((image for image in report.images if _gain(image) > 0), key=lambda image: (-_gain(image), image))
    losses = sorted((image for image in report.images if _gain(image) < 0), key=lambda image: (_gain(image), image))
    tables = {"Classes": _changes(report.differences, "IoU/"), "Groups": _changes(report.group_differences, "IoU/")}
    return {
        "report": report,
        "whole": [change for change in _changes(report.differences, "") if "/" not in change.name],
        "tables": {title: changes for title, changes in tables.items() if changes},
        "moved": {"gained": gains[: report.most], "lost": losses[: report.most]},
        "numbers": {"gained": len(gains), "lost": len(losses)},
    }


def _gain(image: ImageChange) -> float:
    return image.b - image.a  # nan is neither a gain nor a loss


def _changes(differences: Mapping[str, Comparison], prefix: str) -> list[Change]:
    return [
        Change(
            name.removeprefix(prefix),
            float(found.a.value),
            float(found.b.value),
            float(found.difference.value),
            float(found.difference.low),
            float(found.difference.high),
            float(found.p_value),
        )
        for name, found in differences.items()
        if name.startswith(prefix)
    ]
