"""Uses of a dict of scores that would end in something else than the scores: errors that say what to do instead."""

import sys
from types import FrameType
from typing import Any

from torchmetrics import MetricCollection
from torchmetrics.wrappers import ClasswiseWrapper, MetricTracker

_CLASSWISE = {ClasswiseWrapper.forward.__code__, ClasswiseWrapper.compute.__code__}
_BEST = MetricTracker.best_metric.__code__
FRAMES = 16  # between a wrapper and compute there are about ten

ITEMS_TEXT = (
    "a metric has no items, and {name} is one: pass scores, self.log_dict(metrics(preds, target)) in a step, or "
    "self.log_dict(metrics.compute()) and metrics.reset() at the end of an epoch"
)


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
