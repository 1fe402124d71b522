"""Metrics that are synchronized for a while: several by one all-reduce, or one as ``compute`` would."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from segiou.metrics.all_reduce import all_reduced
from segiou.metrics.state import SummedStates


@contextmanager
def synced_as_computed(metric: SummedStates) -> Generator[None, None, None]:
    """Inside, the metric is synchronized where ``compute`` would synchronize it; after it, it is as it was."""
    synced = metric._is_synced
    with metric.sync_context(
        dist_sync_fn=metric.dist_sync_fn, should_sync=metric._to_sync and not synced, should_unsync=not synced
    ):
        yield


@contextmanager
def synced_together(metrics: Sequence[SummedStates]) -> Generator[None, None, None]:
    """Inside, the metrics are synced, by one all-reduce for each process group; after it they are local again.

    One that has a ``dist_sync_fn`` of its own, or is not to be synced, goes its own way in ``compute``.
    """
    groups: dict[Any, list[SummedStates]] = {}
    for metric in metrics:
        available = metric.distributed_available_fn
        if metric._to_sync and not metric._is_synced and metric.dist_sync_fn is None and available and available():
            groups.setdefault(metric.process_group, []).append(metric)
    waiting = [metric for members in groups.values() for metric in members]
    try:
        for group, members in groups.items():
            for metric in members:
                metric._cache, metric._is_synced = metric._copy_state_dict(), True
                metric._to_sync = metric._should_unsync = False
            _sum_together(members, group)
            for metric in members:
                metric._gather_rows(group)
        yield
    finally:
        for metric in waiting:
            if metric._is_synced:
                metric.unsync()
            metric._to_sync = metric.sync_on_compute
            metric._should_unsync = True


def _sum_together(metrics: Sequence[SummedStates], group: Any) -> None:
    """Sum the states of all metrics over the processes of a group; their rows stay local."""
    states = [(metric, name, state) for metric in metrics for name, state in metric._sums().items()]
    sums = all_reduced([state for _, _, state in states], group)
    for (metric, name, _), total in zip(states, sums, strict=True):
        setattr(metric, name, total)
