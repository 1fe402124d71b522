"""What is measured in processes of its own: memory, first updates, and the sum over processes."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
import torchmetrics.classification as theirs
from torchmetrics import Metric

from benchmarking.rows import cases, own_kernels, score_maps
from benchmarking.timing import FIRST, LIMIT, OWN, SYNC, THEIRS, Result, cpu_ms
from segiou import MeanIoU

Times = dict[str, list[float]]


def in_processes(number: int, function: Callable[..., Any], *args: Any, **environment: str) -> list[Any]:
    """``function(*args, rank)`` in that many fresh processes at once."""
    context = multiprocessing.get_context("spawn")
    with mock.patch.dict(os.environ, environment), ProcessPoolExecutor(number, mp_context=context) as pool:
        return list(pool.map(partial(function, *args), range(number)))


def extra_memory(name: str) -> dict[str, float]:
    """Peak MB of each contender's call beside what its process holds before; nothing where Linux does not tell."""
    if not Path("/proc/self/clear_refs").exists():
        return {}
    # a malloc that gives everything large back at once, so that nothing is hidden in what was taken before
    (found,) = in_processes(1, _extra_memory, name, MALLOC_MMAP_THRESHOLD_="65536")
    return found


def _extra_memory(name: str, _rank: int) -> dict[str, float]:
    torch.set_num_threads(1)
    row, found = next(case for case in cases(1) if case.name == name).build(), {}
    for key, contender in row.items():
        if key == LIMIT:
            continue
        os.environ["SEGIOU_KERNEL"] = contender.kernel
        contender.run()  # what is loaded or compiled once does not count
        before = _resident_kb("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
        contender.run()
        found[key] = max(0, _resident_kb("VmHWM") - before) / 1024
    return found


def _resident_kb(name: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name))


def first_updates(repeats: int) -> Iterator[Result]:
    """The first update of a fresh process, with all that is loaded for it."""
    taken: Times = {}
    for _ in range(repeats):
        for key, kernel in ({THEIRS: "auto"} | own_kernels(torch.device("cpu"))).items():
            (ms,) = in_processes(1, _first_update, key, kernel)
            taken.setdefault(key, []).append(ms)
    result = Result(FIRST, "first update", torch.get_num_threads())
    result.add(taken)
    yield result


def _first_update(name: str, kernel: str, _rank: int) -> float:
    maps = score_maps(1, 19, 512, 512)
    os.environ["SEGIOU_KERNEL"] = kernel
    options = {"num_classes": 19, "ignore_index": 255}
    metric = theirs.MulticlassJaccardIndex(**options, validate_args=False) if name == THEIRS else MeanIoU(**options)
    return cpu_ms(lambda: metric.update(*maps))


def syncs(worlds: list[int], numbers: list[int], rounds: int) -> Iterator[Result]:
    """Milliseconds until the slowest process has the sum, and bytes sent, for each number of processes and classes."""
    names = [f"sync C={classes}, {size} processes" for size in worlds for classes in numbers]
    with tempfile.TemporaryDirectory() as folder:
        url = (Path(folder) / "rendezvous").as_uri()
        rows, *_ = in_processes(max(worlds), _sync_rank, url, worlds, numbers, rounds)
    for name, (taken, sent) in zip(names, rows, strict=True):
        result = Result(SYNC, name, 1, extra={"Bytes sent by each process": sent})
        result.add(taken)
        yield result


def _sync_rank(
    url: str, worlds: list[int], numbers: list[int], rounds: int, rank: int
) -> list[tuple[Times, dict[str, float]]]:
    """The rows that this process takes part in; during the others it waits."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=url, rank=rank, world_size=max(worlds))
    found = []
    for size in worlds:
        group = dist.new_group(list(range(size)))
        for classes in numbers:
            if rank < size:
                found.append(_sync_row(group, size, classes, rounds))
            dist.barrier()
    dist.destroy_process_group()
    return found


def _sync_row(group: Any, size: int, classes: int, rounds: int) -> tuple[Times, dict[str, float]]:
    jaccard = theirs.MulticlassJaccardIndex(classes, validate_args=False, process_group=group)
    metrics: dict[str, Metric] = {THEIRS: jaccard, OWN: MeanIoU(classes, process_group=group)}
    preds, target = torch.randint(classes, (2, 1, 512, 512))
    sent, counts = {}, []
    for name, metric in metrics.items():
        metric.update(preds, target)
        sent[name] = _bytes_sent(metric.sync, size)
        counts.append(metric.confmat[:classes, :classes].clone())
        metric.unsync()
    if not torch.equal(*counts):
        raise AssertionError(f"sync of {classes} classes: the counts differ")
    taken: Times = {name: [] for name in metrics}
    for _ in range(rounds):
        for name, metric in metrics.items():
            dist.barrier(group)
            slowest = torch.tensor(cpu_ms(metric.sync))
            metric.unsync()
            dist.all_reduce(slowest, dist.ReduceOp.MAX, group)
            taken[name].append(slowest.item())
    return taken, sent


def _bytes_sent(sync: Callable[[], object], size: int) -> float:
    """What each process of a ring sends for the collectives that ``sync`` calls."""
    with (
        mock.patch.object(dist, "all_reduce", wraps=dist.all_reduce) as reduces,
        mock.patch.object(dist, "all_gather", wraps=dist.all_gather) as gathers,
    ):
        sync()
    gathered = sum(call.args[1].nbytes for call in gathers.call_args_list)
    reduced = sum(call.args[0].nbytes for call in reduces.call_args_list)
    return (size - 1) * gathered + 2 * (size - 1) * reduced / size
