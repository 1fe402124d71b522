"""One metric that several threads update: no count is lost."""

import multiprocessing
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy

import pytest
import torch

from segiou import ConfidenceInterval, Imagewise, MeanIoU, SegmentationMetrics, ThresholdSweep

UPDATES, THREADS = 150, 4
LABELS = torch.randint(0, 5, (2, 8, 8), generator=torch.Generator().manual_seed(0))
METRICS = {
    "labels": (lambda: MeanIoU(5), (LABELS, LABELS)),
    "all scores": (lambda: SegmentationMetrics(5), (LABELS, LABELS)),
    "per image": (lambda: Imagewise(MeanIoU(5)), (LABELS, LABELS)),
    "rows": (lambda: Imagewise(MeanIoU(5), keep_images=True), (LABELS, LABELS)),
    "bootstrap": (lambda: ConfidenceInterval(MeanIoU(5), replicates=100), (LABELS, LABELS)),
    "sweep": (lambda: ThresholdSweep(), (LABELS / 5, LABELS > 2)),
}


def counted(metric):
    """How many pixels, images or errors the states account for."""
    totals = []
    for name in sorted(metric._defaults):
        state = getattr(metric, name)
        totals.append(int(state.sum()) if isinstance(state, torch.Tensor) else sum(int(row.sum()) for row in state))
    return totals


def from_threads(function):
    with ThreadPoolExecutor(THREADS) as pool:
        start = threading.Barrier(THREADS)
        jobs = [pool.submit(lambda: (start.wait(), [function() for _ in range(UPDATES)])) for _ in range(THREADS)]
        for job in jobs:
            job.result()


@pytest.mark.parametrize("name", METRICS)
def test_no_batch_is_lost(name):
    make, batch = METRICS[name]
    alone, shared = make(), make()
    from_threads(lambda: shared.update(*batch))
    if name == "bootstrap":  # images without ids are known by their place, and draw by it
        assert shared.images.tolist() == [2 * UPDATES * THREADS] * 2
        return
    for _ in range(UPDATES * THREADS):
        alone.update(*batch)
    assert counted(shared) == counted(alone)
    assert shared.update_count == UPDATES * THREADS


def test_neither_is_one_of_forward_nor_beside_updates_that_fail():
    shared, wrong = MeanIoU(5), LABELS.clone().fill_(9)
    values = []

    def mixed():
        values.append(float(shared(LABELS, LABELS)))
        shared.update(LABELS, LABELS)
        with pytest.raises(ValueError, match="got 9"):
            shared.update(LABELS, wrong)

    from_threads(mixed)
    assert set(values) == {1.0}
    assert int(shared.confmat.sum()) == 2 * UPDATES * THREADS * LABELS.numel()
    assert shared.update_count == 2 * UPDATES * THREADS


def test_an_update_that_fails_keeps_the_cached_value():
    metric = MeanIoU(5)
    metric.update(LABELS, LABELS)
    value = metric.compute()
    with pytest.raises(ValueError, match="got 9"):
        metric.update(LABELS, LABELS.clone().fill_(9))
    assert metric._computed is value
    metric.update(LABELS, LABELS)
    assert metric._computed is None


def child(metric, queue):
    metric.update(LABELS, LABELS)
    queue.put(int(metric.confmat.sum()))


@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_metric_can_be_copied_pickled_and_sent_to_a_process(method):
    metric = MeanIoU(5)
    metric.update(LABELS, LABELS)
    for copied in (deepcopy(metric), pickle.loads(pickle.dumps(metric)), metric.clone()):
        copied.update(LABELS, LABELS)
        assert int(copied.confmat.sum()) == 2 * LABELS.numel()
    if method == "fork" and "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no fork here")
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=child, args=(metric, queue))
    process.start()
    assert queue.get(timeout=60) == 2 * LABELS.numel()
    process.join()
    assert process.exitcode == 0


def test_a_child_that_is_forked_while_a_thread_adds_does_not_wait_for_it():
    """The thread that holds the lock is not there in the child."""
    from segiou.metrics import state

    if "fork" not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no fork here")
    context = multiprocessing.get_context("fork")
    queue, held, done = context.Queue(), threading.Event(), threading.Event()

    def hold():
        with state._adding:
            held.set()
            done.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    try:
        process = context.Process(target=child, args=(MeanIoU(5), queue))
        process.start()
        assert queue.get(timeout=60) == LABELS.numel()
        process.join()
    finally:
        done.set()
        thread.join()
