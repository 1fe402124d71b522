"""The Triton kernels, on a GPU or in Triton's interpreter, against the naive loop and against eager."""

import importlib.util
import json
import os
import struct
import subprocess
import sys

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import interpolate

from segiou import MeanIoU
from segiou.counting import eager, kernels, verification
from tests.helpers import oracle
from tests.helpers.strategies import labels, scores, shapes

if importlib.util.find_spec("triton") is None:
    pytest.skip("triton is not installed", allow_module_level=True)
GPU = torch.cuda.is_available()
if not GPU and os.environ.get("TRITON_INTERPRET") != "1":
    if "triton" in sys.modules:
        pytest.skip("no GPU, and triton was imported without TRITON_INTERPRET=1", allow_module_level=True)
    os.environ["TRITON_INTERPRET"] = "1"

try:
    import triton
    import triton.language as tl

    from segiou.counting import cuda, triton_kernels
except ImportError as error:  # too old a triton
    pytest.skip(str(error), allow_module_level=True)

DEVICE = "cuda" if GPU else "cpu"
few = settings(max_examples=60 if GPU else 15)
ignores = st.lists(st.sampled_from([-1, 0, 1, 255, 2**32 - 1, 2**63 - 1, -(2**63)]), max_size=3, unique=True).map(tuple)
needs_gpu = pytest.mark.skipif(not GPU, reason="needs a CUDA device")


def on_device(x):
    """The same values, storage layout and strides on the device of the tests."""
    if not GPU:
        return x
    whole = x.as_strided((x.untyped_storage().nbytes() // x.element_size(),), (1,), 0).to(DEVICE)
    return whole.as_strided(x.shape, x.stride(), x.storage_offset())


def assert_same(counted, expected):
    assert torch.equal(counted.counts.cpu(), expected.counts.cpu())
    assert counted.errors.tolist() == expected.errors.tolist()


@pytest.fixture
def small_tiles(monkeypatch):
    """Tiles of 64 pixels, so that small inputs have many, for two programs."""
    monkeypatch.setattr(cuda, "plan_for", lambda *a: cuda.Plan(64, 1, 1, ""))
    monkeypatch.setattr(cuda, "_multiprocessors", lambda device: 2)


@pytest.mark.parametrize("each", [False, True])
@few
@given(data=st.data(), shape=shapes, classes=st.sampled_from([1, 2, 7, 300]), ignore=ignores)
def test_labels_equal_the_loop(each, data, shape, classes, ignore):
    preds, target = data.draw(labels(shape, classes, wild=True)), data.draw(labels(shape, classes, wild=True))
    p, t = oracle.pixels(preds), oracle.pixels(target)
    counted = cuda.labels(on_device(preds), on_device(target), classes, ignore, each)
    counts = counted.counts.sum(0) if each else counted.counts
    assert counts.tolist() == oracle.matrix(p, t, classes, ignore)
    assert counted.errors.tolist() == [*oracle.errors(p, t, classes, ignore), 0, 0]
    for item in range(shape[0] if each else 0):
        p, t = oracle.pixels(preds[item]), oracle.pixels(target[item])
        assert counted.counts[item].tolist() == oracle.matrix(p, t, classes, ignore)


@pytest.mark.parametrize("each", [False, True])
@few
@given(data=st.data(), shape=shapes, classes=st.sampled_from([1, 2, 5, 11]), ignore=ignores)
def test_scores_equal_the_loop(each, data, shape, classes, ignore):
    preds = data.draw(scores((shape[0], classes, *shape[1:])))
    target = data.draw(labels(shape, classes, wild=True))
    counted = cuda.scores(on_device(preds), on_device(target), classes, ignore, each)
    for item in range(shape[0] if each else 1):
        part = slice(item, item + 1) if each else slice(None)
        expected = oracle.matrix(oracle.argmax(preds[part]), oracle.pixels(target[part]), classes, ignore)
        assert (counted.counts[item] if each else counted.counts).tolist() == expected
    bad = oracle.errors([0] * target.numel(), oracle.pixels(target), classes, ignore)[1]
    nan = int(preds.isnan().any(1).sum()) if preds.numel() else 0
    assert counted.errors.tolist() == [0, bad, nan, 0]


@pytest.mark.parametrize("probabilities", [False, True])
@few
@given(data=st.data(), shape=shapes, threshold=st.sampled_from([0.0, 0.3, 0.5, -1.5, float("inf")]), ignore=ignores)
def test_binary_scores_equal_the_loop(probabilities, data, shape, threshold, ignore):
    preds, target = data.draw(scores(shape)), data.draw(labels(shape, 2, wild=True))
    bound = float(torch.tensor(threshold, dtype=preds.dtype))
    values, known = oracle.pixels(preds.double()), oracle.pixels(target)
    counted = cuda.binary(on_device(preds), on_device(target), threshold, probabilities, ignore, False)
    assert counted.counts.tolist() == oracle.matrix([int(v > bound) for v in values], known, 2, ignore)
    wrong = sum(v < 0 or v > 1 for v in values) if probabilities else 0
    bad = oracle.errors([0] * len(known), known, 2, ignore)[1]
    assert counted.errors.tolist() == [0, bad, sum(v != v for v in values), wrong]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_the_threshold_is_rounded_to_the_scores_and_not_further(dtype):
    bound = torch.tensor(0.3, dtype=dtype)
    above, below = (torch.nextafter(bound, torch.tensor(side, dtype=dtype)) for side in (1.0, 0.0))
    preds = torch.stack([below, bound, above]).to(DEVICE)
    counted = cuda.binary(preds, torch.ones(3, dtype=torch.int64, device=DEVICE), 0.3, True, (), False)
    assert counted.counts[1].tolist() == [2, 1, 0]


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("classes", [2, 31, 32, 60])
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("noise", [0.0, 0.02, 1.0])
def test_many_tiles_of_coherent_and_of_noisy_maps(classes, each, noise):
    height, width = 23, 50
    target = (torch.arange(height * width).view(1, height, width) // 137 % (classes + 2) - 1).repeat(2, 1, 1)
    preds = target.roll(9, 2)
    target = torch.where(torch.rand(target.shape) < noise, torch.randint(-1, classes, target.shape), target)
    expected = eager.labels(preds, target, classes, (-1,), each)
    assert_same(cuda.labels(on_device(preds), on_device(target), classes, (-1,), each), expected)


@pytest.mark.usefixtures("small_tiles")
@pytest.mark.parametrize("each", [False, True])
@pytest.mark.parametrize("items", [1, 3, 9])
def test_scores_of_every_memory_layout(each, items):
    preds, target = torch.randn(items, 6, 12, 14), torch.randint(0, 6, (items, 12, 14))
    preds[0, 3, 5, 5:] = torch.nan
    views = {
        "planar": preds,
        "channels_last": preds.to(memory_format=torch.channels_last),
        "cropped": preds.new_zeros(items, 8, 15, 20)[:, 1:7, 2:14, 3:17].copy_(preds),
        "rows swapped with columns": preds.transpose(2, 3).contiguous().transpose(2, 3),
        "expanded": preds[:1].expand(items, -1, -1, -1),
        "expanded columns": preds[..., :1].expand(-1, -1, -1, 14),
        "five axes": preds.reshape(items, 6, 3, 4, 7, 2).permute(0, 1, 5, 4, 3, 2),
        "volume": preds.reshape(items, 6, 3, 4, 14).permute(0, 1, 3, 4, 2),
    }
    for name, view in views.items():
        known = target.reshape(view.shape[0], *view.shape[2:])
        expected = eager.scores(view, known, 6, (2,), each)
        counted = cuda.scores(on_device(view), on_device(known), 6, (2,), each)
        assert torch.equal(counted.counts.cpu(), expected.counts), name
        assert counted.errors.tolist() == expected.errors.tolist()


def test_the_first_of_equal_scores_and_the_first_nan_win():
    preds = torch.zeros(1, 300, 5)
    preds[0, [299, 255, 256, 17, 40], [0, 1, 2, 3, 4]] = 1.0
    preds[0, 299, 3] = 1.0
    preds[0, [90, 91], 4] = torch.nan
    counted = cuda.scores(on_device(preds), torch.zeros(1, 5, dtype=torch.int64, device=DEVICE), 300, (), False)
    assert counted.counts[0].nonzero().flatten().tolist() == [17, 90, 255, 256, 299]
    assert counted.errors.tolist() == [0, 0, 1, 0]


def test_integer_scores_are_compared_as_integers():
    preds = torch.tensor([[[1, 2**53 + 1], [2, 2**53]]], device=DEVICE)
    counted = cuda.scores(preds, torch.tensor([[0, 0]], device=DEVICE), 2, (), False)
    assert counted.counts[0].tolist() == [1, 1, 0]


def axes(preds, target, each):
    layout = cuda.layout_of(preds, target, each)
    return layout.groups, layout.items, layout.sizes


def test_the_kernel_walks_over_as_few_axes_as_there_are():
    preds, target = torch.zeros(4, 3, 64, 80), torch.zeros(4, 64, 80)
    assert axes(preds, target, True) == (4, 1, (5120,))
    assert axes(preds, target, False) == (1, 4, (5120,))
    assert axes(preds[:, :1], target[:, None, ...].squeeze(1), False) == (1, 4, (5120,))
    assert axes(target[:, None], target, False) == (1, 1, (20480,))
    assert axes(preds[..., 1:], target[..., 1:], True) == (4, 1, (64, 79))
    assert axes(preds[..., :9, :9], target[..., :9, :9], False) == (1, 1, (4, 9, 9))
    assert axes(torch.zeros(7, 3), torch.zeros(7), False) == (1, 1, (7,))
    assert axes(torch.zeros(7, 3), torch.zeros(7), True) == (7, 1, (1,))


def test_ignored_values_are_compared_as_the_bits_that_labels_hold():
    assert cuda.representable((-1, 0, 255, 256), torch.uint8) == (0, 255)
    assert cuda.representable((-1, 2**32 - 1), torch.uint32) == (-1,)
    assert cuda.representable((-1, 2**63 - 1), torch.uint64) == (2**63 - 1,)
    assert cuda.representable((-(2**63), -1), torch.int64) == (-(2**63), -1)
    assert cuda.representable((1,), torch.bool) == (1,)


def test_tables_and_items_beyond_32_bits_are_left_to_eager(monkeypatch):
    monkeypatch.setattr(cuda, "_BEYOND", 30)
    monkeypatch.setattr(triton_kernels, "count", None)
    preds, target = torch.randn(2, 3, 40, device=DEVICE), torch.randint(0, 3, (2, 40), device=DEVICE)
    assert_same(cuda.scores(preds, target, 3, (), True), eager.scores(preds, target, 3, (), True))
    assert_same(cuda.labels(target, target, 3, (), False), eager.labels(target, target, 3, (), False))
    assert_same(
        cuda.binary(preds[:, 0], target, 0.5, True, (), True), eager.binary(preds[:, 0], target, 0.5, True, (), True)
    )
    assert_same(
        cuda.upsampled_scores(preds[:, :, None, ::2], target[:, None], 3, (), False, "bilinear", True),
        eager.scores(
            interpolate(preds[:, :, None, ::2], (1, 40), mode="bilinear", align_corners=True),
            target[:, None],
            3,
            (),
            False,
        ),
    )


def test_one_launch_whose_shape_and_arguments_do_not_depend_on_values(monkeypatch):
    launches = []

    class Recorder:
        def __getitem__(self, grid):
            return lambda *a, **k: launches.append((grid, [x for x in a if not isinstance(x, torch.Tensor)], k))

    monkeypatch.setattr(triton_kernels, "count", Recorder())
    for fill in (0, 255):
        target = torch.full((2, 40, 50), fill, device=DEVICE)
        preds = torch.full((2, 3, 40, 50), float(fill), device=DEVICE)
        cuda.scores(preds, target, 3, (255,), False)
        cuda.binary(preds[:, 0], target, 0.5, True, (255,), True)
        cuda.labels(target, target, 3, (255,), False)
    assert len(launches) == 6
    assert launches[:3] == launches[3:]


# ---- upsampling


def interpolated(preds, target, classes, ignore, each, mode, corners):
    options = {} if mode == "nearest" else {"align_corners": corners}
    return eager.scores(
        interpolate(preds.float(), target.shape[1:], mode=mode, **options), target, classes, ignore, each
    )


@pytest.mark.parametrize(("mode", "corners"), [("nearest", False), ("bilinear", False), ("bilinear", True)])
@pytest.mark.parametrize(
    ("small", "large"), [((4, 6), (16, 24)), ((9, 12), (9, 12)), ((5, 3), (9, 5)), ((1, 1), (3, 4))]
)
def test_upsampling_with_ties_equals_interpolation(mode, corners, small, large):
    # small integers at weights that are multiples of 1/8: no rounding, so that ties are ties on both sides
    preds = torch.randint(-2, 3, (2, 5, *small)).to(torch.bfloat16)
    preds[1, 2, 0, 0] = torch.nan
    target = torch.randint(0, 6, (2, *large))
    if small == (5, 3) and mode == "bilinear" and not corners:
        preds = preds + torch.rand(preds.shape)  # thirds and fifths are rounded
    for each in (False, True):
        counted = cuda.upsampled_scores(on_device(preds), on_device(target), 5, (5,), each, mode, corners)
        assert_same(counted, interpolated(preds, target, 5, (5,), each, mode, corners))


@pytest.mark.parametrize(("mode", "corners"), [("nearest", False), ("bilinear", False), ("bilinear", True)])
@pytest.mark.parametrize(("small", "large"), [((7, 10), (33, 41)), ((20, 31), (9, 14))])
@pytest.mark.parametrize("layout", ["planar", "channels_last", "cropped"])
def test_upsampling_and_downsampling_to_any_size(mode, corners, small, large, layout):
    preds, target = torch.randn(2, 4, *small), torch.randint(0, 4, (2, *large))
    if layout == "channels_last":
        preds = preds.to(memory_format=torch.channels_last)
    if layout == "cropped":
        preds, target = preds[:, :, 1:, 2:], target[:, 2:, 1:]
    counted = cuda.upsampled_scores(on_device(preds), on_device(target), 4, (1,), False, mode, corners)
    assert_same(counted, interpolated(preds, target, 4, (1,), False, mode, corners))


# ---- what only a compiler or a GPU can show


def test_every_kind_of_the_kernel_compiles_for_hopper_without_spilling():
    env = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, "-W", "error::UserWarning", "-m", "tests.helpers.compile_triton", "19", "150"]
    run = subprocess.run(command, env=env, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    found = [json.loads(line) for line in run.stdout.splitlines()]
    assert len(found) > 30
    assert max(kind.get("stack", 0) for kind in found) <= 64, found
    assert max(kind.get("reg", 0) for kind in found) <= 168, found


@needs_gpu
@pytest.mark.parametrize("deterministic", [False, True])
def test_no_function_waits_for_the_device_and_all_run_in_a_graph(deterministic):
    preds, target = torch.randn(2, 9, 64, 64, device=DEVICE), torch.randint(0, 9, (2, 64, 64), device=DEVICE)

    def run():
        return [
            cuda.scores(preds, target, 9, (255,), False),
            cuda.labels(target, target, 9, (), True),
            cuda.binary(preds[:, 0], target, 0.5, False, (), False),
            cuda.upsampled_scores(preds[:, :, ::4, ::4], target, 9, (), False, "bilinear"),
        ]

    first = run()
    torch.use_deterministic_algorithms(deterministic)
    torch.cuda.set_sync_debug_mode("error")
    try:
        again = run()
    finally:
        torch.cuda.set_sync_debug_mode("default")
        torch.use_deterministic_algorithms(False)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = run()
    graph.replay()
    for one, two, three in zip(first, again, captured, strict=True):
        assert_same(two, one)
        assert_same(three, one)


def test_the_bits_of_a_threshold_are_those_of_the_rounded_number():
    assert cuda.bits_of(1.0, torch.float32) == 0x3F800000
    assert cuda.bits_of(0.3, torch.float64) == struct.unpack("<q", struct.pack("<d", 0.3))[0]
    assert cuda.bits_of(0.3, torch.bfloat16) == cuda.bits_of(
        float(torch.tensor(0.3, dtype=torch.bfloat16)), torch.float32
    )
    assert cuda.bits_of(-float("inf"), torch.float16) == -0x800000


@pytest.fixture
def trusted(_fresh_kernels, monkeypatch):
    """Metrics on the device of the tests count with Triton, nothing having been verified yet."""
    monkeypatch.setitem(kernels.FUSED, DEVICE, ("segiou.counting.cuda", "triton"))


KINDS = {
    "labels": ({}, (2, 3, 4), torch.uint8),
    "scores": ({}, (2, 5, 3, 4), torch.bfloat16),
    "channels last": ({}, (2, 3, 4, 5), torch.float32),
    "nearest": ({"upsample": "nearest"}, (2, 5, 2, 2), torch.float32),
    "bilinear": ({"upsample": "bilinear"}, (2, 5, 2, 2), torch.float32),
    "aligned": ({"upsample": "bilinear", "align_corners": True}, (2, 5, 2, 2), torch.float16),
    "binary": ({"task": "binary"}, (2, 3, 4), torch.float32),
    "large table": ({"num_classes": 40}, (2, 40, 3, 4), torch.float32),
}


def update(name):
    """A metric that has counted one batch of a kind."""
    arguments, shape, dtype = KINDS[name]
    metric = MeanIoU(**({"num_classes": 5, "ignore_index": 255} | arguments if "task" not in arguments else arguments))
    preds = torch.rand(shape).to(dtype).to(DEVICE)
    preds = preds.movedim(-1, 1) if name == "channels last" else preds
    metric.to(DEVICE).update(preds, torch.randint(0, 2, (2, 3, 4), device=DEVICE))
    return metric


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_kernel_is_found_right_once(name, monkeypatch):
    update(name)
    assert len(verification._verified) == 1
    assert not kernels._failed
    monkeypatch.setattr(verification, "_sample_of", None)  # would be called to verify again
    update(name)


@triton.jit
def last_max(scores, index, best, label):
    """As ``_better``, but the last of equal scores wins."""
    scores = triton_kernels._comparable(scores)
    wins = ((scores < best) == 0) & (best == best)
    return tl.where(wins, scores, best), tl.where(wins, index, label)


@triton.jit
def unchecked_row(labels, CLASSES: tl.constexpr, IGNORE: tl.constexpr):
    """As ``_row``, but a label outside the classes is not told of."""
    row, bad = right_row(labels, CLASSES, IGNORE)
    return row, bad & (row != row)


right_row = triton_kernels._row
WRONG = {"scores": {"_better": last_max}, "large table": {"_better": last_max}, "labels": {"_row": unchecked_row}}


@pytest.mark.skipif(GPU, reason="a compiled kernel does not notice that its functions are replaced")
@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("name", WRONG)
def test_a_kernel_that_is_wrong_on_this_machine_is_found_out(monkeypatch, name):
    for function, wrong in WRONG[name].items():
        monkeypatch.setattr(triton_kernels, function, wrong)
    with pytest.warns(UserWarning, match=r"segiou.counting.cuda failed and torch operations count instead.*wrong cell"):
        update(name)
    assert kernels._failed == {"segiou.counting.cuda"}
    update(name)  # silently, with torch operations
