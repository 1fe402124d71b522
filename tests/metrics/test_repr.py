"""``repr`` gives back what was passed: ``eval(repr(metric))`` builds an equal metric."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

import segiou
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.per_image import PerImageMetric
from segiou.metrics.state import SummedStates

CALLS = list(json.loads((Path(__file__).parent / "data" / "state_names.json").read_text()))
MORE = [
    "MeanIoU(3, ignore_index=np.array([0, 255]), exclude=iter([1]))",
    "MeanIoU(3, exclude=torch.tensor([0, 2]), sync_on_compute=False, compute_with_cache=False)",
    "MeanIoU('cityscapes', ignore_index=[])",
    "MeanIoU('cityscapes', class_names=[str(c) for c in range(19)])",
    "MeanIoU(LabelSet('mine', ['road', 'car'], ignore_index=255))",
    "MeanIoU(LabelSet.of('voc'), groups=None)",
    "JaccardIndex(3, zero_division=float('nan'))",
    "ImagewiseIoU(3, absent_if='union', worst=5, exclude=0)",
    "ImagewiseDice(task='binary', from_logits=True, keep_images=True)",
    "ThresholdSweep('multilabel', [0.1, 0.9], num_labels=2, class_names=['a', 'b'], best='IoU')",
    "SegmentationMetrics(3, per_class=True, beta=2, prefix='val/')",
    "BinaryConfusionMatrix(0.25, normalize='all')",
    "GeneralizedDice(3, weight_type='linear', exclude=0)",
]
SCOPE = {name: getattr(segiou, name) for name in segiou.__all__} | {"np": np, "torch": torch}


def settings(metric) -> list:
    """What a metric does, apart from its counts."""
    inner = metric.metric if isinstance(metric, PerImageMetric) else metric
    found = [type(metric), type(inner), sorted(metric._defaults), metric.sync_on_compute, metric.compute_with_cache]
    found += [inner.rules, inner.class_names, getattr(inner, "normalize", None), getattr(inner, "prefix", None)]
    found += [
        getattr(inner, name, None)
        for name in ("beta", "band", "sizes", "first_id", "thresholds", "per_class", "weight_type")
    ]
    found += [getattr(metric, name, None) for name in ("level", "replicates", "seed", "over", "worst", "keep_images")]
    if isinstance(inner, ConfusionMatrixMetric):
        found += [inner.averaging, inner.classes, inner.classes.groups, getattr(inner, "by_values", None)]
    return found


@pytest.mark.parametrize("call", [*CALLS, *MORE])
def test_evaluated_it_builds_an_equal_metric(call):
    metric = eval(call, SCOPE)
    again = eval(repr(metric), SCOPE)
    assert settings(again) == settings(metric)
    assert repr(again) == repr(metric)


def test_every_public_metric_is_in_the_list():
    public = {name for name in segiou.__all__ if isinstance(getattr(segiou, name), type)}
    metrics = {name for name in public if issubclass(getattr(segiou, name), SummedStates)}
    made = {type(eval(call, SCOPE)).__name__ for call in [*CALLS, *MORE]}
    assert metrics - made <= {"JaccardIndex", "ConfusionMatrix"}  # which give a metric of the task


@pytest.mark.parametrize(
    ("call", "text"),
    [
        ("PixelAccuracy(4, ignore_index=[0, 255])", "PixelAccuracy(num_classes=4, ignore_index=(0, 255))"),
        ("MeanIoU('cityscapes')", "MeanIoU(num_classes='cityscapes')"),
        ("MeanIoU(4, exclude='2')", "MeanIoU(num_classes=4, exclude=(2,))"),
        ("MeanIoU(4, average='macro')", "MeanIoU(num_classes=4, average='macro')"),
        ("ThresholdSweep()", "ThresholdSweep()"),
        ("ConfidenceInterval(Dice(4), level=0.9)", "ConfidenceInterval(Dice(num_classes=4), level=0.9)"),
        ("FBeta(4, beta=2)", "FBeta(num_classes=4, beta=2.0)"),
        ("JaccardIndex('binary', 0.3)", "BinaryJaccardIndex(threshold=0.3)"),
    ],
)
def test_what_was_passed_is_shown_and_nothing_else(call, text):
    assert repr(eval(call, SCOPE)) == text


def test_a_metric_of_a_user_shows_its_own_arguments_too():
    class Shifted(segiou.MeanIoU):
        def __init__(self, num_classes: int, *, by: float = 0.0, hidden: int = 0, **kwargs) -> None:
            super().__init__(num_classes, **kwargs)
            self.by = by

    assert repr(Shifted(3, by=math.inf, hidden=2)) == "Shifted(num_classes=3, by=float('inf'))"
