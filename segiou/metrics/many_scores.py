"""The base of a metric whose value is a dict of scores, and what torchmetrics and Lightning cannot do with one."""

import sys
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import Any

from torch import Tensor
from torchmetrics import MetricCollection
from torchmetrics.wrappers import ClasswiseWrapper, MetricTracker

from segiou.metrics.confusion_matrix import ConfusionMatrixMetric

_CLASSWISE = {ClasswiseWrapper.forward.__code__, ClasswiseWrapper.compute.__code__}
_BEST = MetricTracker.best_metric.__code__
FRAMES = 16  # between a wrapper and compute there are about ten

ITEMS_TEXT = (
    "a metric has no items, and {name} is one: pass scores, self.log_dict(metrics(preds, target)) in a step, or "
    "self.log_dict(metrics.compute()) and metrics.reset() at the end of an epoch"
)


class ManyScoresMetric(ConfusionMatrixMetric[dict[str, Tensor]]):
    """A metric whose value is a dict of scores. Where no dict is taken, an error says what to do instead.

    Without it ``ClasswiseWrapper`` takes the keys for the values, and ``MetricTracker`` and ``log_dict`` end in errors
    that name neither the metric nor a remedy.
    """

    def __getattr__(self, name: str) -> Any:
        """As that of a module; ``items``, which ``log_dict`` asks for, says what to pass in its place."""
        if name == "items":
            raise AttributeError(ITEMS_TEXT.format(name=type(self).__name__))
        return super().__getattr__(name)

    def _wrap_compute(self, compute: Callable[..., Any]) -> Callable[..., Any]:
        """As torchmetrics', which keeps the value, after a look at who asks for it."""
        kept = super()._wrap_compute(compute)

        @wraps(compute)
        def checked(*args: Any, **kwargs: Any) -> Any:
            require_dict_is_taken(type(self).__name__)
            return kept(*args, **kwargs)

        return checked


def require_dict_is_taken(name: str) -> None:
    """Raise where a wrapper of torchmetrics waits for the dict of scores of ``name``, and cannot take a dict.

    Such a wrapper cannot be known before: it looks at nothing of a metric but its value.

    Raises:
        TypeError: ``ClasswiseWrapper``, or ``MetricTracker.best_metric``, which takes a metric of one value.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(FRAMES):
        if frame is None:
            return
        if frame.f_code in _CLASSWISE:
            raise TypeError(
                f"ClasswiseWrapper takes a metric with one value for each class, and {name} has a dict of scores: use "
                f"{name}(..., per_class=True) as it is, its keys name the classes, or ClasswiseWrapper(MeanIoU(..., "
                'average="none"))'
            )
        if frame.f_code is _BEST and not _is_told(frame.f_locals["self"]):
            raise TypeError(
                f"MetricTracker.best_metric() takes a metric with one value, and {name} has a dict of scores: pass "
                f"MetricTracker(MetricCollection([{name}(...)]), maximize=True)"
            )
        frame = frame.f_back


def _is_told(tracker: Any) -> bool:
    """Whether a tracker knows for every score that more is better."""
    return isinstance(tracker._base_metric, MetricCollection) and not isinstance(tracker.maximize, list)
