"""What a metric has computed, as scalars by name: the form that logs take."""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.per_image import PerImageMetric
from segiou.metrics.state import SummedStates
from segiou.metrics.threshold_sweep import Sweep


def scalars(value: Any, key: str, names: Sequence[str], named: bool = False) -> dict[str, Tensor]:
    """A value as scalars by name: parts of a dict or tuple, elements of a vector by class.

    The part "value" of a tuple has the name itself. A dict keeps its names, after ``key`` where ``named``.

    Raises:
        ValueError: a value that is no scalar or vector of classes, such as a matrix.
    """
    found: dict[str, Tensor] = {}
    if isinstance(value, Mapping):
        for name, part in value.items():
            found |= scalars(part, f"{key}/{name}" if named else name, names)
        return found
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        curves = ("thresholds", "iou", "dice", "precision", "recall") if isinstance(value, Sweep) else ()
        for name, part in value._asdict().items():
            if name in curves:  # which may be as long as the classes are many
                continue
            if isinstance(part, tuple) or part.ndim == 0 or part.shape == (len(names),):
                found |= scalars(part, key if name == "value" else f"{key}/{name}", names)
        return found
    if value.ndim == 0:
        return {key: value}
    if value.shape != (len(names),):
        raise ValueError(f"{key} has a value of shape {tuple(value.shape)}, which cannot be logged")
    return {f"{key}/{name}": part for name, part in zip(names, value.unbind(), strict=True)}


def scored_names(metric: SummedStates) -> Sequence[str]:
    """The names of what a metric has a score for each of, where it has any."""
    inner = metric.metric if isinstance(metric, PerImageMetric) else metric
    names: Sequence[str] = (
        inner.classes.scored if isinstance(inner, ConfusionMatrixMetric) else getattr(inner, "class_names", ())
    )
    return names
