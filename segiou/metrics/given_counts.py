"""Confusion matrices that were counted elsewhere, which a metric takes in the place of pixels."""

from typing import Any

import numpy as np
import torch
from torch import Tensor

from segiou.counting import Counted
from segiou.counting.tensors import tensor

MOST = 2**53  # pixels, up to which the formulas are exact in float64


class GivenCounts:
    """Confusion matrices on their way into a metric, whose ``update`` takes them as preds.

    Args:
        confmat: one matrix, or one for each image.
    """

    def __init__(self, confmat: Any) -> None:
        self.confmat = confmat

    def counted(self, metric: Any, per_image: bool) -> Counted:
        """The counts as ``metric`` keeps them, and no errors. Raises ValueError or TypeError for what is no matrix."""
        counts = self._in_shape(_whole("confmat", self.confmat), metric, per_image)
        _require_counts(counts)
        if not metric.own_confmat:
            _require_no_further_class(counts, metric)
            counts = _ignored_rows_moved(counts, metric.rules.ignore_index)
        counts = counts.to(metric.errors.device)
        if not per_image and counts.ndim > len(metric.confmat.shape):
            counts = counts.sum(0)
        return Counted(counts, torch.zeros_like(metric.errors))

    def _in_shape(self, counts: Tensor, metric: Any, per_image: bool) -> Tensor:
        """Counts ``(N, *own)`` or ``(*own)``, where ``own`` is the shape of ``metric.confmat``."""
        own = tuple(metric.confmat.shape)
        plain = (*own[:-2], own[-2] - 1, own[-1] - 1)  # without what is ignored and what is void
        known = [own] if metric.own_confmat else [plain, own]
        several = counts.ndim == len(own) + 1
        shape = tuple(counts.shape[1:] if several else counts.shape)
        if shape in known and (several or not per_image):
            return counts if shape == own else torch.nn.functional.pad(counts, (0, 1, 0, 1))
        texts = [f"({', '.join(map(str, each))})" for each in known]
        if per_image:
            wanted = " or ".join(text.replace("(", "(N, ", 1) for text in texts) + ", one matrix for each image"
            remedy = "pass confmat[None] if it is the matrix of a single image" if shape in known else ""
        else:
            wanted = " or ".join(texts) + ", or several of these on a first axis"
            remedy = ""
        if not remedy and metric.own_confmat:
            remedy = f"pass what confmat of a {type(metric).__name__} with the same arguments holds"
        remedy = remedy or "build the metric with as many classes; rows are the target, columns the prediction"
        raise ValueError(f"confmat must have shape {wanted}, got {tuple(counts.shape)}: {remedy}")


def counted_or_given(metric: Any, preds: Any, target: Any, **how: bool) -> Counted:
    """What ``metric.counted`` counts of pixels, or the matrices that were given in their place."""
    if isinstance(preds, GivenCounts):
        return preds.counted(metric, **{"per_image": False, **how})
    counted: Counted = metric.counted(preds, target, **how)
    return counted


def _whole(name: str, confmat: Any) -> Tensor:
    """A matrix as int64. Raises TypeError or ValueError where its numbers are no integers."""
    if isinstance(confmat, list | tuple) and any(isinstance(part, Tensor | np.ndarray) for part in confmat):
        parts = [_whole(name, part) for part in confmat]
        if len({part.shape for part in parts}) > 1:
            raise ValueError(
                f"{name} must list matrices of one shape, got {[tuple(part.shape) for part in parts]!r:.100}"
            )
        return torch.stack(parts)
    if isinstance(confmat, list | tuple):
        try:
            confmat = np.asarray(confmat)
        except ValueError:
            raise ValueError(f"{name} must be a matrix, got rows of different lengths: {confmat!r:.100}") from None
    found = tensor(name, confmat)
    if found.dtype == torch.bool or found.is_complex():
        raise TypeError(f"{name} must hold integers, numbers of pixels, got {found.dtype}")
    if found.is_floating_point():
        whole = bool((found == found.round()).all()) and bool(found.isfinite().all())
        remedy = (
            f"pass integers, such as {name}.astype('int64') of an array or {name}.long() of a tensor"
            if whole
            else "it is normalized or averaged, pass the counts that it was made of"
        )
        raise TypeError(f"{name} must hold integers, numbers of pixels, got {found.dtype}: {remedy}")
    counts = found.long()
    if found.dtype == torch.uint64 and bool((counts < 0).any()):  # which wrapped around
        raise ValueError(_too_many(name, "2^63 or more"))
    return counts


def _require_counts(counts: Tensor) -> None:
    """Raise ValueError for negative numbers, and for more pixels than can be scored exactly."""
    low, total = (int(counts.min()), float(counts.double().sum())) if counts.numel() else (0, 0.0)
    if low < 0:
        raise ValueError(f"confmat must hold numbers of pixels, 0 or more, got {low}")
    if total > MOST:
        raise ValueError(_too_many("confmat", f"{total:.3g}"))


def _too_many(name: str, number: str) -> str:
    return f"{name} must hold at most 2^53 pixels, up to which scores are exact, got {number}"


def _require_no_further_class(counts: Tensor, metric: Any) -> None:
    """Raise ValueError for pixels where the metric itself can count none: such a matrix is of one class more."""
    rules = metric.rules
    if not rules.validate_args:
        return
    remedy = "build the metric with one class more if the matrix has one, or with validate_args=False"
    ignored, void = int(counts[..., -1, :].sum()), int(counts[..., :-1, -1].sum())
    if ignored and not rules.ignore_index:
        raise ValueError(
            f"confmat must have no pixel in its last row, which is of ignored pixels, where ignore_index is None, got "
            f"{ignored:,}: {remedy}"
        )
    if void:
        raise ValueError(
            f"confmat must have no pixel in its last column, which is of predictions outside the classes, got "
            f"{void:,}: {remedy}"
        )


def _ignored_rows_moved(counts: Tensor, ignore_index: tuple[int, ...]) -> Tensor:
    """Counts whose pixels of ignored classes are in the last row, as those of pixels that were counted here."""
    last = counts.shape[-2] - 1
    ignored = [label for label in ignore_index if 0 <= label < last]
    if not ignored:
        return counts
    counts = counts.clone()
    counts[..., last, :] += counts[..., ignored, :].sum(-2)
    counts[..., ignored, :] = 0
    return counts
