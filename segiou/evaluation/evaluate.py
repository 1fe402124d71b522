"""Files of masks to scores: decoded and counted in threads, shared out among processes."""

import signal
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from segiou.evaluation.mask_files import read_mask
from segiou.evaluation.mask_values import count_bytes, count_classes, require_same_size
from segiou.evaluation.masks import MaskError
from segiou.evaluation.pairing import Item, Pairing
from segiou.evaluation.placement import in_one_place
from segiou.evaluation.processes import gathered, place
from segiou.evaluation.tally import Counts, Result, Scoring, Tally
from segiou.metrics.intervals import Comparison
from segiou.metrics.synced_metrics import synced_together

AHEAD = 4  # items that wait for each thread
LARGE = 2**25 - 2**16  # bytes, just below what glibc takes a mapping of its own for in any case


class Outcome(NamedTuple):
    """What came of all files.

    ``results``: of each model. ``differences``: of two models, by score of classes, and ``group_differences``, of
    groups. ``failures``: names of what could not be scored and why, sorted. ``stopped``: the number of the signal
    that ended it early, or 0.
    """

    results: list[Result]
    differences: dict[str, Comparison]
    group_differences: dict[str, Comparison]
    failures: list[tuple[str, str]]
    stopped: int

    @property
    def partial(self) -> bool:
        """Whether it was ended early."""
        return bool(self.stopped)


class Counter:
    """Reads the masks of an item and counts them; many threads may call it."""

    def __init__(self, scoring: Scoring) -> None:
        self.scoring = scoring
        self.boundary = [metric for metric in scoring.boundary_metrics() if metric is not None]

    def __call__(self, item: Item) -> Counts:
        """The counts of one item. Raises MaskError."""
        of_pred, of_label, most = self.scoring.of_pred, self.scoring.of_label, self.scoring.max_pixels
        label = of_label.labels_of(read_mask(item.label, most))
        pixels, boundary = [], []
        for path in item.preds:
            pred = in_one_place(of_pred.labels_of(read_mask(path, most)), label)
            require_same_size(pred, label)
            counts = count_bytes(pred, label, of_pred, of_label)
            if counts is None or self.boundary:
                target, preds = of_label.classes(label), of_pred.classes(pred)
                counts = count_classes(preds, target, of_label.num_classes)
                boundary.append([metric.counted(preds[None], target[None]).counts for metric in self.boundary])
            pixels.append(counts)
        views = tuple(map(torch.stack, zip(*boundary, strict=True))) if self.boundary else None
        return Counts(torch.stack(pixels), views)


def evaluate(
    pairing: Pairing,
    scoring: Scoring,
    *,
    workers: int,
    strict: bool = False,
    watch: Callable[[Tensor], None] = lambda counts: None,
) -> Outcome:
    """Score all items, every process its share, and give all of them the whole.

    Ctrl-C and SIGTERM end it early, with what was scored by then.

    Args:
        pairing: the same in every process.
        scoring: likewise.
        workers: threads that decode and count.
        strict: whether to stop at the first item that cannot be scored.
        watch: called after each item of this process, with the counts of the first model so far.

    Raises:
        MaskError: with ``strict``, the first one.
    """
    keep_freed_memory()
    rank, world = place()
    tally, failures, stopped = Tally(scoring, len(pairing.items[0].preds)), [], 0
    with interrupts() as seen, one_thread_each():
        for item, found in in_threads(Counter(scoring), pairing.items[rank::world], workers):
            if not isinstance(found, MaskError):
                tally.add(item.name, found)
            elif strict:
                raise found
            else:
                failures.append((item.name, str(found)))
            watch(tally.total)
            if seen:
                stopped = seen[0]
                break
        tally.flush()
        told = gathered((failures, stopped))
        with synced_together(tally.metrics):
            results = tally.results()
            differences = tally.differences() if results[0].images.ids else []
            of_classes, of_groups = [*differences, {}, {}][:2]
    named = sorted([*pairing.unpaired, *(failure for failed, _ in told for failure in failed)])
    return Outcome(results, of_classes, of_groups, named, max(number for _, number in told))


def in_threads(
    count: Callable[[Item], Counts], items: Sequence[Item], workers: int
) -> Iterator[tuple[Item, Counts | MaskError]]:
    """The counts of each item, or why there are none, in order; only a few items are ahead of the one that is next."""
    left = iter(items)
    with ThreadPoolExecutor(workers, thread_name_prefix="segiou-masks") as pool:
        ahead: deque[tuple[Item, Future[Counts]]] = deque()
        try:
            while True:
                for item in islice(left, AHEAD * workers - len(ahead)):
                    ahead.append((item, pool.submit(count, item)))
                if not ahead:
                    return
                item, future = ahead.popleft()
                try:
                    yield item, future.result()
                except MaskError as error:
                    yield item, error
        finally:
            pool.shutdown(cancel_futures=True)


def keep_freed_memory() -> None:
    """Let glibc keep the memory of a mask for the next one, which it would else give back and fetch page by page.

    It keeps blocks up to the size of the largest that was freed, 32 MB at most. This one is never touched.
    """
    np.empty(LARGE, np.uint8)


@contextmanager
def interrupts() -> Iterator[list[int]]:
    """Inside, Ctrl-C and SIGTERM, which schedulers send, are put down in a list and end nothing; the third does."""
    seen: list[int] = []

    def heard(number: int, frame: Any) -> None:
        seen.append(number)
        if len(seen) > 2:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    if threading.current_thread() is not threading.main_thread():
        yield seen
        return
    before = {number: signal.signal(number, heard) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield seen
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def one_thread_each() -> Iterator[None]:
    """Inside, torch counts each image with one thread: there are as many images at a time as threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
