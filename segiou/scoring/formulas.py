"""Areas read off a confusion matrix, and the scores that follow from them.

``counts`` is an integer tensor of shape ``(..., C + 1, C + 1)``: rows are target classes, columns are
predicted classes, the last row holds the ignored pixels and the last column the pixels whose prediction
is no class (void). Every formula maps ``Areas`` to floating scores, keeps the leading axes, and gives
nan where it is 0/0.
"""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

WeightType = Literal["square", "simple", "linear"]


class Areas(NamedTuple):
    """Pixels per class, each of shape ``(..., C)``: in both, in the prediction, in the target.

    Ignored pixels are in none of the three. A void prediction on a valid pixel is in ``target`` and not
    in ``predicted``: a miss, and nobody's false alarm.
    """

    intersection: Tensor
    predicted: Tensor
    target: Tensor

    def map(self, fn: Callable[[Tensor], Tensor]) -> "Areas":
        """Apply ``fn`` to each of the three tensors."""
        return Areas(fn(self.intersection), fn(self.predicted), fn(self.target))


def areas_of(counts: Tensor) -> Areas:
    """Read the areas of all C classes off counts of shape ``(..., C + 1, C + 1)``; integers stay integers."""
    valid = counts[..., :-1, :]
    return Areas(
        intersection=valid[..., :-1].diagonal(dim1=-2, dim2=-1),
        predicted=valid[..., :-1].sum(-2),
        target=valid.sum(-1),
    )


def merged(counts: Tensor, members: Sequence[Sequence[int]]) -> Tensor:
    """Counts of groups of classes, ``(..., G + 1, G + 1)``; the groups must hold each class at most once.

    What is in no group is ignored in the target and void in the prediction.
    """
    size = counts.shape[-1]
    inside = {c for ids in members for c in ids}
    parts = [*members, [c for c in range(size) if c not in inside]]
    rows = torch.stack([counts[..., ids, :].sum(-2) for ids in parts], -2)
    return torch.stack([rows[..., ids].sum(-1) for ids in parts], -1)


def areas_of_groups(counts: Tensor, members: Sequence[Sequence[int]]) -> Areas:
    """Read the areas of G groups of classes off counts; a class may be in several groups, or in none."""
    valid = counts[..., :-1, :]
    rows = [valid[..., ids, :] for ids in members]
    return Areas(
        intersection=torch.stack([row[..., ids].sum((-2, -1)) for row, ids in zip(rows, members, strict=True)], -1),
        predicted=torch.stack([valid[..., ids].sum((-2, -1)) for ids in members], -1),
        target=torch.stack([row.sum((-2, -1)) for row in rows], -1),
    )


def floating(areas: Areas) -> Areas:
    """Areas in float64, exact to 2^53 pixels; float32 on devices that have no float64."""
    dtype = torch.float32 if areas.target.device.type == "mps" else torch.float64
    return areas.map(lambda area: area.to(dtype))


def iou(a: Areas) -> Tensor:
    """Intersection over union, the Jaccard index: TP / (TP + FP + FN) (Everingham et al. 2010, section 4.1.3)."""
    return a.intersection / (a.predicted + (a.target - a.intersection))  # in this order every sum is exact


def dice(a: Areas) -> Tensor:
    """Dice coefficient, the F1 score of pixels: 2 TP / (2 TP + FP + FN) (Dice 1945)."""
    return 2 * a.intersection / (a.predicted + a.target)


def precision(a: Areas) -> Tensor:
    """Share of the pixels predicted as the class that are of the class: TP / (TP + FP)."""
    return a.intersection / a.predicted


def recall(a: Areas) -> Tensor:
    """Share of the pixels of the class that are predicted as the class: TP / (TP + FN); "Acc" in mmsegmentation."""
    return a.intersection / a.target


def fbeta(a: Areas, beta: float = 1.0) -> Tensor:
    """Recall weighted ``beta`` times: (1 + b^2) TP / (b^2 G + P) (van Rijsbergen 1979, chapter 7)."""
    return (1 + beta**2) * a.intersection / (beta**2 * a.target + a.predicted)


def generalized_dice(a: Areas, weight_type: WeightType = "square") -> Tensor:
    """Dice with a weight for each class, ``(..., C) -> (...)``: 2 sum(w TP) / sum(w (P + G)).

    The weight is 1 / G^2 ("square"), 1 / G ("simple") or 1 ("linear"), where G are the target pixels of the class
    (Crum et al. 2006; "square" is that of Sudre et al. 2017, section 2.1). For a class without target pixels that
    is infinite: it has the largest weight of the classes that are there, or 1 where there is none, so that its
    false alarms count.
    """
    if weight_type == "linear":
        return 2 * a.intersection.sum(-1) / (a.predicted + a.target).sum(-1)
    weights = 1 / (a.target**2 if weight_type == "square" else a.target)
    finite = weights.masked_fill(a.target == 0, 0)
    largest = finite.amax(-1, keepdim=True)
    weights = torch.where(a.target == 0, torch.where(largest == 0, 1, largest), finite)
    return 2 * (weights * a.intersection).sum(-1) / (weights * (a.predicted + a.target)).sum(-1)


def pixel_accuracy(a: Areas) -> Tensor:
    """Share of all counted pixels that are right, ``(..., C) -> (...)`` (Long et al. 2015, section 5)."""
    return a.intersection.sum(-1) / a.target.sum(-1)


def cohen_kappa(a: Areas) -> Tensor:
    """Agreement beyond chance, ``(..., C) -> (...)``: (p_o - p_e) / (1 - p_e) (Cohen 1960).

    Both sides are multiplied by n^2, and ``1 - p_e`` is summed from terms that are never negative, so
    that nothing cancels when one class dominates.
    """
    n = a.target.sum(-1, keepdim=True)
    return _covariance(a, n) / (a.target * (n - a.predicted)).sum(-1)


def matthews_corrcoef(a: Areas) -> Tensor:
    """Matthews' correlation for C classes, R_K, ``(..., C) -> (...)`` (Gorodkin 2004, equation 8).

    Void predictions form a class of their own that has no target pixels.
    """
    n = a.target.sum(-1, keepdim=True)
    void = n - a.predicted.sum(-1, keepdim=True)
    spread_predicted = (a.predicted * (n - a.predicted)).sum(-1) + (void * (n - void)).sum(-1)
    spread_target = (a.target * (n - a.target)).sum(-1)
    return _covariance(a, n) / (spread_predicted.sqrt() * spread_target.sqrt())


def _covariance(a: Areas, n: Tensor) -> Tensor:
    """n^2 times the covariance of target and prediction."""
    return (a.intersection * n - a.predicted * a.target).sum(-1)
