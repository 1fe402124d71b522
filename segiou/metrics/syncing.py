"""Several metrics, synced by one all-reduce."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from segiou.metrics.state import SummedStates, all_reduce_together


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
            all_reduce_together(members, group)
            for metric in members:
                metric._gather_rows(group)
        yield
    finally:
        for metric in waiting:
            if metric._is_synced:
                metric.unsync()
            metric._to_sync = metric.sync_on_compute
            metric._should_unsync = True
