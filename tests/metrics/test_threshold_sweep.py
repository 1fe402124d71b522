"""Scores at many thresholds: each one exactly that of the metric with this threshold, and of the naive loop."""

import copy
import itertools
import math
import pickle
import re
from fractions import Fraction

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import MetricCollection

import segiou
from segiou import Dice, MeanIoU, Precision, Recall, Sweep, ThresholdSweep
from segiou.counting import cpu, eager
from segiou.functional import threshold_sweep
from tests.helpers import oracle
from tests.helpers.strategies import FLOATS, INTEGERS, labels

SINGLE = {"iou": MeanIoU, "dice": Dice, "precision": Precision, "recall": Recall}
KERNELS = pytest.mark.parametrize("kernel", ["eager", "fused"])
TIES = [0.0, 1e-8, 0.1, 0.25, 1 / 3, 0.5, 0.57, 0.9, 1 - 1e-8, 1.0]
thresholds_drawn = st.lists(st.sampled_from(TIES) | st.floats(0, 1), min_size=2, max_size=6, unique=True).map(sorted)


def same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.dtype == b.dtype and torch.equal(a.nan_to_num(-9), b.nan_to_num(-9))


def quiet(patch: pytest.MonkeyPatch, kernel: str) -> None:
    patch.setenv("SEGIOU_KERNEL", kernel)
    patch.setattr("segiou.metrics.pixels.rank_zero_warn", lambda *args, **kwargs: None)


@st.composite
def near(draw: st.DrawFn, shape: tuple[int, ...], thresholds: list[float], logits: bool) -> torch.Tensor:
    """Scores of any dtype on the thresholds, right beside them, and where no score should be."""
    dtype = draw(st.sampled_from(FLOATS))
    centres = torch.tensor(thresholds, dtype=torch.float64)
    centres = (centres.logit() if logits else centres).to(dtype)
    ends = torch.tensor([-math.inf, math.inf], dtype=dtype)
    special = torch.tensor([math.nan, math.inf, -math.inf, -0.0, 0.0, 0.3, 1.0, 2.0, -1.5], dtype=dtype)
    pool = torch.cat([special, centres, *(torch.nextafter(centres, end) for end in ends)])
    size = math.prod(shape)
    values = draw(st.lists(st.integers(0, len(pool) - 1), min_size=size, max_size=size))
    return pool[torch.tensor(values, dtype=torch.int64)].view(shape)


@KERNELS
@given(
    data=st.data(), thresholds=thresholds_drawn, logits=st.booleans(), task=st.sampled_from(["binary", "multilabel"])
)
def test_each_threshold_scores_as_the_metric_of_that_threshold(kernel, data, thresholds, logits, task):
    shape = (data.draw(st.integers(1, 3)), *([2] if task == "multilabel" else []), data.draw(st.integers(0, 6)))
    preds, target = data.draw(near(shape, thresholds, logits)), data.draw(labels(shape, 2, wild=True))
    arguments = {"task": task, "from_logits": logits, "validate_args": False}
    arguments["ignore_index"] = data.draw(st.sampled_from([None, 0, 255, (-1, 0, 7)]))
    if task == "multilabel":
        arguments |= {"num_labels": 2}
    with pytest.MonkeyPatch.context() as patch:
        quiet(patch, kernel)
        sweep = threshold_sweep(preds, target, thresholds=thresholds, **arguments)
        for name, metric in SINGLE.items():
            for index, threshold in enumerate(thresholds):
                alone = metric(**arguments, threshold=threshold, average="none" if task == "multilabel" else None)
                assert same(getattr(sweep, name)[..., index], alone(preds, target)), (name, threshold)
        for label, best in enumerate(sweep.best_threshold.view(-1).tolist()):
            if best == best:  # what is found can be handed to another metric as it is
                alone = Dice(**arguments, threshold=best, average="none" if task == "multilabel" else None)
                assert alone(preds, target).view(-1)[label] == sweep.best.view(-1)[label]


def positive_above(score: float, threshold: float, dtype: torch.dtype) -> bool:
    """The rule, in Python floats: 16 bits compare as float32 would, and float64 as it is."""
    return score > (threshold if dtype == torch.float64 else float(np.float32(threshold)))


@KERNELS
@given(data=st.data(), thresholds=thresholds_drawn)
def test_scores_are_those_of_the_naive_loop(kernel, data, thresholds):
    preds, target = data.draw(near((1, 9), thresholds, False)), data.draw(labels((1, 9), 3, dtypes=INTEGERS))
    with pytest.MonkeyPatch.context() as patch:
        quiet(patch, kernel)
        sweep = threshold_sweep(preds, target, thresholds=thresholds, ignore_index=2, validate_args=False)
    pixels = [(score, t) for score, t in zip(oracle.pixels(preds), oracle.pixels(target), strict=True) if t != 2]
    highest: list[tuple[Fraction, float]] = []
    for index, threshold in enumerate(thresholds):
        predicted = [positive_above(score, threshold, preds.dtype) for score, _ in pixels]
        areas = (
            sum(p and t == 1 for p, (_, t) in zip(predicted, pixels, strict=True)),
            sum(predicted),
            sum(t == 1 for _, t in pixels),
        )
        for name in SINGLE:
            expected = getattr(oracle, name)(*areas)
            found = getattr(sweep, name)[index]
            assert same(found, torch.tensor(math.nan if expected is None else float(expected)))
        if areas[2]:
            highest.append((oracle.dice(*areas), threshold))
    ties = [threshold for score, threshold in highest if score == max(highest)[0]]
    assert same(sweep.thresholds, torch.tensor(thresholds, dtype=torch.float64))
    expected = ties[len(ties) // 2] if ties else math.nan
    assert same(sweep.best_threshold, torch.tensor(expected, dtype=torch.float64))
    assert same(sweep.best, torch.tensor(float(max(highest)[0]) if ties else math.nan))


@KERNELS
@given(data=st.data(), images=st.integers(1, 5))
def test_a_whole_is_the_sum_of_its_parts_in_any_order(kernel, data, images):
    thresholds = [0.0, 0.25, 0.5]
    preds = data.draw(near((images, 2, 3), thresholds, False))
    target = data.draw(labels((images, 2, 3), 2, wild=True))
    arguments = {"task": "multilabel", "num_labels": 2, "thresholds": thresholds, "validate_args": False}
    one, many, merged = (ThresholdSweep(**arguments) for _ in range(3))
    with pytest.MonkeyPatch.context() as patch:
        quiet(patch, kernel)
        one.update(preds, target)
        for image in data.draw(st.permutations(range(images))):
            part = slice(image, image + 1)
            many.update(preds[part], target[part])
            alone = ThresholdSweep(**arguments)
            alone.update(preds[part], target[part])
            merged.merge_state(alone)
    for metric in (many, merged):
        assert torch.equal(one.counts, metric.counts)
        assert torch.equal(one.errors, metric.errors)
    valid = sum(label in (0, 1) for label in oracle.pixels(target))
    assert int(one.counts.sum()) == valid


LAYOUTS = {
    "planar": lambda x: x,
    "transposed": lambda x: x.mT,
    "cropped": lambda x: x[..., 3:-4, 5:-1],
    "every second": lambda x: x[::2, ::2, ::2],
    "one image": lambda x: x[:1].expand(x.shape),
    "six axes": lambda x: x[:, :300, :256].reshape(3, 2, 150, 4, 8, 8)[:, ::2, ::3, ::3, ::3, ::3],
    "empty": lambda x: x[:, :0],
}


@pytest.mark.parametrize("number", [1, 2, 3, 101, 682, 5000])
@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_compiled_kernels_count_large_maps_as_torch_operations_do(number, dtype, layout):
    preds = (torch.rand(3, 310, 301) * 1.2 - 0.1).to(dtype)
    preds[0, 0, :9] = math.nan
    preds[:, 7, 3:60:3] = math.inf
    target = torch.randint(-1, 4, (3, 310, 301), dtype=torch.int16)
    bounds = torch.cat([torch.linspace(0, 1, number - number // 2) ** 3, torch.full((number // 2,), math.inf)])
    args = (LAYOUTS[layout](preds), LAYOUTS[layout](target), bounds.to(dtype), True, (0, 3))
    for found, expected in zip(cpu.above(*args), eager.above(*args), strict=True):
        assert torch.equal(found, expected)


def test_bounds_that_are_all_infinite():
    preds, target = torch.tensor([[-math.inf, -1e38, 1e38, math.inf, math.nan]]), torch.ones(1, 5, dtype=torch.int64)
    for kernel in (cpu, eager):
        counts, errors = kernel.above(preds, target, torch.tensor([-math.inf, math.inf]), False, ())
        assert counts.tolist() == [[0, 0, 0], [2, 3, 0]]
        assert errors.tolist() == [0, 0, 1, 0]


def test_bounds_as_close_as_numbers_can_be():
    bounds = torch.tensor([0.0, 5e-324, 1e-323], dtype=torch.float64)
    preds, target = torch.tensor([[0.0, 5e-324, 1e-323, 1.5e-323, 1.0]], dtype=torch.float64), torch.ones(1, 5).long()
    for kernel in (cpu, eager):
        assert kernel.above(preds, target, bounds, True, ()).counts.tolist() == [[0] * 4, [1, 1, 1, 2]]


def test_more_bounds_than_16_bits_hold_are_counted_with_torch_operations(monkeypatch):
    monkeypatch.setattr(cpu, "count_above", None)
    preds, target, bounds = torch.rand(1, 50), torch.randint(0, 2, (1, 50)), torch.linspace(0, 1, 65535)
    assert torch.equal(
        cpu.above(preds, target, bounds, True, ()).counts, eager.above(preds, target, bounds, True, ()).counts
    )


def test_slices_of_large_input_are_the_whole(monkeypatch):
    preds, target = torch.rand(7, 11), torch.randint(0, 3, (7, 11))
    whole = eager.above(preds, target, torch.tensor([0.25, 0.5]), True, (2,))
    halves = cpu.above(preds.half(), target, torch.tensor([0.25, 0.5]).half(), True, (2,))
    for step in (1, 11, 25, 10**6):
        monkeypatch.setattr(eager, "CHUNK", step)
        found = eager.above(preds, target, torch.tensor([0.25, 0.5]), True, (2,))
        assert all(map(torch.equal, found, whole))
        found = cpu.above(preds.half(), target, torch.tensor([0.25, 0.5]).half(), True, (2,))
        assert all(map(torch.equal, found, halves))


# ---- the best threshold


@pytest.mark.parametrize("best", ["Dice", "IoU"])
def test_the_best_is_the_middle_of_the_thresholds_that_share_the_highest_score(best):
    target = torch.tensor([[0, 1, 1]])
    hard = threshold_sweep(torch.tensor([[0.0, 1.0, 1.0]]), target, best=best)
    assert (float(hard.best_threshold), float(hard.best)) == (0.5, 1.0)  # of 0.00 to 0.99 all are perfect
    plateau = threshold_sweep(torch.tensor([[0.2, 0.75, 0.9]]), target, thresholds=11, best=best)
    assert float(plateau.best_threshold) == 0.5  # of 0.2 to 0.7, where 0.4 and 0.5 are in the middle
    assert float(threshold_sweep(torch.tensor([[0.85, 0.95, 0.95]]), target, thresholds=11).best_threshold) == 0.9


def test_the_best_score_is_the_one_that_is_asked_for():
    preds, target = torch.tensor([[0.9, 0.6, 0.2, 0.1]]), torch.tensor([[1, 1, 1, 0]])
    dice, iou = (threshold_sweep(preds, target, thresholds=[0.5, 0.95], best=best) for best in ("Dice", "IoU"))
    assert float(dice.best_threshold) == float(iou.best_threshold) == 0.5
    assert float(dice.best) == pytest.approx(4 / 5)
    assert float(iou.best) == pytest.approx(2 / 3)


def test_without_positive_pixels_there_is_no_best_threshold():
    preds, target = torch.tensor([[[0.9, 0.1], [0.9, 0.1]]]), torch.tensor([[[0, 0], [1, 0]]])
    sweep = threshold_sweep(preds, target, task="multilabel", num_labels=2, thresholds=[0.0, 0.5, 1.0])
    assert same(sweep.best_threshold, torch.tensor([math.nan, 0.5], dtype=torch.float64))
    assert same(sweep.best, torch.tensor([math.nan, 1.0]))
    assert same(sweep.dice[0], torch.tensor([0.0, 0.0, math.nan]))  # false alarms, and at last none


def test_values_and_their_shapes():
    sweep = threshold_sweep(torch.rand(2, 5), torch.randint(0, 2, (2, 5)))
    assert isinstance(sweep, Sweep)
    assert sweep.thresholds.tolist() == [index / 100 for index in range(101)]
    assert {name: tuple(value.shape) for name, value in sweep._asdict().items()} == {
        **dict.fromkeys(("thresholds", *SINGLE), (101,)),
        "best_threshold": (),
        "best": (),
    }
    many = threshold_sweep(torch.rand(2, 3, 5), torch.randint(0, 2, (2, 3, 5)), task="multilabel", num_labels=3)
    assert {tuple(getattr(many, name).shape) for name in SINGLE} == {(3, 101)}
    assert many.best.shape == many.best_threshold.shape == (3,)


@pytest.mark.parametrize(
    "given", [[0.25, 0.5, 1], (0.25, 0.5, 1.0), np.array([0.25, 0.5, 1.0]), torch.tensor([0.25, 0.5, 1.0])]
)
def test_thresholds_in_any_form(given):
    assert ThresholdSweep(thresholds=given).thresholds == (0.25, 0.5, 1.0)
    assert ThresholdSweep(thresholds=given)._state_name == ThresholdSweep(thresholds=(0.25, 0.5, 1.0))._state_name
    assert ThresholdSweep(thresholds=np.int64(3)).thresholds == (0.0, 0.5, 1.0)


# ---- input


@KERNELS
@pytest.mark.parametrize("upsample", ["bilinear", "nearest"])
@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_smaller_score_maps_are_resized_as_for_one_threshold(kernel, upsample, task, monkeypatch):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    arguments = {"task": task, "upsample": upsample, "ignore_index": -1}
    preds, target = torch.rand(3, 5, 7), torch.randint(-1, 2, (3, 12, 9))
    if task == "multilabel":
        arguments |= {"num_labels": 2}
        preds, target = torch.rand(3, 2, 5, 7), torch.randint(-1, 2, (3, 2, 12, 9))
        preds = preds.contiguous(memory_format=torch.channels_last)
    sweep = threshold_sweep(preds, target, thresholds=21, **arguments)
    for index, threshold in enumerate(sweep.thresholds.tolist()):
        alone = Dice(**arguments, threshold=threshold, average="none" if task == "multilabel" else None)
        assert same(sweep.dice[..., index], alone(preds, target))
    empty = ThresholdSweep(**arguments, thresholds=21)
    empty.update(preds[:0], target[:0])
    assert not empty.counts.any()


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_batches_without_pixels_add_nothing(task):
    metric = ThresholdSweep(task, num_labels=2 if task == "multilabel" else None)
    for preds, target in (([], []), (torch.rand(0, 2, 5), torch.zeros(0, 2, 5).long()), (torch.rand(3, 2, 0),) * 2):
        metric.update(preds, target if isinstance(target, list) else target.long())
    assert not metric.counts.any()
    sweep = metric.compute()
    assert all(value.isnan().all() for name, value in sweep._asdict().items() if name != "thresholds")


def test_images_of_different_sizes_and_a_channel_of_one():
    preds, target = [torch.rand(4, 5), torch.rand(2, 3)], [torch.randint(0, 2, (4, 5)), torch.randint(0, 2, (2, 3))]
    listed, flat = ThresholdSweep(), ThresholdSweep()
    listed.update(preds, target)
    flat.update(torch.cat([p.flatten() for p in preds]), torch.cat([t.flatten() for t in target]))
    assert torch.equal(listed.counts, flat.counts)
    channel = ThresholdSweep()
    channel.update(preds[0][None, None], target[0][None])
    channel.update(preds[1][None], target[1][None, None])
    assert torch.equal(channel.counts, flat.counts)


BAD_INPUT = {
    "labels": (
        torch.tensor([0, 1]),
        torch.tensor([0, 1]),
        "preds must be floating scores to be held to thresholds, got labels of torch.int64: "
        "pass probabilities, or logits and from_logits=True",
    ),
    "two channels": (
        torch.rand(3, 2, 4),
        torch.zeros(3, 4).long(),
        "preds must be the scores of the positive class, got two channels in shape (3, 2, 4): "
        "pass preds.softmax(1)[:, 1] for logits, or preds[:, 1] for probabilities",
    ),
    "a target label outside": (
        torch.tensor([0.5, 0.5, 0.5]),
        torch.tensor([0, 255, 255]),
        "target labels must be 0 to 1, got 255 (2 pixels): pass target > 0 if 255 is the foreground, "
        "or ignore_index=255 if it is unlabelled",
    ),
    "logits": (
        torch.tensor([0.5, -3.0, 7.0]),
        torch.tensor([0, 1, 1]),
        "scores must be probabilities between 0 and 1, got 2 pixels outside, from -3 to 7: pass from_logits=True for "
        "logits, or validate_args=False to take them as they are",
    ),
    "another shape": (
        torch.rand(2, 4),
        torch.zeros(2, 5).long(),
        "preds and target do not fit, got preds of shape (2, 4) and target of shape (2, 5): "
        'pass upsample="bilinear" if floating score maps (N, C, h, w) are of another size than target (N, H, W), '
        "or resize one of them first",
    ),
}


@KERNELS
@pytest.mark.parametrize("case", BAD_INPUT)
def test_bad_input_is_named_and_changes_nothing(kernel, case, monkeypatch):
    monkeypatch.setenv("SEGIOU_KERNEL", kernel)
    preds, target, message = BAD_INPUT[case]
    metric = ThresholdSweep()
    metric.update(torch.rand(5), torch.randint(0, 2, (5,)))
    before = copy.deepcopy(metric.metric_state), metric.update_count
    for call in (metric.update, metric, threshold_sweep):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            call(preds, target)
    assert metric.update_count == before[1]
    assert all(torch.equal(metric.metric_state[name], state) for name, state in before[0].items())


def test_bad_values_that_an_accelerator_counted_raise_in_compute():
    metric = ThresholdSweep()
    metric.update(torch.rand(5), torch.randint(0, 2, (5,)))
    metric.errors[1] += 3  # as an accelerator counts them
    with pytest.raises(ValueError, match="labels must be 0 to 1, got 3 pixels of target and 0 pixels of preds outside"):
        metric.compute()


def test_nan_is_negative_at_every_threshold_and_warned_of_once():
    metric = ThresholdSweep(thresholds=[0.0, 0.5])
    metric.update(torch.tensor([math.nan, 0.7]), torch.tensor([1, 1]))
    with pytest.warns(UserWarning, match="^1 pixel had nan among their scores"):
        assert metric.compute().recall.tolist() == [0.5, 0.5]
    metric.update(torch.tensor([0.7]), torch.tensor([1]))
    metric.compute()


BAD_ARGUMENTS = {
    "multiclass": ({"task": "multiclass"}, 'task must be "binary" or "multilabel", whose scores have a threshold, got'),
    "best": ({"best": "F1"}, 'best must be "Dice" or "IoU", got \'F1\''),
    "no labels": (
        {"task": "multilabel"},
        "num_labels must be an integer of at least 1 for task='multilabel', got None",
    ),
    "names": ({"class_names": ["a"]}, "class_names must be 2 different names, got ['a']"),
    "outside": ({"thresholds": [0.5, 1.5]}, "thresholds must be probabilities between 0 and 1, got 1.5"),
    "not a number": ({"thresholds": ["a", "b"]}, "thresholds must be probabilities between 0 and 1, got 'a'"),
    **{
        str(given): (
            {"thresholds": given},
            f"thresholds must be a number of at least 2, or two or more rising probabilities, got {given!r}",
        )
        for given in (1, 0, -3, True, 0.5, [0.5], [], [0.5, 0.5], [0.5, 0.25], [0.0, -0.0], "0.5", None)
    },
}


@pytest.mark.parametrize("case", BAD_ARGUMENTS)
def test_bad_arguments(case):
    arguments, message = BAD_ARGUMENTS[case]
    with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
        ThresholdSweep(**arguments)


# ---- state


def test_the_state_is_small_and_named_by_its_configuration():
    arguments = [
        {},
        {"thresholds": 11},
        {"thresholds": [0.25, 0.5]},
        {"thresholds": [0.25, 0.75]},
        {"ignore_index": 255},
        {"from_logits": True},
        {"validate_args": False},
        {"task": "multilabel", "num_labels": 2},
    ]
    metrics = [ThresholdSweep(**argument) for argument in arguments]
    assert len({metric._state_name for metric in metrics}) == len(arguments)
    assert all(metric._state_name.isidentifier() for metric in metrics)
    assert ThresholdSweep(best="IoU")._state_name == metrics[0]._state_name
    assert [tuple(metric.counts.shape) for metric in metrics[:3]] == [(2, 102), (2, 12), (2, 3)]
    assert tuple(metrics[-1].counts.shape) == (2, 2, 102)
    assert [reduction.__name__ for reduction in metrics[0]._reductions.values()] == ["dim_zero_sum"] * 2


def test_states_of_other_thresholds_are_not_merged_or_loaded():
    metric, other = ThresholdSweep(thresholds=[0.25, 0.5]), ThresholdSweep(thresholds=[0.25, 0.75])
    other.update(torch.rand(4), torch.randint(0, 2, (4,)))
    with pytest.raises(ValueError, match="merge_state: the states are 'sweep_binary_"):
        metric.merge_state(other)
    other.persistent(True)
    with pytest.raises(RuntimeError, match="it was made with other arguments"):
        metric.load_state_dict(other.state_dict())


def test_a_collection_shares_what_is_equal_and_nothing_else():
    collection = MetricCollection(
        {
            "a": ThresholdSweep(thresholds=[0.25, 0.5]),
            "b": ThresholdSweep(thresholds=[0.25, 0.5], best="IoU"),
            "c": ThresholdSweep(thresholds=[0.25, 0.75]),
        }
    )
    batches = [(torch.rand(9) / 4, torch.randint(0, 2, (9,))), (torch.rand(9), torch.randint(0, 2, (9,)))]
    for batch in batches:
        collection.update(*batch)
    assert sorted(map(sorted, collection.compute_groups.values())) == [["a", "b"], ["c"]]
    for name, found in collection.compute().items():
        alone = pickle.loads(pickle.dumps(collection[name]))
        alone.reset()
        for batch in batches:
            alone.update(*batch)
        assert all(itertools.starmap(same, zip(found, alone.compute(), strict=True)))


# ---- drawing


@pytest.mark.usefixtures("_closed_figures")
def test_the_plot_marks_the_best_threshold():
    metric = ThresholdSweep(thresholds=[0.2, 0.5, 0.8], best="IoU")
    metric.update(torch.tensor([0.9, 0.6, 0.4]), torch.tensor([1, 1, 0]))
    _, ax = metric.plot()
    lines = {line.get_label(): line for line in ax.lines}
    for name, values in {"IoU": metric.compute().iou, "Recall": metric.compute().recall}.items():
        assert lines[name].get_xdata().tolist() == [0.2, 0.5, 0.8]
        assert lines[name].get_ydata().tolist() == values.tolist()
    assert ax.get_title(loc="left") == "best IoU 1.0000 at 0.5"
    assert [(list(line.get_xdata()), list(line.get_ydata())) for line in ax.lines if line.get_marker() == "o"] == [
        ([0.5], [1.0])
    ]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["IoU", "Dice", "Precision", "Recall"]
    _, given_ax = plt.subplots()
    none, drawn = metric.plot(metric.compute(), given_ax)
    assert none is None
    assert drawn is given_ax


@pytest.mark.usefixtures("_closed_figures")
def test_the_plot_of_each_label_has_its_name():
    metric = ThresholdSweep("multilabel", [0.25, 0.5], num_labels=2, class_names=["$road", "car"])
    metric.update(torch.tensor([[[0.9, 0.1], [0.9, 0.1]]]), torch.tensor([[[1, 0], [0, 0]]]))
    fig, axes = metric.plot()
    titles = [ax.get_title(loc="left") for ax in axes.flat]
    assert titles == ["\\$road\nbest Dice 1.0000 at 0.5", "car\nno positive pixel in the target"]
    assert len(fig.legends) == 1
    with pytest.raises(ValueError, match="ax must be left out for multilabel: each of the 2 labels has an axis"):
        metric.plot(ax=axes.flat[0])


@pytest.mark.usefixtures("_closed_figures")
def test_one_label_is_drawn_too():
    metric = segiou.ThresholdSweep("multilabel", num_labels=1)
    metric.update(torch.rand(2, 1, 5), torch.randint(0, 2, (2, 1, 5)))
    assert len(metric.plot()[1].flat) == 1
