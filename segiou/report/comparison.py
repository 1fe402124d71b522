"""The page of a comparison: two models on the same images, and what changed from the first to the second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from segiou.labels.checks import Colour, colours_of
from segiou.metrics.intervals import ENOUGH, TOO_FEW, Comparison, verdict
from segiou.report.data import require_alike
from segiou.report.pictures import ComparedMaps, colours, compared_overlay


class ImageChange(NamedTuple):
    """One image by both models: its name, its scores as fractions, and its label maps, or None where not shown."""

    name: str
    a: float
    b: float
    maps: ComparedMaps | None = None

    @property
    def gain(self) -> float:
        """How much better the second model is; nan where one of them has no score."""
        return self.b - self.a


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
        """Whether the difference is one, and on which side of 0."""
        return verdict(self.low, self.high, self.p_value)


@dataclass(frozen=True)
class ComparisonReport:
    """All that the page of a comparison shows; ``write_report`` writes it.

    Args:
        differences: what ``PairedComparison.compute()`` gives: scores of the whole by name, those of classes as
            "IoU/<class>", each of scalars.
        models: the names of the first model, A, and of the second, B.
        title: of the page.
        group_differences: likewise of groups; empty where there are none.
        images: the scores of single images by both, and the label maps of those that are to be shown.
        most: how many images are shown that gained most, and how many that lost most.
        facts: more that a reader needs to reproduce the numbers, such as the folders, by name.
        notes: a line each, such as a file that could not be scored and why.
        num_classes: C, of the label maps; needed where there are some.
        palette: C colours of red, green and blue, 0 to 255; colours of the page's own where None.
        ignore_index: label values that are not counted.

    Raises:
        ValueError: label maps, a photo or colours of a shape that does not fit.
    """

    differences: Mapping[str, Comparison]
    models: tuple[str, str] = ("A", "B")
    title: str = "Comparison of two models"
    group_differences: Mapping[str, Comparison] = field(default_factory=dict)
    images: Sequence[ImageChange] = ()
    most: int = 5
    facts: Mapping[str, str] = field(default_factory=dict)
    notes: Sequence[str] = ()
    num_classes: int = 0
    palette: Sequence[Colour] | None = None
    ignore_index: Sequence[int] = ()

    def __post_init__(self) -> None:
        pictured = {image.name: image.maps for image in self.images if image.maps is not None}
        if pictured and self.num_classes < 1:
            raise ValueError(f"num_classes is needed to show label maps, such as those of {next(iter(pictured))!r}")
        if self.palette is not None and len(colours_of("palette", self.palette)) != self.num_classes:
            raise ValueError(f"palette must hold a colour for each of {self.num_classes} classes, got {self.palette}")
        for name, (a, b, label, photo) in pictured.items():
            require_alike(name, {"prediction of A": a, "prediction of B": b, "label": label}, photo)


def most_changed(images: Sequence[ImageChange], most: int) -> dict[str, list[ImageChange]]:
    """The images that gained most and those that lost most, up to ``most`` of each."""
    gained = sorted((image for image in images if image.gain > 0), key=lambda image: (-image.gain, image[:3]))
    lost = sorted((image for image in images if image.gain < 0), key=lambda image: (image.gain, image[:3]))
    return {"gained": gained[:most], "lost": lost[:most]}


def shown_comparison(report: ComparisonReport) -> dict[str, Any]:
    """What the template shows, by the names that it has there."""
    tables = {"Classes": _changes(report.differences, "IoU/"), "Groups": _changes(report.group_differences, "IoU/")}
    palette = list(report.palette or colours(report.num_classes))
    moved = most_changed(report.images, report.most)
    return {
        "report": report,
        "whole": [change for change in _changes(report.differences, "") if "/" not in change.name],
        "whole_of_groups": [change for change in _changes(report.group_differences, "") if "/" not in change.name],
        "tables": {title: changes for title, changes in tables.items() if changes},
        "few": TOO_FEW if 0 < len(report.images) < ENOUGH else "",
        "moved": moved,
        "pictures": {
            direction: [
                (image, compared_overlay(image.maps, palette, report.ignore_index))
                for image in images
                if image.maps is not None
            ]
            for direction, images in moved.items()
        },
        "numbers": {
            "gained": sum(image.gain > 0 for image in report.images),
            "lost": sum(image.gain < 0 for image in report.images),
        },
    }


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
