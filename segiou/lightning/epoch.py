"""What a monitor measures over one epoch of one loader: its own counts, and the metrics that were given to it."""

import inspect
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import torch
from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.lightning.step_outputs import STEPS, Skipped, Stage
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.named_values import per_class, scalars, scored_names
from segiou.metrics.per_image import PerImageMetric
from segiou.metrics.scores import Dice, MeanIoU
from segiou.metrics.state import SummedStates
from segiou.metrics.synced_metrics import synced_together
from segiou.scoring.averaging import Averaging

OneKind = TypeVar("OneKind", bound=SummedStates)
OWN = (MeanIoU.score, Dice.score)


class Measures:
    """Counts for mIoU and Dice, and other metrics beside them.

    A metric whose counts would be the same is not updated: it reads the counts that are there.

    Args:
        counts: empty; says what is counted.
        metrics: others by the name that their values are logged under, "" for their own.
    """

    def __init__(self, counts: ConfusionMatrixMetric, metrics: Sequence[tuple[str, SummedStates]] = ()) -> None:
        self.counts = counts
        self.metrics = list(metrics)
        self.batches = 0  # that were counted
        self.skipped: Skipped | None = None  # a batch that was not

    @classmethod
    def of(cls, counts: ConfusionMatrixMetric, metrics: Any) -> "Measures":
        """Check the metrics that a user gives: a list, or a dict that names them. Raises TypeError or ValueError."""
        metrics = () if metrics is None else metrics
        if isinstance(metrics, torch.nn.Module) or not isinstance(metrics, Iterable):
            raise TypeError(f"metrics must be a list of metrics, or a dict that names them, got {metrics!r}")
        named = list(metrics.items()) if isinstance(metrics, Mapping) else [("", metric) for metric in metrics]
        for name, metric in named:
            if not isinstance(metric, SummedStates) or "preds" not in _parameters(metric):
                got = f"{name}={metric!r}" if name else repr(metric)
                raise TypeError(f"metrics must be segiou's, updated with preds and target, got {got}")
        measures = cls(counts, named).fresh(counts.device)
        measures.names()
        return measures

    def fresh(self, device: torch.device) -> "Measures":
        """The same measures without counts, on a device."""
        clones = [(name, metric.clone().to(device)) for name, metric in self.metrics]
        for _, metric in clones:
            metric.reset()
        return Measures(self.counts.clone().to(device), clones)

    @property
    def needed(self) -> dict[str, bool]:
        """What updates take beside preds and target, and whether they must have it."""
        found: dict[str, bool] = {}
        for _, metric in self.metrics:
            for name, parameter in _parameters(metric).items():
                if name not in ("preds", "target"):
                    found[name] = found.get(name, False) or parameter.default is parameter.empty
        return found

    def update(self, preds: Any, target: Any, more: Mapping[str, Any]) -> None:
        """Count one batch; ``more`` holds what is ``needed``."""
        self.batches += 1
        self.counts.update(preds, target)
        for _, metric in self.metrics:
            if not self._shares_counts(metric):
                taken = {name: more[name] for name in _parameters(metric) if name in more}
                metric.update(preds, target, **taken)

    def skip(self, skipped: Skipped) -> None:
        """Leave one batch out, and remember why: rather of a batch that did not mean to be skipped."""
        if self.skipped is None or (self.skipped.meant and not skipped.meant):
            self.skipped = skipped

    def own_values(self) -> dict[str, Tensor]:
        """MIoU and Dice."""
        areas = self.counts.areas(self.counts.confmat)
        return {score.key: score(areas, self.counts.averaging) for score in OWN}

    def other_values(self) -> dict[str, Tensor]:
        """The values of the metrics, each a scalar, by the names in the log; not again what the monitor logs itself."""
        return dict(item for name, metric in self.metrics for item in self._values(name, metric).items())

    def alike(self, kind: type[OneKind]) -> list[OneKind]:
        """The metrics of one kind that score by the same rules as the counts."""
        return [metric for _, metric in self.metrics if isinstance(metric, kind) and self._scores_the_same(metric)]

    def _values(self, name: str, metric: SummedStates) -> dict[str, Tensor]:
        if self._shares_counts(metric):
            assert isinstance(metric, ConfusionMatrixMetric)
            value = metric.value_of(self.counts.confmat)
        else:
            value = metric.compute()
        values = scalars(value, name or metric.key, scored_names(metric), named=bool(name))
        same = not name and self._scores_the_same(metric)
        return {key: value for key, value in values.items() if not (same and key in {score.key for score in OWN})}

    def _shares_counts(self, metric: SummedStates) -> bool:
        plain = isinstance(metric, ConfusionMatrixMetric) and type(metric).counted is ConfusionMatrixMetric.counted
        return plain and metric._defaults.keys() == self.counts._defaults.keys()

    def _scores_the_same(self, metric: SummedStates) -> bool:
        """Whether values under the names of our own are our own."""
        inner = metric.metric if isinstance(metric, PerImageMetric) else metric
        return (
            isinstance(inner, ConfusionMatrixMetric)
            and inner.rules == self.counts.rules
            and _macro(inner.averaging) == _macro(self.counts.averaging)
            and inner.classes.groups == self.counts.classes.groups
        )

    def names(self) -> set[str]:
        """The names that values are logged under, those of classes too. Raises ValueError where two are the same."""
        probe = self.fresh(self.counts.device)
        seen = {score.key for score in OWN}
        names = self.counts.classes.scored
        published = {key for column in ("IoU", "Dice") for key in per_class(column, names, [0.0] * len(names))}
        for name, metric in probe.metrics:
            metric._to_sync = False
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # nothing was counted yet
                keys = probe._values(name, metric)
            taken = seen if self._scores_the_same(metric) else seen | published
            again = sorted(taken & keys.keys())
            if again:
                raise ValueError(
                    f"{again[0]!r} would be logged twice, the second time by {metric!r}: name the metrics, "
                    "metrics={'name': metric}"
                )
            seen |= keys.keys()
        _require_no_folder(seen | published)
        return seen | published


def _require_no_folder(keys: set[str]) -> None:
    """Raise where a key is the beginning of another's path: some loggers make a folder of it, and a file of the key."""
    for key in sorted(keys):
        parts = key.split("/")
        for end in range(1, len(parts)):
            if "/".join(parts[:end]) in keys:
                raise ValueError(
                    f"{key!r} would be logged below {'/'.join(parts[:end])!r}, which is a score itself, and not every "
                    "logger can hold both: name the metrics otherwise, metrics={'name': metric}"
                )


@contextmanager
def synced(measures: Sequence[Measures]) -> Iterator[None]:
    """Inside, the states are those of all processes: one all-reduce for everything."""
    with synced_together([metric for each in measures for metric in (each.counts, *(m for _, m in each.metrics))]):
        yield


def require_data(keys: str, stage: Stage, measures: Measures, trainer: Any) -> None:
    """Raise where an epoch has bad data, or none because of what the steps returned; every process must call.

    Args:
        keys: what has no value where nothing was counted.
        stage: the stage.
        measures: synced.
        trainer: in its sanity check, batches that were meant to be skipped are no fault.

    Raises:
        ValueError: labels or scores that do not fit, or batches of which none gave predictions; on every process alike.
    """
    measures.counts.check(measures.counts.errors)
    if measures.counts.confmat.any():
        return
    skipped = measures.skipped
    at_fault = skipped is not None and not (skipped.meant and trainer.sanity_checking)
    counted = trainer.strategy.reduce_boolean_decision(measures.batches > 0, all=False)
    at_fault = trainer.strategy.reduce_boolean_decision(at_fault, all=False)
    if at_fault and not counted:
        why, remedy = skipped[:2] if skipped else (f"{STEPS[stage]} gave no predictions", "see the other processes")
        raise ValueError(f"{keys} have no value, since no batch gave predictions and target: {why}: {remedy}") from (
            skipped.error if skipped else None
        )
    if not trainer.sanity_checking:
        rank_zero_warn(f"nothing was counted for {keys}: there were no batches, or no pixels", UserWarning)


def _parameters(metric: SummedStates) -> dict[str, inspect.Parameter]:
    """What ``update`` takes, by name."""
    without = {"self"} if getattr(metric, "takes_ids", True) else {"self", "ids"}
    parameters = inspect.signature(type(metric).update).parameters
    return {name: parameter for name, parameter in parameters.items() if name not in without}


def _macro(averaging: Averaging) -> Averaging:
    """With the average of mIoU and Dice by name, where it was left out."""
    return replace(averaging, average=averaging.average or "macro")
