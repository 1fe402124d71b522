"""Arguments of the metrics: what is taken, and the exact message for what is not."""

import re

import numpy as np
import pytest
import torch

from segiou import ConfusionMatrix, FBeta, FrequencyWeightedIoU, MeanIoU, PixelAccuracy, SegmentationMetrics

BAD_ARGUMENTS = [
    ({}, "num_classes must be an integer of at least 1 for task='multiclass', got None"),
    ({"num_classes": 0}, "num_classes must be an integer of at least 1 for task='multiclass', got 0"),
    ({"num_classes": 2.5}, "num_classes must be an integer of at least 1 for task='multiclass', got 2.5"),
    (
        {"num_classes": 3, "task": "panoptic"},
        "task must be one of 'multiclass', 'binary', 'multilabel', got 'panoptic'",
    ),
    (
        {"num_classes": 3, "num_labels": 3},
        "num_labels is for task=\"multilabel\", got num_labels=3 with task='multiclass'",
    ),
    ({"task": "multilabel"}, "num_labels must be an integer of at least 1 for task='multilabel', got None"),
    (
        {"num_classes": 3, "task": "multilabel", "num_labels": 3},
        'task="multilabel" takes num_labels, not num_classes, got num_classes=3',
    ),
    ({"num_classes": 3, "task": "binary"}, 'task="binary" has 2 classes: leave num_classes out, got num_classes=3'),
    (
        {"num_classes": 3, "average": "mean"},
        'average must be "macro", "micro", "weighted", "none" or None, got \'mean\'',
    ),
    ({"num_classes": 3, "absent": "ignore"}, "absent must be \"skip\" or a score between 0 and 1, got 'ignore'"),
    ({"num_classes": 3, "absent": 2.0}, 'absent must be "skip" or a score between 0 and 1, got 2.0'),
    (
        {"num_classes": 3, "absent_if": "preds"},
        'absent_if must be "union", "target" or "target_unless_empty", got \'preds\'',
    ),
    ({"num_classes": 3, "exclude": [3]}, "exclude must hold ids of the 3 classes, 0 to 2, or their names, got 3"),
    ({"num_classes": 3, "exclude": 1.5}, "exclude must hold ids or names of classes, got 1.5"),
    (
        {"num_classes": 2, "exclude": [0], "ignore_index": 1},
        "exclude=[0] and ignore_index=(1,) leave none of the 2 classes to average",
    ),
    ({"num_classes": 2, "ignore_index": [0, 1]}, "ignore_index=[0, 1] leaves none of the 2 classes to count"),
    ({"num_classes": 3, "ignore_index": 0.5}, "ignore_index must be an int, several ints or None, got 0.5"),
    ({"num_classes": 3, "ignore_index": 2**63}, f"ignore_index must hold integers of 64 bits, got {2**63}"),
    ({"num_classes": 3, "threshold": 1.5}, "threshold must be a probability between 0 and 1, got 1.5"),
    ({"num_classes": 3, "upsample": "cubic"}, 'upsample must be None, "bilinear" or "nearest", got \'cubic\''),
    ({"num_classes": 3, "class_names": ["a", "b"]}, "class_names must be 3 different names, got ['a', 'b']"),
    ({"num_classes": 3, "class_names": "abc"}, "class_names must be 3 different names, got 'abc'"),
    ({"num_classes": 3, "class_names": {"a", "b", "c"}}, None),
    ({"num_classes": 3, "class_names": 5}, "class_names must be 3 different names, got 5"),
    ({"num_classes": torch.tensor(3.0)}, None),
    ({"num_classes": True}, "num_classes must be an integer of at least 1 for task='multiclass', got True"),
    ({"num_classes": 3, "absent": np.array([0.0, 1.0])}, None),
    ({"num_classes": 3, "exclude": False}, "exclude must hold ids or names of classes, got False"),
    ({"num_classes": 3, "ignore_index": [True]}, "ignore_index must be an int, several ints or None, got [True]"),
    ({"num_classes": 3, "validate_args": "no"}, "validate_args must be True or False, got 'no'"),
    ({"task": "binary", "from_logits": "no"}, "from_logits must be True or False, got 'no'"),
    ({"task": "binary", "ignore_index": 1}, "ignore_index=1 leaves no positive class to score for task='binary'"),
    (
        {"num_classes": 3, "threshold": 0.7},
        "threshold and from_logits are for binary and multilabel scores: multiclass takes the argmax, got threshold=0.7 "
        "and from_logits=False",
    ),
    ({"num_classes": 3, "ignor_index": 1}, "MeanIoU has no argument 'ignor_index': did you mean 'ignore_index'?"),
]


@pytest.mark.parametrize(
    ("arguments", "message"), BAD_ARGUMENTS, ids=[str(arguments) for arguments, _ in BAD_ARGUMENTS]
)
def test_bad_arguments_say_what_and_what_else(arguments, message):
    pattern = f"^{re.escape(message)}$" if message else f"^{list(arguments)[-1]} must be "
    with pytest.raises((ValueError, TypeError), match=pattern):
        MeanIoU(**arguments)


def test_numbers_and_arrays_of_other_libraries_are_taken():
    for ids in (0, [0], (0,), np.array([0]), np.array(0), torch.tensor([0]), torch.tensor(0), np.int64(0), range(1)):
        assert MeanIoU(3, exclude=ids).averaging.exclude == (0,)
        assert MeanIoU(3, ignore_index=ids).rules.ignore_index == (0,)
    for ids in (np.array([0, 1]), torch.tensor([1, 0]), {0, 1}):
        assert MeanIoU(3, exclude=ids).averaging.exclude == (0, 1)
    assert MeanIoU(np.int64(3), absent=np.float32(0)).averaging.fill == 0
    assert MeanIoU(task="binary", threshold=np.float32(0.25)).rules.threshold == 0.25
    FBeta(3, beta=np.float32(2))


@pytest.mark.parametrize(
    ("metric", "arguments", "message"),
    [
        (
            PixelAccuracy,
            {"average": "macro"},
            "average does not apply to PixelAccuracy: leave it out, got average='macro'",
        ),
        (PixelAccuracy, {"exclude": [0]}, "exclude does not apply to PixelAccuracy: leave it out, got exclude=[0]"),
        (
            FrequencyWeightedIoU,
            {"average": "macro"},
            "average does not apply to FrequencyWeightedIoU: leave it out, got average='macro'",
        ),
        (ConfusionMatrix, {"normalize": "rows"}, 'normalize must be None, "true", "pred" or "all", got \'rows\''),
        (FBeta, {"beta": -1.0}, "beta must be a number between 0 and 1e9, got -1.0"),
        (SegmentationMetrics, {"beta": float("inf")}, "beta must be a number between 0 and 1e9, got inf"),
    ],
)
def test_arguments_without_a_meaning_are_refused(metric, arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        metric(3, **arguments)


def test_a_metric_shows_its_arguments():
    assert repr(MeanIoU(3)) == "MeanIoU(num_classes=3)"
    metric = MeanIoU(task="binary", ignore_index=255, average="micro", from_logits=True)
    assert repr(metric) == "MeanIoU(task='binary', ignore_index=(255,), from_logits=True, average='micro')"
    assert repr(MeanIoU(task="multilabel", num_labels=4)) == "MeanIoU(task='multilabel', num_labels=4)"
