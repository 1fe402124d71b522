"""A kernel that is compiled on the user's machine is held to torch operations before it is trusted."""

import sys
import types
import warnings

import pytest
import torch

from segiou import Dice, MeanIoU
from segiou.counting import Rules, eager, kernels, verification
from segiou.counting.inputs import BAD_TARGET, NAN, Counted

pytestmark = pytest.mark.usefixtures("_fresh_kernels")
FLOATS = [torch.float64, torch.float32, torch.float16, torch.bfloat16]
INTEGERS = [
    torch.bool,
    torch.uint8,
    torch.int8,
    torch.int16,
    torch.uint16,
    torch.int32,
    torch.uint32,
    torch.int64,
    torch.uint64,
]
TARGET = torch.tensor([[0, 1, 1, 0]])
SCORES = torch.randn(1, 2, 4)


def install(monkeypatch, **wrong):
    """Kernels that are eager's, but for those that are given; the list of the calls that they get."""
    calls: list[tuple[str, int]] = []

    def told(name):
        def function(preds, target, *args):
            calls.append((name, target.numel()))
            return wrong.get(name, getattr(eager, name))(preds, target, *args)

        return function

    module = types.ModuleType("segiou.counting.made_up")
    for name in ("labels", "scores", "binary"):
        setattr(module, name, told(name))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(kernels.FUSED, "cpu", (module.__name__, "luck"))
    monkeypatch.setattr(kernels, "VERIFIED", {module.__name__})
    return calls


def test_each_kind_and_dtype_is_verified_once(monkeypatch):
    calls = install(monkeypatch)
    metric, doubles, labels = MeanIoU(2), MeanIoU(2), MeanIoU(2)
    for _ in range(3):
        metric.update(SCORES, TARGET)
    assert [name for name, _ in calls] == ["scores"] * 5, "two of the test batch, then three of the user's"
    assert [pixels == 4 for _, pixels in calls] == [False, False, True, True, True]
    doubles.update(SCORES.double(), TARGET)
    labels.update(TARGET, TARGET)
    labels.update(TARGET, TARGET.int())
    assert len(calls) == 5 + 3 + 3 + 3
    MeanIoU(2).update(SCORES, TARGET)
    assert len(calls) == 15, "another metric of the same rules needs no check"


def lost_ties(preds, target, *args):
    """Scores whose last maximum wins, in place of the first."""
    return eager.scores(preds.flip(1), target, *args)


def cut_tiles(preds, target, num_classes, ignore, each):
    """Labels whose last pixels are forgotten, as by a tile that is not filled."""
    pixels = target[0].numel() // 256 * 256
    return eager.labels(preds.flatten(1)[:, :pixels], target.flatten(1)[:, :pixels], num_classes, ignore, each)


def silent(function, *which):
    """Counts that are right, and errors that are not told."""

    def count(*args):
        counts, errors = function(*args)
        errors[list(which)] = 0
        return Counted(counts, errors)

    return count


def swapped(preds, target, threshold, *args):
    return eager.binary(preds.nan_to_num(2.0), target, threshold, *args)


BREAKS = {
    "ties": ("scores", lost_ties, MeanIoU(2), SCORES),
    "nan": ("scores", silent(eager.scores, NAN), MeanIoU(2), SCORES),
    "infinity": (
        "scores",
        lambda p, *a: eager.scores(p.masked_fill(p.isinf(), torch.nan), *a),
        MeanIoU(2),
        SCORES.bfloat16(),
    ),
    "bad labels": ("labels", silent(eager.labels, BAD_TARGET), MeanIoU(2), TARGET),
    "ignored": (
        "labels",
        lambda p, t, c, ignore, e: eager.labels(p, t, c, (), e),
        MeanIoU(2, ignore_index=255),
        TARGET,
    ),
    "tiles": ("labels", cut_tiles, MeanIoU(2), TARGET),
    "binary nan": ("binary", swapped, Dice(task="binary"), torch.rand(1, 4)),
    "threshold": (
        "binary",
        lambda p, t, b, *a: eager.binary(p, t, b - 0.25, *a),
        Dice(task="binary"),
        torch.rand(1, 4),
    ),
    "per image": ("labels", lambda p, t, c, i, e: eager.labels(p.flip(0) if e else p, t, c, i, e), MeanIoU(2), TARGET),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_wrong_kernel_is_warned_of_once_and_torch_operations_count_for_good(monkeypatch, name):
    kind, wrong, metric, preds = BREAKS[name]
    metric.reset()
    calls = install(monkeypatch, **{kind: wrong})
    target = torch.tensor([[0, 1, 1, 0]])
    with pytest.warns(UserWarning, match=r"made_up failed and torch operations count instead.*please report it"):
        metric.update(preds, target)
    assert all(pixels > 4 for _, pixels in calls), "nothing of the user's is counted by it"
    seen = len(calls)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        metric.update(preds, target)
        MeanIoU(2).update(TARGET, target)
    assert len(calls) == seen
    monkeypatch.setenv("SEGIOU_KERNEL", "eager")
    expected = metric.clone()
    expected.reset()
    expected.update(preds, target)
    expected.update(preds, target)
    assert torch.equal(metric.confmat, expected.confmat)


def test_where_compiled_kernels_are_insisted_on_a_wrong_one_raises(monkeypatch):
    install(monkeypatch, labels=cut_tiles)
    monkeypatch.setenv("SEGIOU_KERNEL", "fused")
    with pytest.raises(verification.WrongCountError, match=r"labels of torch.int64 .* counted in a wrong cell"):
        MeanIoU(2).update(TARGET, TARGET)


def test_nothing_is_verified_in_the_capture_of_a_graph(monkeypatch):
    def never(*args):
        raise AssertionError

    monkeypatch.setattr(torch.cuda, "is_current_stream_capturing", lambda: True)
    batch = types.SimpleNamespace(target=types.SimpleNamespace(device=torch.device("cuda", 0)))
    verification.require_right(eager, never, batch, Rules.of(2))
    assert not verification._verified


def test_an_empty_batch_needs_no_check(monkeypatch):
    calls = install(monkeypatch)
    MeanIoU(2).update(torch.zeros(0, 4, dtype=torch.int64), torch.zeros(0, 4, dtype=torch.int64))
    assert calls == [("labels", 0)]


@pytest.mark.parametrize("dtype", INTEGERS)
@pytest.mark.parametrize("classes", [1, 2, 19, 300])
def test_the_batch_of_labels_has_what_goes_wrong(dtype, classes):
    rules = Rules.of(classes, ignore_index=[0, 255] if classes > 1 else 255)
    batch = verification.Batch("labels", torch.zeros(1, 4, dtype=dtype), torch.zeros(1, 4, dtype=dtype))
    _, preds, target = verification._sample_of(batch, rules, False, False)
    assert preds.dtype == target.dtype == dtype
    counts, errors = eager.labels(preds, target, classes, rules.ignore_index, False)
    assert counts[:-1].sum() or classes == 1
    if dtype not in (torch.bool, torch.uint8) or classes < 255:
        assert counts[-1].sum(), "some are ignored"
    if dtype != torch.bool and classes < 255:
        assert errors[:2].all(), "some are outside the classes"


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("classes", [2, 19])
def test_the_batch_of_scores_has_what_goes_wrong(dtype, classes):
    batch = verification.Batch("scores", torch.zeros(1, classes, 4, dtype=dtype), TARGET)
    _, preds, _ = verification._sample_of(batch, Rules.of(classes), False, True)
    assert preds.dtype == dtype
    assert preds.stride(1) == 1
    assert preds.isnan().any()
    assert preds.isposinf().any()
    assert preds.isneginf().any()
    best = preds.amax(1, keepdim=True)
    assert ((preds == best).sum(1) > 1).any(), "ties"


@pytest.mark.parametrize(
    "upsample", [{"upsample": "nearest"}, {"upsample": "bilinear"}, {"upsample": "bilinear", "align_corners": True}]
)
@pytest.mark.parametrize("dtype", FLOATS)
def test_interpolating_the_batch_rounds_nowhere(upsample, dtype):
    """So that another order of the same additions is no difference."""
    rules = Rules.of(5, **upsample)
    batch = verification.Batch("scores", torch.zeros(1, 5, 2, 2, dtype=dtype), torch.zeros(1, 4, 4, dtype=torch.int64))
    sample = verification._sample_of(batch, rules, True, False)
    half = torch.nn.functional.interpolate(
        sample.preds.double(),
        size=sample.target.shape[1:],
        mode=rules.upsample,
        **({"align_corners": rules.align_corners} if rules.upsample == "bilinear" else {}),
    )
    single = torch.nn.functional.interpolate(
        sample.preds.float(),
        size=sample.target.shape[1:],
        mode=rules.upsample,
        **({"align_corners": rules.align_corners} if rules.upsample == "bilinear" else {}),
    )
    assert torch.equal(half.nan_to_num(99), single.double().nan_to_num(99))
    assert single.isnan().any()
