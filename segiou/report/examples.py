"""Which images the page shows, and for which choice and class."""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.image_means import ImageScores
from segiou.report.data import Report, WorstImage

RANKED = 5  # images that are named for each class


class Rank(NamedTuple):
    """One of the images that score lowest for a class; ``score`` is that of the class in the image."""

    name: str
    score: float


class Gallery(NamedTuple):
    """The images that are shown, each once, whatever it was chosen for.

    ``figures``: the images. ``choices``: their places, by what they were chosen for. ``present``: for each image the
    places of the classes that occur in its label or prediction. ``ranks``: for each class the name, the score and the
    place among ``figures``, or None, of the images that score lowest for it.
    """

    figures: list[WorstImage]
    choices: dict[str, list[int]]
    present: list[list[int]]
    ranks: list[list[tuple[str, float, int | None]]]

    @property
    def data(self) -> dict[str, Any]:
        """What the script of the page needs to know."""
        return {"choices": self.choices, "present": self.present, "ranks": self.ranks}


def names_of(images: ImageScores) -> list[str]:
    """The names of images, those without an id by their place."""
    return [f"image {place}" if name is None else str(name) for place, name in enumerate(images.ids)]


def choices_of(images: ImageScores, number: int) -> dict[str, list[int]]:
    """The places of up to ``number`` images each that are the worst, the best, around the median, and random ones.

    Images without a score are left out. The random ones are the same for every run over the same images.
    """
    known = sorted((value, place) for place, value in enumerate(images.values.tolist()) if value == value)
    order = [place for _, place in known]
    start = max(0, (len(order) - number) // 2)
    return {
        "worst": order[:number],
        "best": order[::-1][:number],
        "median": order[start : start + number],
        "random": random.Random(0).sample(sorted(order), min(number, len(order))),
    }


def ranks_of(images: ImageScores, number: int = RANKED) -> list[list[tuple[int, float]]]:
    """For each class the places and scores of the images that score lowest for it; images without it are left out."""
    scores = images.per_class.detach().cpu().nan_to_num(torch.inf)
    lowest = scores.sort(dim=0, stable=True)
    found = []
    for values, places in zip(lowest.values[:number].T.tolist(), lowest.indices[:number].T.tolist(), strict=True):
        found.append([(place, value) for value, place in zip(values, places, strict=True) if value != float("inf")])
    return found


def gallery(report: Report) -> Gallery:
    """The images of a report by choice and by class."""
    figures: list[WorstImage] = []
    places: dict[tuple[str, int], int] = {}
    choices: dict[str, list[int]] = {}
    for choice, images in {"worst": report.worst, **report.examples}.items():
        seen: Counter[str] = Counter()
        for image in images:
            key = image.name, seen[image.name]  # two images of one name are two images
            seen[image.name] += 1
            if key not in places:
                places[key] = len(figures)
                figures.append(image)
            choices.setdefault(choice, []).append(places[key])
    return Gallery(figures, choices, [_present(image, report.metric) for image in figures], _ranks(report, places))


def _ranks(report: Report, places: Mapping[tuple[str, int], int]) -> list[list[tuple[str, float, int | None]]]:
    images = report.images
    if images is None or images.per_class.shape[-1] != len(report.metric.classes.scored):
        return []
    names = names_of(images)
    return [
        [(names[place], round(score, 4), places.get((names[place], 0))) for place, score in ranks]
        for ranks in ranks_of(images)
    ]


def _present(image: WorstImage, metric: ConfusionMatrixMetric) -> list[int]:
    """The places of the classes, or groups, that occur in an image where it is counted."""
    label, prediction = np.asarray(image.label), np.asarray(image.prediction)
    counted = ~np.isin(label, metric.rules.ignore_index)
    found = {*np.unique(label[counted]).tolist(), *np.unique(prediction[counted]).tolist()}
    members: Sequence[Sequence[int]] = list(metric.classes.groups.values()) if metric.classes.groups else []
    if members:
        return [place for place, group in enumerate(members) if found & {*group}]
    return sorted(found & {*range(len(metric.class_names))})
