"""The twins of torchmetrics.segmentation, held to torchmetrics itself over its whole grid of arguments."""

import copy
import inspect
import itertools
import pickle
import re
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchmetrics import MetricCollection
from torchmetrics import segmentation as theirs
from torchmetrics.functional import segmentation as their_functions

import segiou
from segiou import segmentation
from segiou.segmentation import functional
from tests.helpers import oracle_segmentation as oracle

C, N = 4, 3
FORMATS = ["one-hot", "index", "mixed"]
SHAPES = {"maps": (6, 7), "volumes": (2, 3, 4)}
AVERAGES = ["macro", "micro", "weighted", "none", None]
GRIDS = {
    "MeanIoU": {"per_class": [False, True]},
    "DiceScore": {"average": AVERAGES, "aggregation_level": ["samplewise", "global"]},
    "GeneralizedDiceScore": {"per_class": [False, True], "weight_type": ["square", "simple", "linear"]},
}
FUNCTIONS = {"MeanIoU": "mean_iou", "DiceScore": "dice_score", "GeneralizedDiceScore": "generalized_dice_score"}


def grid(name: str) -> list[dict]:
    found = []
    for format_, background in itertools.product(FORMATS, [True, False]):
        for values in itertools.product(*GRIDS[name].values()):
            own = dict(zip(GRIDS[name], values, strict=True))
            found.append({"num_classes": C, "input_format": format_, "include_background": background, **own})
    return found


ARGUMENTS = [(name, arguments) for name in GRIDS for arguments in grid(name)]
every_argument = pytest.mark.parametrize(
    ("name", "arguments"), ARGUMENTS, ids=[f"{n}-{'-'.join(map(str, a.values()))}" for n, a in ARGUMENTS]
)


def one_hot(labels: torch.Tensor) -> torch.Tensor:
    return torch.nn.functional.one_hot(labels, C).movedim(-1, 1)


def scores_of(labels: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    maps = one_hot(labels).float()
    return maps * 9 + torch.rand(maps.shape, generator=rng)


def inputs(input_format: str, shape: tuple, absent: bool, seed: int = 0) -> list[tuple]:
    """Pairs of every form that the format takes; with ``absent`` class 2 is in no target and no prediction, and class
    3 in the target of no image and in neither of the first; without it every class is in every target."""
    rng = torch.Generator().manual_seed(seed)
    preds, target = (torch.randint(0, C, (N, *shape), generator=rng) for _ in range(2))
    target.flatten(1)[:, :C] = torch.arange(C)
    if absent:
        target = torch.where(target >= 2, 0, target)
        preds = torch.where(preds == 2, 1, preds)
        preds[0] = torch.where(preds[0] == 3, 0, preds[0])
    maps = one_hot(preds), one_hot(target)
    scores = scores_of(preds, rng), scores_of(target, rng)
    several = torch.randint(0, 2, maps[0].shape, generator=rng)  # channels that overlap, and pixels in none
    if input_format == "index":
        return [(preds, target)]
    if input_format == "mixed":
        return [(maps[0], target), (preds, maps[1]), (scores[0], target), (preds, scores[1]), (several, target)]
    other = several.flip(0) if not absent else maps[1]
    found = [maps, (scores[0], maps[1]), (maps[0], scores[1]), scores, (several, other)]
    return [*found, tuple(m.bool() for m in maps), tuple(m.to(torch.uint8) for m in maps)]


def quietly(function, *args, **kwargs):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return function(*args, **kwargs)


def require_same(own: torch.Tensor, other: torch.Tensor) -> None:
    other = other.float()  # of double sums where the classes are not known
    torch.testing.assert_close(own, other.masked_fill(other == -1, torch.nan), rtol=0, atol=2e-6, equal_nan=True)


def built(name: str, arguments: dict):
    return getattr(segmentation, name)(**arguments), quietly(getattr(theirs, name), **arguments)


def alike(name: str, arguments: dict) -> bool:
    """Whether a class that is in no target may be predicted: torchmetrics weighs it by other images then."""
    return name != "GeneralizedDiceScore" or arguments["per_class"] or arguments["weight_type"] == "linear"


@every_argument
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("absent", [False, True])
def test_metrics_are_torchmetrics_own_per_batch_and_over_batches(name, arguments, shape, absent):
    if absent and not alike(name, arguments):
        return
    batches = [inputs(arguments["input_format"], SHAPES[shape], absent, seed) for seed in range(2)]
    for pairs in zip(*batches, strict=True):
        own, other = built(name, arguments)
        for preds, target in pairs:
            require_same(own(preds, target), other(preds, target))
        require_same(own.compute(), other.compute())


@every_argument
@pytest.mark.parametrize("absent", [False, True])
def test_functions_are_torchmetrics_own(name, arguments, absent):
    if absent and not alike(name, arguments):
        return
    own, other = (getattr(module, FUNCTIONS[name]) for module in (functional, their_functions))
    for preds, target in inputs(arguments["input_format"], SHAPES["maps"], absent):
        require_same(own(preds, target, **arguments), quietly(other, preds, target, **arguments))


@pytest.mark.parametrize("name", GRIDS)
def test_images_of_background_alone_are_torchmetrics_own_with_false_alarms_and_without(name):
    """Nothing but background in the target: predicted so in image 0, and with false alarms of class 1 in image 1."""
    target = torch.zeros(2, 4, 4, dtype=torch.int64)
    preds = target.clone()
    preds[1, :2] = 1
    for arguments in grid(name):
        if arguments["input_format"] == "index" and alike(name, arguments):
            for images in (slice(0, 1), slice(1, 2), slice(0, 2)):
                own, other = built(name, arguments)
                require_same(own(preds[images], target[images]), other(preds[images], target[images]))
                own, other = (getattr(module, FUNCTIONS[name]) for module in (functional, their_functions))
                pair = preds[images], target[images]
                require_same(own(*pair, **arguments), quietly(other, *pair, **arguments))


@pytest.mark.parametrize("name", GRIDS)
def test_arguments_have_torchmetrics_order_and_defaults(name):
    def parameters(function):
        found = inspect.signature(function).parameters.values()
        return [(p.name, p.default) for p in found if p.kind is p.POSITIONAL_OR_KEYWORD]

    assert parameters(getattr(segmentation, name)) == parameters(getattr(theirs, name))
    twin = FUNCTIONS[name]
    assert parameters(getattr(functional, twin)) == parameters(getattr(their_functions, twin))


@pytest.mark.parametrize("per_class", [False, True])
@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize("input_format", ["one-hot", "mixed"])
def test_the_number_of_classes_may_come_from_the_masks(per_class, background, input_format):
    arguments = {"per_class": per_class, "include_background": background, "input_format": input_format}
    for absent in (False, True):
        for first, second in zip(*(inputs(input_format, (5, 5), absent, seed) for seed in range(2)), strict=True):
            own, other = built("MeanIoU", arguments)
            for preds, target in (first, second):
                require_same(own(preds, target), other(preds, target))
            require_same(own.compute(), other.compute())
            known = segmentation.MeanIoU(C, **arguments)
            known.update(*first)
            known.update(*second)
            assert torch.equal(own.compute().nan_to_num(-1), known.compute().nan_to_num(-1))
            require_same(functional.mean_iou(*first, **arguments), their_functions.mean_iou(*first, **arguments))


@pytest.mark.parametrize("num_classes", [1, None])
def test_a_single_class_is_scored_without_the_background_too(num_classes):
    preds, target = (torch.randint(0, 2, (N, 1, 5, 5)) for _ in range(2))
    for per_class in (False, True):
        metric = segmentation.MeanIoU(num_classes, include_background=False, per_class=per_class)
        require_same(metric(preds, target), theirs.MeanIoU(1, include_background=True)(preds, target))
        own = functional.mean_iou(preds, target, num_classes, False, per_class)
        require_same(own, their_functions.mean_iou(preds, target, num_classes, False, per_class))


def test_the_number_of_classes_may_not_change():
    metric = segmentation.MeanIoU(per_class=True)
    metric.update(torch.ones(1, 3, 2, 2, dtype=torch.int64), torch.ones(1, 3, 2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="every batch must have as many classes, got 2 scored classes after 3"):
        metric.update(torch.ones(1, 2, 2, 2, dtype=torch.int64), torch.ones(1, 2, 2, 2, dtype=torch.int64))
    assert metric.compute().tolist() == [1, 1, 1]
    metric.reset()
    assert metric(torch.ones(1, 2, 2, 2, dtype=torch.int64), torch.ones(1, 2, 2, 2, dtype=torch.int64)).tolist() == [
        1,
        1,
    ]


@pytest.mark.parametrize("shape", [(9,), (2, 9)])
def test_labels_of_one_axis_or_two_are_one_image_for_mean_iou(shape):
    rng = torch.Generator().manual_seed(0)
    preds, target = (torch.randint(0, C, shape, generator=rng) for _ in range(2))
    own, other = built("MeanIoU", {"num_classes": C, "input_format": "index"})
    require_same(own(preds, target), other(preds, target))
    arguments = {"num_classes": C, "input_format": "index", "per_class": True}
    require_same(functional.mean_iou(preds, target, **arguments), their_functions.mean_iou(preds, target, **arguments))


def test_labels_of_two_axes_are_images_for_dice():
    preds, target = (torch.randint(0, C, (5, 9)) for _ in range(2))
    for name in ("DiceScore", "GeneralizedDiceScore"):
        arguments = {"num_classes": C, "input_format": "index", "include_background": True}
        arguments |= {} if alike(name, {"per_class": False, "weight_type": ""}) else {"weight_type": "linear"}
        own, other = built(name, arguments)
        require_same(own(preds, target), other(preds, target))


# ---- against a loop over pixels


@given(data=st.data())
@pytest.mark.parametrize("name", GRIDS)
def test_any_masks_score_as_a_loop_over_pixels_says(name, data):
    arguments = data.draw(st.sampled_from(grid(name)))
    images, pixels = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 6))
    labels = st.lists(
        st.lists(st.integers(0, C - 1), min_size=pixels, max_size=pixels), min_size=images, max_size=images
    )
    masks = [torch.tensor(data.draw(labels)).view(images, 1, pixels) for _ in range(2)]
    kinds = {"index": [(0, 0)], "mixed": [(0, 1), (1, 0), (2, 0), (0, 2)], "one-hot": [(1, 1), (2, 1), (1, 2), (2, 2)]}
    forms = [lambda m: m, one_hot, lambda m: one_hot(m).double()]
    kind = data.draw(st.sampled_from(kinds[arguments["input_format"]]))
    given_masks = [forms[k](m) for k, m in zip(kind, masks, strict=True)]
    metric = getattr(segmentation, name)(**arguments)
    split = data.draw(st.integers(0, images))
    for part in (slice(0, split), slice(split, images)):
        metric.update(*(m[part] for m in given_masks))
    expected = oracle.score(name, *(m.flatten(1).tolist() for m in masks), **arguments)
    torch.testing.assert_close(metric.compute(), torch.tensor(expected), rtol=0, atol=1e-6, equal_nan=True)


# ---- where torchmetrics is wrong


def test_float32_sums_lose_pixels_there_and_not_here():
    """2^24 + 1 pixels are 2^24 in float32: a Dice of 1 - 2^-25 there is off in the areas, here in the rounding only."""
    big = 2**24
    areas = segmentation.DiceScore(1, aggregation_level="global", input_format="index")
    areas.update(torch.zeros(1, 8, 8, dtype=torch.int64), torch.zeros(1, 8, 8, dtype=torch.int64))
    name = next(iter(areas._defaults))
    setattr(areas, name, torch.tensor([[1], [big + 1], [0]]))
    assert areas.compute().item() == torch.tensor(2 / (big + 1), dtype=torch.float64).float().item()


def test_many_batches_drift_there_and_not_here():
    """A running float32 sum rounds at every batch: 3,000 times two thirds."""
    preds, target = torch.tensor([[[0, 1, 1, 1]]]), torch.tensor([[[0, 0, 0, 1]]])
    own, other = built("MeanIoU", {"num_classes": 2, "input_format": "index"})
    for _ in range(3000):
        other.update(preds, target)
    own.update(preds.expand(3000, 1, 4), target.expand(3000, 1, 4))
    third = torch.tensor(1 / 3)
    assert own.compute() == third
    assert other.compute() != third


def test_half_precision_states_stop_at_256_there_and_are_integers_here():
    own, other = built("MeanIoU", {"num_classes": 2, "input_format": "index"})
    own, other = own.bfloat16().set_dtype(torch.bfloat16), other.set_dtype(torch.bfloat16)
    zero, one = torch.zeros(1, 1, 1, dtype=torch.int64), torch.ones(1, 1, 1, dtype=torch.int64)
    for metric in (own, other):
        for _ in range(300):
            metric.update(zero, zero)
        for _ in range(300):
            metric.update(one, zero)
    assert own.compute() == torch.tensor(1 / 3)
    assert other.compute() > 0.4


def test_an_absent_class_is_minus_one_there_and_nan_here():
    preds, target = inputs("index", (6, 7), True)[0]
    own, other = built("MeanIoU", {"num_classes": C, "input_format": "index", "per_class": True})
    assert other(preds, target)[2] == -1
    assert own(preds, target)[2].isnan()


def test_generalized_dice_depends_on_the_batches_there_and_not_here():
    """Image 0 has no class 1 and a false alarm of it: alone it weighs nothing there, and in a batch as in image 1."""
    preds, target = torch.tensor([[[0, 0, 1, 1]], [[0, 0, 1, 1]]]), torch.tensor([[[0, 0, 0, 0]], [[0, 0, 0, 1]]])
    arguments = {"num_classes": 2, "input_format": "index"}
    own, other = built("GeneralizedDiceScore", arguments)
    alone = [other(preds[i : i + 1], target[i : i + 1]) for i in range(2)]
    assert not torch.isclose(torch.stack(alone).mean(), theirs.GeneralizedDiceScore(**arguments)(preds, target))
    own.update(preds[:1], target[:1])
    own.update(preds[1:], target[1:])
    assert own.compute() == segmentation.GeneralizedDiceScore(**arguments)(preds, target)
    assert functional.generalized_dice_score(preds[:1], target[:1], 2, input_format="index").item() == pytest.approx(
        2 * (2 / 16) / ((2 + 4) / 16 + 2 / 16)
    )


def test_scores_of_one_channel_are_all_foreground_there_and_raise_here():
    scores, target = torch.zeros(1, 1, 2, 2), torch.tensor([[[[0, 1], [0, 1]]]])
    assert theirs.MeanIoU(1)(scores, target) == 0.5
    for pair in ((scores, target), (target, scores)):
        with pytest.raises(ValueError, match="must be scores of several classes, got one channel, shape"):
            segmentation.MeanIoU(1)(*pair)
    assert segmentation.MeanIoU(1)(scores > 0.5, target) == 0


def test_values_that_are_no_masks_are_summed_there_and_raise_here():
    maps = torch.tensor([[[[0, 255], [0, 255]]]])
    assert theirs.DiceScore(1)(maps, maps) == 255
    with pytest.raises(ValueError, match="labels must be 0 to 1, got 255"):
        segmentation.DiceScore(1)(maps, maps)


# ---- bad input

LABELS, MAPS = torch.zeros(2, 3, 3, dtype=torch.int64), torch.zeros(2, C, 3, 3, dtype=torch.int64)


@pytest.mark.parametrize(
    ("arguments", "preds", "target", "message"),
    [
        ({"input_format": "index"}, LABELS + C, LABELS, "preds labels must be 0 to 3, got 4 (18 pixels)"),
        ({"input_format": "index"}, LABELS, LABELS - 1, "target labels must be 0 to 3, got -1 (18 pixels)"),
        ({"input_format": "mixed"}, MAPS, LABELS + C, "target labels must be 0 to 3, got 18 pixels outside"),
        ({"input_format": "mixed"}, LABELS - 1, MAPS, "preds labels must be 0 to 3, got 18 pixels outside"),
        ({"input_format": "mixed"}, LABELS.float(), MAPS, "preds must hold labels of an integer dtype, got torch.float32"),
        ({"input_format": "mixed"}, MAPS.float(), LABELS.float(), "target must hold labels of an integer dtype"),
        ({"input_format": "mixed"}, MAPS, MAPS, 'input_format="mixed" takes one-hot maps or scores (N, C, ...) and labels'),
        ({}, MAPS + 2, MAPS, "preds labels must be 0 to 1, got 2"),
        ({}, MAPS[:, :3], MAPS[:, :3], "one-hot maps and scores must have num_classes=4 channels on axis 1"),
        ({}, MAPS, MAPS[:, :3], "preds and target must be of the same images and classes"),
        ({}, MAPS[:1], MAPS, "preds and target must be of the same images and classes"),
        ({}, MAPS[..., 0, 0], MAPS[..., 0, 0], "preds and target must be images (N, ...) of one axis or more"),
        ({"input_format": "index"}, LABELS.to("meta"), LABELS, "preds and target must be on one device"),
        ({}, list(MAPS), list(MAPS), "preds must be one tensor, got a list"),
        ({}, "maps", MAPS, "preds must be a tensor"),
    ],
)  # fmt: skip
def test_bad_input_says_what_and_changes_nothing(arguments, preds, target, message):
    for name in GRIDS:
        metric = getattr(segmentation, name)(C, **arguments)
        with pytest.raises((ValueError, TypeError), match=re.escape(message)):
            metric.update(preds, target)
        assert metric.update_count == 0
        assert all(not state.any() for state in metric.metric_state.values())
        with pytest.raises((ValueError, TypeError), match=re.escape(message)):
            getattr(functional, FUNCTIONS[name])(preds, target, C, **arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("MeanIoU", {"input_format": "index"}, 'num_classes must be given for input_format="index"'),
        ("MeanIoU", {"num_classes": 0}, "num_classes must be an integer of at least 1, got 0"),
        ("MeanIoU", {"num_classes": 3, "input_format": "onehot"}, 'input_format must be "one-hot", "index" or "mixed", got'),
        ("MeanIoU", {"num_classes": 3, "include_background": 1}, "include_background must be True or False, got 1"),
        ("MeanIoU", {"num_classes": 3, "per_class": None}, "per_class must be True or False, got None"),
        ("DiceScore", {"num_classes": None}, "num_classes must be an integer of at least 1, got None"),
        ("DiceScore", {"num_classes": 3, "average": "mean"}, 'average must be "macro", "micro", "weighted", "none" or None'),
        ("DiceScore", {"num_classes": 3, "aggregation_level": "batch"}, 'aggregation_level must be "samplewise" or "global"'),
        ("GeneralizedDiceScore", {"num_classes": 3, "weight_type": "cube"}, 'weight_type must be "square", "simple" or'),
        ("GeneralizedDiceScore", {"num_classes": True}, "num_classes must be an integer of at least 1, got True"),
    ],
)  # fmt: skip
def test_bad_arguments_say_what_and_what_else(name, arguments, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        getattr(segmentation, name)(**arguments)
    given_ = {"num_classes": 3} | arguments if name != "MeanIoU" else arguments
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        getattr(functional, FUNCTIONS[name])(MAPS[:, :3], MAPS[:, :3], **given_)


@pytest.mark.parametrize("input_format", FORMATS)
def test_bad_values_that_an_accelerator_counted_raise_in_compute(input_format):
    metric = segmentation.DiceScore(C, input_format=input_format)
    metric.update(*inputs(input_format, (3, 3), False)[0])
    metric.errors[1] += 5
    with pytest.raises(ValueError, match="got 5 pixels of target and 0 pixels of preds outside since the last reset"):
        metric.compute()


def test_nan_scores_are_warned_of_once():
    metric = segmentation.MeanIoU(C)
    preds = torch.rand(1, C, 2, 2)
    preds[0, 1, 0, 0] = torch.nan
    metric.update(preds, MAPS[:1, :, :2, :2].float())
    with pytest.warns(UserWarning, match="1 pixel had nan"):
        metric.compute()
    metric.update(preds, MAPS[:1, :, :2, :2].float())
    metric.compute()


# ---- as torchmetrics uses metrics


@every_argument
def test_copies_merges_and_checkpoints_have_the_same_value(name, arguments):
    first, second = (inputs(arguments["input_format"], (4, 5), False, seed)[0] for seed in range(2))
    metric, other, whole = (getattr(segmentation, name)(**arguments) for _ in range(3))
    metric.update(*first)
    other.update(*second)
    whole.update(*first)
    whole.update(*second)
    loaded = getattr(segmentation, name)(**arguments)
    metric.persistent(True)
    loaded.load_state_dict(metric.state_dict())
    for copied in (pickle.loads(pickle.dumps(metric)), copy.deepcopy(metric), metric.clone(), loaded):
        copied.merge_state(other)
        assert torch.equal(copied.compute(), whole.compute())
    metric.reset()
    assert metric.update_count == 0


def test_states_are_integers_and_shared_where_they_are_equal():
    metrics = {
        "a": segmentation.MeanIoU(C, per_class=True),
        "b": segmentation.MeanIoU(C, per_class=True),
        "c": segmentation.MeanIoU(C, per_class=True, include_background=False),
        "d": segmentation.DiceScore(C, aggregation_level="global"),
        "e": segmentation.DiceScore(C, aggregation_level="global", average="micro"),
        "f": segmentation.DiceScore(C, average="micro"),
    }
    collection = MetricCollection(metrics)
    collection.update(*inputs("one-hot", (4, 5), False)[0])
    assert sorted(map(sorted, collection.compute_groups.values())) == [["a", "b"], ["c"], ["d", "e"], ["f"]]
    for metric in metrics.values():
        assert {state.dtype for state in metric.metric_state.values()} == {torch.int64}


def test_nothing_counted_is_nan_as_there():
    for name in GRIDS:
        own = getattr(segmentation, name)(C)
        with pytest.warns(UserWarning, match="was called before the ``update`` method"):
            assert own.compute().isnan()


def test_the_room_is_reached_by_its_name():
    assert segiou.segmentation.MeanIoU is segmentation.MeanIoU
    with pytest.raises(AttributeError, match="module 'segiou' has no attribute 'segmentations'"):
        segiou.segmentations  # noqa: B018


def test_numpy_arrays_and_a_plot():
    preds, target = inputs("index", (4, 5), False)[0]
    metric = segmentation.MeanIoU(C, per_class=True, input_format="index")
    require_same(metric(preds.numpy(), target.numpy()), metric(preds, target))
    figure, _ = metric.plot()
    assert figure is not None
    assert metric.class_names == ("0", "1", "2", "3")
    assert repr(metric) == "MeanIoU(num_classes=4, per_class=True, input_format='index')"
