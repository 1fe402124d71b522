"""The timing loop: contenders that agree take turns."""

import os
import statistics
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

COLUMNS = ("torchmetrics checked", "torchmetrics", "OpenCV", "torch", "segiou eager", "segiou", "read once")
CHECKED, THEIRS, OPENCV, TORCH, EAGER, OWN, LIMIT = COLUMNS
CPU, SMALL, FIRST, SYNC, GPU = "CPU", "Small batches, CPU", "First update of a process", "Sync over gloo", "GPU"
SWEPT = 1 << 25  # float32 numbers, 128 MB: more than most caches hold


@dataclass
class Contender:
    """What is timed, what it counts (the contenders of a row must agree), and ``SEGIOU_KERNEL``."""

    run: Callable[[], object]
    counts: Callable[[], Tensor] | None = None
    kernel: str = "auto"


Row = dict[str, Contender]


@dataclass(frozen=True)
class Case:
    """One row: ``build`` makes the data and the contenders."""

    name: str
    build: Callable[[], Row]
    threads: int = 1
    quick: bool = False
    memory: bool = False
    section: str = CPU
    calls: int = 1  # of each contender in a round


@dataclass
class Result:
    """What was measured in one row, for each contender; or why nothing was."""

    section: str
    name: str
    threads: int
    median_ms: dict[str, float] = field(default_factory=dict)
    minimum_ms: dict[str, float] = field(default_factory=dict)
    calls: int = 0
    ratios: dict[str, float] = field(default_factory=dict)  # others / segiou, and segiou / read once
    extra: dict[str, dict[str, float]] = field(default_factory=dict)
    error: str = ""

    def add(self, taken: dict[str, list[float]]) -> None:
        self.median_ms = {name: statistics.median(times) for name, times in taken.items()}
        self.minimum_ms = {name: min(times) for name, times in taken.items()}
        self.calls = min(map(len, taken.values()))
        own = self.median_ms[OWN if OWN in taken else EAGER]
        self.ratios = {name: self.median_ms[name] / own for name in (CHECKED, THEIRS, OPENCV, TORCH) if name in taken}
        if LIMIT in taken:
            self.ratios[LIMIT] = own / self.median_ms[LIMIT]


def measure(case: Case, rounds: int, seconds: float) -> Result:
    """One row: build it, hold the contenders' counts to each other, and time them."""
    result = Result(case.section, case.name, case.threads)
    torch.manual_seed(0)
    torch.set_num_threads(case.threads)
    row = case.build()
    check(row)
    result.add(take_turns(row, case, rounds, seconds))
    if case.section == GPU:
        result.extra["Waits for the GPU"] = {
            name: waits(contender, name not in (EAGER, OWN)) for name, contender in row.items() if contender.counts
        }
    return result


def check(row: Row) -> None:
    """Count once with every contender, which warms them up too; all must agree."""
    counts = {}
    for name, contender in row.items():
        os.environ["SEGIOU_KERNEL"] = contender.kernel
        if contender.counts:
            counts[name] = contender.counts().cpu().double()
    (first, expected), *others = counts.items()
    for name, found in others:
        if found.shape != expected.shape or not torch.allclose(found, expected, rtol=1e-5, atol=0):
            raise AssertionError(f"{name} counts otherwise than {first}")


def take_turns(row: Row, case: Case, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of every call, all contenders in every round; no more rounds after ``seconds``."""
    taken: dict[str, list[float]] = {name: [] for name in row}
    clock, end = gpu_ms if case.section == GPU else cpu_ms, time.perf_counter() + seconds
    swept = torch.zeros(SWEPT, device="cuda" if case.section == GPU else "cpu")
    for number in range(rounds):
        if number >= 3 and time.perf_counter() > end:
            break
        for name, contender in row.items():
            os.environ["SEGIOU_KERNEL"] = contender.kernel
            swept.add_(1)
            taken[name] += [clock(contender.run) for _ in range(case.calls)]
    return taken


def cpu_ms(run: Callable[[], object]) -> float:
    begin = time.perf_counter()
    run()
    return 1e3 * (time.perf_counter() - begin)


def gpu_ms(run: Callable[[], object]) -> float:
    begin, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    torch.cuda.synchronize()
    begin.record()
    run()
    end.record()
    torch.cuda.synchronize()
    return begin.elapsed_time(end)


def waits(contender: Contender, allowed: bool) -> int:
    """How often a call waits for the GPU; where it must not, torch raises."""
    torch.cuda.set_sync_debug_mode("warn" if allowed else "error")
    try:
        with warnings.catch_warnings(record=True) as seen:
            warnings.simplefilter("always")
            contender.run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(warning.message) for warning in seen)
