"""The compiled CPU kernels on large maps, in threads and processes; test_count.py holds them to the naive loop."""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import numba
import pytest
import torch

from segiou.counting import bands, cpu, eager
from segiou.counting.cpu import bands as compiled_bands
from segiou.counting.cpu import threads
from segiou.counting.cpu.native import team
from tests.helpers.strategies import FLOATS, INTEGERS

ROOT = Path(__file__).parents[2]


def assert_same(found, expected) -> None:
    assert torch.equal(found.counts, expected.counts)
    assert torch.equal(found.errors, expected.errors)


LAYOUTS = {
    "planar": lambda x: x,
    "channels last": lambda x: x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x,
    "cropped": lambda x: x[..., 3:-4, 5:-1],
    "transposed": lambda x: x.mT,
    "every second": lambda x: x[..., ::2],
    "expanded": lambda x: x[:1].expand(x.shape),
}


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("classes", [2, 19, 60, 150])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_large_score_maps(classes, dtype, layout):
    preds = torch.randint(-9, 9, (3, classes, 66, 203)).to(dtype)
    preds[0, 1, 20:22, 7:70] = float("nan")
    target = torch.randint(0, classes + 2, (3, 66, 203))
    preds, target = LAYOUTS[layout](preds), LAYOUTS[layout](target)
    for each in (False, True):
        assert_same(
            cpu.scores(preds, target, classes, (classes,), each), eager.scores(preds, target, classes, (classes,), each)
        )


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("classes", [1, 19, 100, 1000])
@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_large_label_maps(classes, dtype):
    top = min(classes, torch.iinfo(dtype).max)
    preds, target = torch.randint(0, top, (2, 300, 301)), torch.randint(0, top + 1, (2, 300, 301))
    coherent = target.repeat_interleave(9, -1)[..., :301]
    for layout in ("planar", "transposed", "cropped"):
        p, t = LAYOUTS[layout](preds.to(dtype)), LAYOUTS[layout](coherent.to(dtype))
        for each in (False, True):
            assert_same(cpu.labels(p, t, classes, (top,), each), eager.labels(p, t, classes, (top,), each))
        assert_same(cpu.labels(p, t.long(), classes, (), False), eager.labels(p, t.long(), classes, (), False))


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("layout", ["planar", "transposed", "every second"])
def test_large_binary_maps(dtype, layout):
    preds = (torch.rand(3, 250, 301) * 1.2 - 0.1).to(dtype)
    preds[0, 0, :9] = float("nan")
    target = torch.randint(0, 3, (3, 250, 301), dtype=torch.uint8)
    preds, target = LAYOUTS[layout](preds), LAYOUTS[layout](target)
    for each in (False, True):
        assert_same(
            cpu.binary(preds, target, 0.5, True, (2,), each), eager.binary(preds, target, 0.5, True, (2,), each)
        )


def test_more_classes_than_16_bits_hold_are_counted_with_torch_operations(monkeypatch):
    monkeypatch.setattr(cpu, "MOST_CLASSES", 5)
    labels, preds = torch.randint(0, 9, (2, 30)), torch.randn(2, 9, 30)
    assert_same(cpu.labels(labels, labels, 9, (), False), eager.labels(labels, labels, 9, (), False))
    assert_same(cpu.scores(preds, labels, 9, (), True), eager.scores(preds, labels, 9, (), True))


def test_more_axes_than_the_kernels_have_loops():
    preds, target = torch.randint(0, 3, (2, 6, 4, 6, 4, 6)), torch.randint(0, 3, (2, 6, 4, 6, 4, 6))
    cut = (slice(None), *[slice(None, None, 2)] * 5)
    assert_same(
        cpu.labels(preds[cut], target[cut], 3, (1,), True), eager.labels(preds[cut], target[cut], 3, (1,), True)
    )


@pytest.mark.parametrize(("dtype", "bits"), [(torch.float16, 0x7C00), (torch.bfloat16, 0x7F80)])
def test_every_nan_of_16_bits_is_found_at_every_place(dtype, bits):
    for pattern in (bits + 1, 0x7FFF, bits + 1 - 0x8000, -1):  # quiet and signalling, of either sign
        nan = torch.tensor(pattern, dtype=torch.int16).view(dtype)
        assert nan.isnan()
        preds = torch.full((1, 9, 90), float("inf"), dtype=dtype)
        preds[0, torch.arange(90) % 9, torch.arange(90)] = nan
        found = cpu.scores(preds, torch.zeros(1, 90, dtype=torch.int64), 9, (), False)
        assert found.counts[0].tolist() == [*[10] * 9, 0]
        assert found.errors.tolist() == [0, 0, 90, 0]


def sample() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return torch.randn(2, 19, 128, 128, generator=rng), torch.randint(0, 19, (2, 128, 128), generator=rng)


def is_equal(expected: torch.Tensor) -> bool:
    torch.set_num_threads(2)
    preds, target = sample()
    return torch.equal(cpu.scores(preds, target, 19, (), False).counts, expected)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # Python 3.12 on any fork beside threads
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_count_too(method):
    preds, target = sample()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    expected = cpu.scores(preds, target, 19, (), False).counts  # the parent's threads are there when it forks
    torch.set_num_threads(before)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(is_equal, [expected] * 4).get(timeout=120) == [True] * 4


@pytest.fixture(params=[True, False], ids=["OpenMP", "Python"])
def openmp(request, monkeypatch):
    """Whether the three threads are those of torch's OpenMP; for work of any size."""
    if not request.param:
        monkeypatch.setattr(threads, "_openmp", lambda: 0)
    elif not threads._openmp():
        pytest.skip("torch's OpenMP is not to be had here")
    monkeypatch.setattr(threads, "_pools", {})
    monkeypatch.setattr(cpu, "ONE_THREAD", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield request.param
    torch.set_num_threads(before)


def above(kernel, preds, target):
    each = target.repeat_interleave(19, 0) // 10
    return kernel.above(preds.flatten(0, 1).sigmoid(), each, torch.linspace(0, 1, 9), True, ())


def upsampled(preds, target):
    wide = target.repeat_interleave(2, 1).repeat_interleave(2, 2)
    full = torch.nn.functional.interpolate(preds, wide.shape[1:], mode="bilinear")
    return cpu.upsampled_scores(preds, wide, 19, (), False, "bilinear", False), eager.scores(full, wide, 19, (), False)


def marked(room, target):
    return room.mark("labels", target // 10, 0.0, bands.Marking(2, (), 2, True), 1)


def test_threads_of_torch_and_of_python_count_alike(openmp):
    preds, target = sample()
    assert_same(cpu.scores(preds, target, 19, (), False), eager.scores(preds, target, 19, (), False))
    assert_same(above(cpu, preds, target), above(eager, preds, target))
    assert_same(*upsampled(preds, target))
    assert marked(compiled_bands, target).tolist() == marked(bands, target).tolist()
    assert bool(threads._pools) is not openmp


@numba.njit(nogil=True)
def refuse(launch, threads, job):
    if launch:
        team(launch, threads, job)
        return
    raise ValueError("a thread refuses")


def test_what_fails_on_a_thread_is_not_lost(openmp):
    message = "a thread could not finish its part" if openmp else "a thread refuses"
    with pytest.raises(RuntimeError if openmp else ValueError, match=message):
        threads.together(3, refuse, (1,))


FORKED = """
import os, signal, sys, torch
import segiou
torch.set_num_threads(2)
scores, target = torch.zeros(1, 19, 128, 128), torch.zeros(1, 128, 128, dtype=torch.uint8)
scores.exp()  # on two threads
if {parent_counts}:
    from segiou.counting import cpu
    cpu.scores(scores, target, 19, (), False)
assert ("numba" in sys.modules) is {parent_counts}
child = os.fork()
if child:
    sys.exit(0 if os.waitpid(child, 0)[1] == 0 else 1)
signal.alarm(150)
from segiou.counting import cpu
found = cpu.scores(scores, target, 19, (), False)
os._exit(0 if int(found.counts[0, 0]) == 128**2 else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("parent_counts", [True, False])
def test_a_forked_child_does_not_wait_for_the_threads_of_its_parent(parent_counts):
    code = FORKED.format(parent_counts=parent_counts)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200, cwd=ROOT)


def test_python_threads_count_beside_each_other():
    preds, target = sample()
    expected = cpu.scores(preds, target, 19, (), False).counts
    found: list[bool] = []

    def run() -> None:
        found.extend(torch.equal(cpu.scores(preds, target, 19, (), False).counts, expected) for _ in range(20))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [True] * 80


@pytest.mark.skipif("NUMBA_BOUNDSCHECK" in os.environ, reason="this is the run with the checks")
def test_no_index_is_out_of_bounds(tmp_path):
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-x",
        "-p",
        "no:cacheprovider",
        "tests/counting/test_count.py",
        "-k",
        "cpu",
    ]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=400, cwd=ROOT)
    assert done.returncode == 0, done.stdout[-4000:]
    assert list(tmp_path.rglob("*.nbi")), "the checked kernels are not those of the cache"


CODE = """
{setup}
import torch
from segiou.counting import cpu
zeros = torch.zeros(1, 3, dtype=torch.int64)
print(cpu.labels(zeros, zeros, 2, (), False).counts.tolist())
"""
NOWHERE = """
import numba.core.caching as caching
for locator in caching.CacheImpl._locator_classes:
    locator.from_function = classmethod(lambda cls, *args: None)
"""


def run_code(setup: str, **environment: str) -> str:
    command = [sys.executable, "-W", "error", "-c", CODE.format(setup=setup)]
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, timeout=200, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_without_a_folder_to_write_to_nothing_is_kept_and_all_is_counted():
    assert run_code(NOWHERE) == "[[3, 0, 0], [0, 0, 0], [0, 0, 0]]"


def test_what_is_compiled_is_kept_by_the_sources_of_every_kernel(tmp_path):
    run_code("", NUMBA_CACHE_DIR=str(tmp_path))
    (folder,) = tmp_path.iterdir()
    assert folder.name.startswith("numba-")
    assert list(folder.rglob("*.nbi"))
