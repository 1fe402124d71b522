"""The twins of torchmetrics.segmentation by loops over pixels of label maps, in Python's own numbers."""

from fractions import Fraction
from itertools import chain
from math import nan


def mean(values: list) -> float:
    found = [value for value in values if value is not None]
    return float(sum(found) / len(found)) if found else nan


def areas(preds: list[int], target: list[int], classes: list[int]) -> list[tuple[int, int, int]]:
    pairs = list(zip(preds, target, strict=True))
    return [
        (sum(p == t == c for p, t in pairs), sum(p == c for p in preds), sum(t == c for t in target)) for c in classes
    ]


def share(a: Fraction | int, b: Fraction | int) -> Fraction | None:
    return Fraction(a) / b if b else None


def dice(found: list[tuple[int, int, int]], average: str) -> list:
    """One score, or one for each class."""
    if average == "micro":
        i, p, t = (sum(part) for part in zip(*found, strict=True))
        return [share(2 * i, p + t)]
    each = [share(2 * i, p + t) for i, p, t in found]
    present = [score for score in each if score is not None]
    if average == "none":
        return each
    if not present:
        return [None]
    if average == "macro":
        return [sum(present) / len(present)]
    total = sum(t for _, _, t in found)
    return [sum((score or 0) * t for score, (_, _, t) in zip(each, found, strict=True)) / Fraction(max(total, 1))]


def generalized(found: list[tuple[int, int, int]], weight_type: str) -> Fraction:
    power = {"square": 2, "simple": 1, "linear": 0}[weight_type]
    finite = [Fraction(1, t**power) for _, _, t in found if t]
    largest = max(finite, default=Fraction(1))
    weights = [Fraction(1, t**power) if t else largest for _, _, t in found]
    below = sum(w * (p + t) for w, (_, p, t) in zip(weights, found, strict=True))
    return share(2 * sum(w * i for w, (i, _, _) in zip(weights, found, strict=True)), below) or Fraction(0)


def score(name, preds, target, num_classes, include_background, input_format, **own):
    classes = list(range(0 if include_background or num_classes == 1 else 1, num_classes))
    images = [areas(p, t, classes) for p, t in zip(preds, target, strict=True)]
    if name == "MeanIoU":
        each = [[share(i, p + t - i) for i, p, t in image] for image in images]
        by_class = list(zip(*each, strict=True))
        return [mean(scores) for scores in by_class] if own["per_class"] else mean(list(chain(*each)))
    if name == "GeneralizedDiceScore" and not own["per_class"]:
        return mean([generalized(image, own["weight_type"]) for image in images])
    average = "none" if name == "GeneralizedDiceScore" else own["average"] or "none"
    if own.get("aggregation_level") == "global":
        images = [[tuple(sum(part) for part in zip(*one, strict=True)) for one in zip(*images, strict=True)]]
    each = [dice(image, average) for image in images]
    if name == "GeneralizedDiceScore":
        each = [[value or Fraction(0) for value in image] for image in each]
    values = [mean(scores) for scores in zip(*each, strict=True)]
    return values if average == "none" else values[0]
