"""The naive loops that everything is held to: one pixel at a time, Python integers and fractions."""

import itertools
import math
from fractions import Fraction

import torch


def label_of(scores: list[float]) -> int:
    """The first maximum; the first nan if there is one."""
    best = 0
    for index, score in enumerate(scores):
        if math.isnan(score):
            return index
        if score > scores[best]:
            best = index
    return best


def matrix(preds: list[int], target: list[int], classes: int, ignore: tuple[int, ...] = ()) -> list[list[int]]:
    """Counts of (C + 1) x (C + 1): the last row is ignored or outside, the last column is void."""
    counts = [[0] * (classes + 1) for _ in range(classes + 1)]
    for p, t in zip(preds, target, strict=True):
        row = t if 0 <= t < classes and t not in ignore else classes
        column = p if 0 <= p < classes else classes
        counts[row][column] += 1
    return counts


def errors(preds: list[int], target: list[int], classes: int, ignore: tuple[int, ...] = ()) -> list[int]:
    """Pixels that count with a bad prediction, and those with a bad target."""
    kept = [0 <= t < classes and t not in ignore for t in target]
    bad_preds = sum(k and not 0 <= p < classes for p, k in zip(preds, kept, strict=True))
    bad_target = sum(not 0 <= t < classes and t not in ignore for t in target)
    return [bad_preds, bad_target]


def pixels(x: torch.Tensor) -> list:
    """All values of a tensor, in order."""
    return x.detach().cpu().reshape(-1).tolist()


def argmax(scores: torch.Tensor) -> list[int]:
    """The label of every pixel of scores (N, C, ...)."""
    rows = scores.detach().cpu().movedim(1, -1).reshape(-1, scores.shape[1])
    return [label_of(row) for row in rows.double().tolist()]


# ---- scores of a matrix, as fractions; None where a score is 0/0


def _ratio(top: int, bottom: int) -> Fraction | None:
    return Fraction(top, bottom) if bottom else None


def class_areas(counts: list[list[int]], c: int) -> tuple[int, int, int]:
    """TP, predicted and target pixels of a class, ignored pixels left out."""
    size = len(counts) - 1
    return counts[c][c], sum(counts[row][c] for row in range(size)), sum(counts[c])


def iou(tp: int, p: int, g: int) -> Fraction | None:
    return _ratio(tp, p + g - tp)


def dice(tp: int, p: int, g: int) -> Fraction | None:
    return _ratio(2 * tp, p + g)


def precision(tp: int, p: int, g: int) -> Fraction | None:
    return _ratio(tp, p)


def recall(tp: int, p: int, g: int) -> Fraction | None:
    return _ratio(tp, g)


def macro(score, counts: list[list[int]], classes: range | None = None) -> float:
    """The mean over the classes that have a score."""
    found = [score(*class_areas(counts, c)) for c in classes or range(len(counts) - 1)]
    found = [value for value in found if value is not None]
    return float(sum(found) / len(found)) if found else math.nan


def weighted_iou(counts: list[list[int]]) -> float:
    areas = [class_areas(counts, c) for c in range(len(counts) - 1)]
    total = sum(g for _, _, g in areas)
    return float(sum(iou(tp, p, g) * g for tp, p, g in areas if g) / total) if total else math.nan


def pixel_accuracy(counts: list[list[int]]) -> float:
    valid = counts[:-1]
    total = sum(map(sum, valid))
    return float(Fraction(sum(row[c] for c, row in enumerate(valid)), total)) if total else math.nan


def generalized_dice(counts: list[list[int]]) -> float:
    areas = [class_areas(counts, c) for c in range(len(counts) - 1)]
    largest = max((Fraction(1, g * g) for _, _, g in areas if g), default=Fraction(1))
    weights = [Fraction(1, g * g) if g else largest for _, _, g in areas]
    below = sum(w * (p + g) for w, (_, p, g) in zip(weights, areas, strict=True))
    return float(2 * sum(w * tp for w, (tp, _, _) in zip(weights, areas, strict=True)) / below) if below else math.nan


def cohen_kappa(counts: list[list[int]]) -> float:
    areas = [class_areas(counts, c) for c in range(len(counts) - 1)]
    n = sum(g for _, _, g in areas)
    if not n:
        return math.nan
    observed = Fraction(sum(tp for tp, _, _ in areas), n)
    expected = Fraction(sum(p * g for _, p, g in areas), n * n)
    return float((observed - expected) / (1 - expected)) if expected != 1 else math.nan


def matthews(counts: list[list[int]]) -> float:
    """The correlation of one-hot vectors, void being a class of its own."""
    areas = [class_areas(counts, c) for c in range(len(counts) - 1)]
    n = sum(g for _, _, g in areas)
    void = n - sum(p for _, p, _ in areas)
    covariance = sum(tp for tp, _, _ in areas) * n - sum(p * g for _, p, g in areas)
    of_preds = n * n - sum(p * p for _, p, _ in areas) - void * void
    of_target = n * n - sum(g * g for _, _, g in areas)
    return covariance / (math.sqrt(of_preds) * math.sqrt(of_target)) if of_preds and of_target else math.nan


VALUES = {
    "MeanIoU": lambda counts: macro(iou, counts),
    "JaccardIndex": lambda counts: macro(iou, counts),
    "MulticlassJaccardIndex": lambda counts: macro(iou, counts),
    "Dice": lambda counts: macro(dice, counts),
    "Precision": lambda counts: macro(precision, counts),
    "Recall": lambda counts: macro(recall, counts),
    "FBeta": lambda counts: macro(dice, counts),
    "MeanAccuracy": lambda counts: macro(recall, counts),
    "FrequencyWeightedIoU": weighted_iou,
    "PixelAccuracy": pixel_accuracy,
    "CohenKappa": cohen_kappa,
    "GeneralizedDice": generalized_dice,
    "MatthewsCorrCoef": matthews,
}


def interior(labels: torch.Tensor, distance: int, border: bool) -> torch.Tensor:
    """Whether every pixel of the window is there and has the label of its centre."""
    places = list(itertools.product(*map(range, labels.shape)))
    label_at = dict(zip(places, pixels(labels), strict=True))
    steps = list(itertools.product(range(-distance, distance + 1), repeat=labels.ndim - 1))

    def same(image: int, *centre: int) -> bool:
        label = label_at[(image, *centre)]
        window = (tuple(c + s for c, s in zip(centre, step, strict=True)) for step in steps)
        return all(label_at.get((image, *place), None if border else label) == label for place in window)

    return torch.tensor([same(*place) for place in places], dtype=torch.bool).reshape(labels.shape)
