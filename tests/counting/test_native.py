"""The C kernels on large maps, in threads and processes; test_count.py holds them to the naive loop."""

import multiprocessing
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
import torch

pytest.importorskip("segiou.counting.native._native", reason="segiou was installed without a C compiler")
from segiou.counting import boundary_bands, eager, native, threads
from segiou.counting.native import boundary_bands as native_bands
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
            native.scores(preds, target, classes, (classes,), each),
            eager.scores(preds, target, classes, (classes,), each),
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
            assert_same(native.labels(p, t, classes, (top,), each), eager.labels(p, t, classes, (top,), each))
        assert_same(native.labels(p, t.long(), classes, (), False), eager.labels(p, t.long(), classes, (), False))


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
            native.binary(preds, target, 0.5, True, (2,), each), eager.binary(preds, target, 0.5, True, (2,), each)
        )


def test_more_classes_than_16_bits_hold_are_counted_with_torch_operations(monkeypatch):
    monkeypatch.setattr(native, "MOST_CLASSES", 5)
    labels, preds = torch.randint(0, 9, (2, 30)), torch.randn(2, 9, 30)
    assert_same(native.labels(labels, labels, 9, (), False), eager.labels(labels, labels, 9, (), False))
    assert_same(native.scores(preds, labels, 9, (), True), eager.scores(preds, labels, 9, (), True))


def test_more_axes_than_the_kernels_have_loops():
    preds, target = torch.randint(0, 3, (2, 6, 4, 6, 4, 6)), torch.randint(0, 3, (2, 6, 4, 6, 4, 6))
    cut = (slice(None), *[slice(None, None, 2)] * 5)
    assert_same(
        native.labels(preds[cut], target[cut], 3, (1,), True), eager.labels(preds[cut], target[cut], 3, (1,), True)
    )


@pytest.mark.parametrize(("dtype", "bits"), [(torch.float16, 0x7C00), (torch.bfloat16, 0x7F80)])
def test_every_nan_of_16_bits_is_found_at_every_place(dtype, bits):
    for pattern in (bits + 1, 0x7FFF, bits + 1 - 0x8000, -1):  # quiet and signalling, of either sign
        nan = torch.tensor(pattern, dtype=torch.int16).view(dtype)
        assert nan.isnan()
        preds = torch.full((1, 9, 90), float("inf"), dtype=dtype)
        preds[0, torch.arange(90) % 9, torch.arange(90)] = nan
        found = native.scores(preds, torch.zeros(1, 90, dtype=torch.int64), 9, (), False)
        assert found.counts[0].tolist() == [*[10] * 9, 0]
        assert found.errors.tolist() == [0, 0, 90, 0]


def sample() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(0)
    return torch.randn(2, 19, 128, 128, generator=rng), torch.randint(0, 19, (2, 128, 128), generator=rng)


def is_equal(expected: torch.Tensor) -> bool:
    torch.set_num_threads(2)
    preds, target = sample()
    return torch.equal(native.scores(preds, target, 19, (), False).counts, expected)


@pytest.mark.filterwarnings("ignore:.*use of fork.*:DeprecationWarning")  # Python 3.12 on any fork beside threads
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_count_too(method):
    preds, target = sample()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    expected = native.scores(preds, target, 19, (), False).counts  # the parent's threads are there when it forks
    torch.set_num_threads(before)
    with multiprocessing.get_context(method).Pool(2) as pool:
        assert pool.map_async(is_equal, [expected] * 4).get(timeout=120) == [True] * 4


@pytest.fixture
def three_threads(monkeypatch):
    """The threads are three of torch's OpenMP, for work of any size."""
    if not threads.openmp():
        pytest.skip("torch's OpenMP is not to be had here")
    monkeypatch.setattr(threads, "ALONE", 0)
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def above(kernel, preds, target):
    each = target.repeat_interleave(19, 0) // 10
    return kernel.above(preds.flatten(0, 1).sigmoid(), each, torch.linspace(0, 1, 9), True, ())


def marked(room, target):
    return room.mark("labels", target // 10, 0.0, boundary_bands.Marking(2, (), 2, True), 1)


@pytest.mark.parametrize("launched", [True, False], ids=["OpenMP", "alone"])
@pytest.mark.usefixtures("three_threads")
def test_threads_count_as_one_does(monkeypatch, launched):
    if not launched:
        monkeypatch.setattr(threads, "openmp", lambda: 0)
    preds, target = sample()
    wide = target.repeat_interleave(2, 1).repeat_interleave(2, 2)
    full = torch.nn.functional.interpolate(preds, wide.shape[1:], mode="bilinear")
    upsampled = native.upsampled_scores(preds, wide, 19, (), False, "bilinear", False)
    assert threads.team(10**9, 4)[0] == (3 if launched else 1)
    assert_same(native.scores(preds, target, 19, (), False), eager.scores(preds, target, 19, (), False))
    assert_same(above(native, preds, target), above(eager, preds, target))
    assert_same(upsampled, eager.scores(full, wide, 19, (), False))
    assert marked(native_bands, target).tolist() == marked(boundary_bands, target).tolist()


FORKED = """
import os, signal, sys, torch
import segiou
torch.set_num_threads(2)
scores, target = torch.zeros(1, 19, 128, 128), torch.zeros(1, 128, 128, dtype=torch.uint8)
scores.exp()  # on two threads
if {parent_counts}:
    from segiou.counting import native
    native.scores(scores, target, 19, (), False)
assert ("segiou.counting.native" in sys.modules) is {parent_counts}
child = os.fork()
if child:
    sys.exit(0 if os.waitpid(child, 0)[1] == 0 else 1)
signal.alarm(150)
from segiou.counting import native
found = native.scores(scores, target, 19, (), False)
os._exit(0 if int(found.counts[0, 0]) == 128**2 else 1)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("parent_counts", [True, False])
def test_a_forked_child_does_not_wait_for_the_threads_of_its_parent(parent_counts):
    code = FORKED.format(parent_counts=parent_counts)
    subprocess.run([sys.executable, "-c", code], check=True, timeout=200, cwd=ROOT)


def test_python_threads_count_beside_each_other():
    preds, target = sample()
    expected = native.scores(preds, target, 19, (), False).counts
    found: list[bool] = []

    def run() -> None:
        found.extend(torch.equal(native.scores(preds, target, 19, (), False).counts, expected) for _ in range(20))

    several = [threading.Thread(target=run) for _ in range(4)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert found == [True] * 80
