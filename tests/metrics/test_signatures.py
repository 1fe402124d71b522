"""Arguments are named where they are taken: in signatures, help and errors, and alike everywhere."""

import copy
import inspect
import pickle
import re
from typing import get_type_hints

import pytest
import torch

import segiou
from segiou import functional
from segiou.metrics import ConfusionMatrixMetric, arguments
from segiou.metrics.arguments import DEFAULTS, ScoreMetricArguments
from segiou.metrics.state import SummedStates

PUBLIC = [getattr(segiou, name) for name in segiou.__all__]
METRICS = [item for item in PUBLIC if isinstance(item, type) and issubclass(item, SummedStates)]
FUNCTIONS = [getattr(functional, name) for name in functional.__all__]
TYPED_DICTS = [item for item in vars(arguments).values() if isinstance(item, type) and hasattr(item, "__total__")]


@pytest.mark.parametrize("item", [*METRICS, *FUNCTIONS], ids=lambda item: item.__name__)
def test_every_argument_is_named_and_described(item):
    parameters = inspect.signature(item).parameters
    assert {p.kind for p in parameters.values()} <= {
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
        inspect.Parameter.KEYWORD_ONLY,
    }
    for name in parameters:
        assert re.search(rf"^    {name}: \S", item.__doc__, re.M), name
    if isinstance(item, type):
        own = list(inspect.signature(item.__init__).parameters)
        assert own == ["self", *parameters]
    assert "kwargs" not in item.__doc__


@pytest.mark.parametrize("item", [*METRICS, *FUNCTIONS], ids=lambda item: item.__name__)
def test_help_shows_ignore_index_or_the_metric_that_has_it(item):
    assert {"ignore_index", "metric"} & set(inspect.signature(item).parameters)


def test_the_defaults_are_those_of_the_base():
    parameters = inspect.signature(ConfusionMatrixMetric).parameters
    named = {name: p.default for name, p in parameters.items() if name != "num_classes"}
    assert named == DEFAULTS
    hints = get_type_hints(ScoreMetricArguments)
    assert {name: p.annotation for name, p in parameters.items() if name != "num_classes"} == hints


def test_torchmetrics_takes_its_own_by_these_names():
    metric = segiou.MeanIoU(3)
    for name in arguments.TORCHMETRICS:
        assert hasattr(metric, name)
        if name != "distributed_available_fn":
            assert getattr(metric, name) == DEFAULTS[name]


def test_an_argument_has_one_type_wherever_it_is_shared():
    seen: dict = {}
    for item in TYPED_DICTS:
        for name, hint in get_type_hints(item).items():
            assert seen.setdefault(name, hint) == hint


@pytest.mark.parametrize(
    ("item", "without"),
    [
        (segiou.PixelAccuracy, {"average", "exclude"}),
        (segiou.ConfusionMatrix, {"average", "exclude"}),
        (segiou.FrequencyWeightedIoU, {"average"}),
        (segiou.SegmentationMetrics, {"average"}),
        (segiou.InstanceIoU, {"threshold", "from_logits", "num_labels"}),
        (segiou.BinaryJaccardIndex, {"task", "num_classes", "num_labels", "average"}),
        (functional.mean_iou, {"process_group", "sync_on_compute"}),
    ],
    ids=lambda item: getattr(item, "__name__", ""),
)
def test_an_argument_without_meaning_is_not_offered(item, without):
    assert not without & set(inspect.signature(item).parameters)


IMAGE = torch.zeros(1, 2, dtype=torch.int64)
WRONG = [
    (
        lambda: segiou.MeanIoU(5, True),
        TypeError,
        "MeanIoU takes 1 arguments by position (num_classes), got 2: name the",
    ),
    (
        lambda: segiou.Dice(5, ignor_index=1),
        TypeError,
        "Dice has no argument 'ignor_index': did you mean 'ignore_index'?",
    ),
    (lambda: segiou.BoundaryIoU(5, pixel=1), TypeError, "BoundaryIoU has no argument 'pixel': did you mean 'pixels'?"),
    (lambda: segiou.ImagewiseIoU(5, wurst=1), TypeError, "ImagewiseIoU has no argument 'wurst': did you mean 'worst'?"),
    (
        lambda: segiou.JaccardIndex(5, zero_devision=1.0),
        TypeError,
        "JaccardIndex has no argument 'zero_devision': did you",
    ),
    (
        lambda: segiou.ThresholdSweep(average="macro"),
        ValueError,
        "average does not apply to ThresholdSweep: leave it out",
    ),
    (lambda: segiou.InstanceIoU(5, threshold=0.2), ValueError, "threshold does not apply to InstanceIoU: leave it out"),
    (
        lambda: functional.dice(IMAGE, IMAGE, 5, ignor_index=1),
        TypeError,
        "dice() has no argument 'ignor_index': did you",
    ),
    (
        lambda: functional.dice(IMAGE, IMAGE, 5, 6),
        TypeError,
        "dice() takes 3 arguments by position (preds, target, num_cl",
    ),
    (
        lambda: functional.pixel_accuracy(IMAGE, IMAGE, 5, average="macro"),
        ValueError,
        "average does not apply to pixel_acc",
    ),
    (
        lambda: segiou.MeanIoU(5, include_background=False),
        TypeError,
        "MeanIoU has no argument 'include_background': for",
    ),
    (
        lambda: segiou.MeanIoU(5, per_class=True),
        TypeError,
        "MeanIoU has no argument 'per_class': for a score of each class",
    ),
    (
        lambda: segiou.MeanIoU(5, input_format="index"),
        TypeError,
        "MeanIoU has no argument 'input_format': whether preds are",
    ),
    (
        lambda: segiou.MeanIoU(5, zero_division=0.0),
        TypeError,
        "MeanIoU has no argument 'zero_division': for the score of a",
    ),
    (
        lambda: segiou.MeanIoU(5, average=None),
        ValueError,
        'average must be "macro", "micro", "weighted" or "none", got None',
    ),
    (lambda: segiou.MeanIoU(5, qwertz=1), TypeError, "MeanIoU has no argument 'qwertz': it takes absent, absent_if"),
]


@pytest.mark.parametrize(("call", "kind", "text"), WRONG, ids=[text[:40] for _, _, text in WRONG])
def test_a_wrong_argument_is_told_in_the_name_that_was_called(call, kind, text):
    with pytest.raises(kind, match="^" + re.escape(text)):
        call()


def test_following_the_hints_gives_the_scores():
    preds, target = torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 2]])
    each = functional.mean_iou(preds, target, 3, average="none")
    assert each.tolist() == [1.0, 0.5, 0.5]
    assert functional.mean_iou(preds, target, 3, exclude=0) == 0.5
    assert functional.mean_iou(preds, target, 4, absent=0.0) == 0.5


def test_a_class_that_hands_on_its_arguments_is_told_too():
    class Own(segiou.PixelAccuracy):
        def __init__(self, num_classes: int, **kwargs) -> None:
            super().__init__(num_classes, **kwargs)

    assert Own(3, ignore_index=255).rules.ignore_index == (255,)
    with pytest.raises(TypeError, match="^Own has no argument 'ignor_index': did you mean 'ignore_index'"):
        Own(3, ignor_index=255)
    with pytest.raises(ValueError, match="^average does not apply to Own: leave it out, got average='macro'$"):
        Own(3, average="macro")


def test_copies_and_pickles_are_made_without_the_arguments():
    for metric in (segiou.MeanIoU("cityscapes"), segiou.ConfidenceInterval(segiou.Dice(3)), segiou.JaccardIndex(3)):
        for again in (copy.deepcopy(metric), pickle.loads(pickle.dumps(metric))):
            assert repr(again) == repr(metric)
    assert isinstance(segiou.MeanIoU.__new__(segiou.MeanIoU, "training", "a", "b"), segiou.MeanIoU)  # an older pickle


def test_a_metric_has_the_signature_of_forward():
    assert "num_classes" not in inspect.signature(segiou.MeanIoU(3)).parameters
