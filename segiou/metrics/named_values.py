"""What a metric has computed, as scalars by name: the form that logs take.

A logger may make a folder of what is before a "/" (MLflow's file store does), so no name is the beginning of another's
path: a score is "mIoU", its bound "mIoU_low", and those of the classes "mIoU_per_class/road".
"""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from torch import Tensor

from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.log_names import told_apart
from segiou.metrics.per_image import OfImages
from segiou.metrics.state import SummedStates
from segiou.metrics.threshold_sweep import Sweep

Score = TypeVar("Score", float, Tensor)


def scalars(value: Any, key: str, names: Sequence[str], named: bool = False) -> dict[str, Tensor]:
    """A value as scalars by name: parts of a dict or tuple, elements of a vector by class.

    The part "value" of a tuple has the name itself. A dict keeps its names, after ``key`` where ``named``.

    >>> import torch
    >>> scalars(torch.tensor([0.5, 0.7]), "mIoU", ["road", "car"])
    {'mIoU_per_class/road': tensor(0.5000), 'mIoU_per_class/car': tensor(0.7000)}

    Raises:
        ValueError: a value that is no scalar or vector of classes, such as a matrix.
    """
    found: dict[str, Tensor] = {}
    if isinstance(value, Mapping):
        for name, part in value.items():
            name = _for_logs(name, names)
            found |= scalars(part, f"{key}/{name}" if named else name, names)
        return found
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        curves = ("thresholds", "iou", "dice", "precision", "recall") if isinstance(value, Sweep) else ()
        for name, part in value._asdict().items():
            if name in curves:  # which may be as long as the classes are many
                continue
            if isinstance(part, tuple) or part.ndim == 0 or part.shape == (len(names),):
                found |= scalars(part, key if name == "value" else f"{key}_{name}", names)
        return found
    if value.ndim == 0:
        return {key: value}
    if value.shape != (len(names),):
        raise ValueError(f"{key} has a value of shape {tuple(value.shape)}, which cannot be logged")
    return per_class(key, names, value.unbind())


def _for_logs(key: str, names: Sequence[str]) -> str:
    """A key of a metric's own dict, such as "IoU/road", its class by the name that logs show."""
    for place, letter in enumerate(key):
        if letter == "/" and key[place + 1 :] in names:
            return key[: place + 1] + told_apart(names)[names.index(key[place + 1 :])]
    return key


def per_class(key: str, names: Sequence[str], values: Sequence[Score]) -> dict[str, Score]:
    """The scores of classes by the names that logs show, such as "IoU_per_class/road"."""
    return {f"{key}_per_class/{name}": value for name, value in zip(told_apart(names), values, strict=True)}


def scored_names(metric: SummedStates) -> Sequence[str]:
    """The names of what a metric has a score for each of, where it has any."""
    inner = metric.metric if isinstance(metric, OfImages) else metric
    names: Sequence[str] = (
        inner.classes.scored if isinstance(inner, ConfusionMatrixMetric) else getattr(inner, "class_names", ())
    )
    return names
