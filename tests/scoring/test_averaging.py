"""Averages, absent and excluded classes, by hand-computed numbers."""

import math

import pytest
import torch

from segiou import (
    CohenKappa,
    Dice,
    FrequencyWeightedIoU,
    MatthewsCorrCoef,
    MeanAccuracy,
    MeanIoU,
    PixelAccuracy,
    Precision,
    SegmentationMetrics,
)
from segiou.scoring.averaging import Averaging
from segiou.scoring.formulas import areas_of, iou

# class 0: TP 3 P 4 G 4; class 1: TP 1 P 3 G 2; class 2: never predicted, G 1; class 3: predicted once, G 0; class 4: absent
PREDS = torch.tensor([0, 0, 0, 1, 1, 0, 1, 3])
TARGET = torch.tensor([0, 0, 0, 0, 1, 1, 2, 9])
IGNORED = {"ignore_index": 9}


def value(metric, preds=PREDS, target=TARGET):
    return metric(preds, target)


def test_per_class_scores_show_absent_classes_as_nan():
    scores = value(MeanIoU(5, average="none", **IGNORED)).tolist()
    assert scores[:3] == pytest.approx([3 / 5, 1 / 4, 0.0])
    assert math.isnan(scores[3])
    assert math.isnan(scores[4])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, (3 / 5 + 1 / 4 + 0) / 3),
        ({"average": "micro"}, 4 / 10),
        ({"average": "weighted"}, (4 * 3 / 5 + 2 * 1 / 4 + 0) / 7),
        ({"absent": 0.0}, (3 / 5 + 1 / 4) / 5),
        ({"absent": 1.0}, (3 / 5 + 1 / 4 + 2) / 5),
        ({"exclude": [0]}, (1 / 4 + 0) / 2),
        ({"exclude": [0], "average": "micro"}, 1 / 5),
        ({"exclude": [0, 2], "average": "weighted"}, 1 / 4),
    ],
)
def test_averages(arguments, expected):
    assert float(value(MeanIoU(5, **IGNORED, **arguments))) == pytest.approx(expected)


def test_a_class_only_predicted_counts_as_zero_unless_absent_means_not_in_target():
    preds, target = torch.tensor([0, 0, 1]), torch.tensor([0, 0, 0])
    assert float(value(MeanIoU(3), preds, target)) == pytest.approx((2 / 3 + 0) / 2)
    assert float(value(MeanIoU(3, absent_if="target"), preds, target)) == pytest.approx(2 / 3)
    assert float(value(MeanIoU(3, absent_if="target", absent=1.0), preds, target)) == pytest.approx((2 / 3 + 2) / 3)


def test_precision_of_a_class_never_predicted_is_nan_and_absent_gives_it_a_number():
    preds, target = torch.tensor([0, 0, 0]), torch.tensor([0, 0, 1])
    assert float(value(Precision(2), preds, target)) == pytest.approx(2 / 3)
    assert float(value(Precision(2, absent=0.0), preds, target)) == pytest.approx(1 / 3)


def test_a_class_inside_the_range_that_is_ignored_is_left_out_of_the_mean():
    preds, target = torch.tensor([0, 1, 1, 2]), torch.tensor([0, 0, 1, 2])
    metric = MeanIoU(3, ignore_index=0)
    assert float(value(metric, preds, target)) == pytest.approx((1 + 1) / 2)
    preds = torch.tensor([0, 1, 0, 2])  # predicting the ignored class on a counted pixel is a miss
    assert float(value(metric, preds, target)) == pytest.approx((0 + 1) / 2)


def test_binary_scores_the_positive_class_and_exclude_nothing_asks_for_both():
    preds, target = torch.tensor([0, 0, 1, 1]), torch.tensor([0, 1, 1, 1])
    assert float(value(MeanIoU(task="binary"), preds, target)) == pytest.approx(2 / 3)
    assert float(value(MeanIoU(task="binary", exclude=()), preds, target)) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert float(value(MeanIoU(2), preds, target)) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert value(Dice(task="binary", average="none"), preds, target).tolist() == pytest.approx([2 / 3, 4 / 5])
    # of both classes by definition
    assert float(value(MeanAccuracy(task="binary"), preds, target)) == pytest.approx((1 + 2 / 3) / 2)
    assert float(value(FrequencyWeightedIoU(task="binary"), preds, target)) == pytest.approx((1 / 2 + 3 * 2 / 3) / 4)
    assert float(value(PixelAccuracy(task="binary"), preds, target)) == pytest.approx(3 / 4)


def test_multilabel_averages_over_labels():
    preds = torch.tensor([[[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]])
    target = torch.tensor([[[1, 0, 0, 0], [1, 1, 1, 0], [0, 0, 0, 0]]])
    arguments = {"task": "multilabel", "num_labels": 3}
    assert float(value(MeanIoU(**arguments), preds, target)) == pytest.approx((1 / 2 + 1 / 3) / 2)
    assert float(value(MeanIoU(**arguments, average="micro"), preds, target)) == pytest.approx(2 / 5)
    assert float(value(MeanIoU(**arguments, exclude=[1]), preds, target)) == pytest.approx(1 / 2)
    both = value(SegmentationMetrics(**arguments, exclude=[0]), preds, target)
    assert float(both["PixelAccuracy"]) == pytest.approx((2 / 4 + 1) / 2)
    assert float(both["mIoU"]) == pytest.approx(1 / 3)
    assert float(value(PixelAccuracy(**arguments), preds, target)) == pytest.approx((3 / 4 + 2 / 4 + 1) / 3)


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
@pytest.mark.parametrize(("absent", "expected"), [("skip", math.nan), (0.0, 0.0), (1.0, 1.0)])
def test_everything_ignored(average, absent, expected):
    metric = MeanIoU(3, ignore_index=255, average=average, absent=absent)
    assert float(value(metric, torch.tensor([0, 1]), torch.tensor([255, 255]))) == pytest.approx(expected, nan_ok=True)


def test_void_predictions_are_misses_and_nobodys_false_alarms():
    preds, target = torch.tensor([0, 7, 1, 1]), torch.tensor([0, 0, 1, 1])
    assert value(MeanIoU(2, average="none", validate_args=False), preds, target).tolist() == [0.5, 1.0]


def test_leading_axes_are_free():
    counts = torch.randint(0, 50, (2, 3, 5, 5))
    for average in ("macro", "micro", "weighted", "none"):
        how = Averaging(average, exclude=(1,))
        whole = how.reduce(iou, areas_of(counts))
        for i in range(2):
            for j in range(3):
                torch.testing.assert_close(whole[i, j], how.reduce(iou, areas_of(counts[i, j])), equal_nan=True)


@pytest.mark.parametrize("kind", [PixelAccuracy, CohenKappa, MatthewsCorrCoef])
@pytest.mark.parametrize("absent", [0.0, 1.0, 0.25])
def test_a_score_of_the_matrix_that_is_0_over_0_has_the_score_of_absent(kind, absent):
    nothing = torch.full((1, 4), 255)
    assert float(kind(2, absent=absent, ignore_index=255)(nothing * 0, nothing)) == absent
    assert math.isnan(float(kind(2, ignore_index=255)(nothing * 0, nothing)))
    labels = torch.zeros(1, 2, 4, dtype=torch.int64)
    ignored = labels.clone()
    ignored[:, 1] = 255
    metric = kind(task="multilabel", num_labels=2, absent=absent, ignore_index=255)
    one = float(kind(task="binary", absent=absent)(labels[:, 0], labels[:, 0]))
    assert float(metric(labels, ignored)) == pytest.approx((one + absent) / 2)


@pytest.mark.parametrize("kind", [PixelAccuracy, CohenKappa, MatthewsCorrCoef])
def test_a_label_without_a_score_is_left_out_of_the_mean_over_labels(kind):
    target = torch.tensor([[[0, 1, 1, 0], [255, 255, 255, 255]]])
    preds = torch.tensor([[[0, 1, 0, 0], [0, 1, 0, 0]]])
    metric = kind(task="multilabel", num_labels=2, ignore_index=255)
    one = kind(task="binary")(preds[:, 0], target[:, 0])
    assert float(metric(preds, target)) == float(one)
    assert 0 < float(one) < 1


def test_a_table_decides_by_the_positive_class_alone_whether_a_binary_target_is_empty():
    metric = MeanIoU(task="binary", absent_if="target_unless_empty")
    assert float(metric(torch.ones(1, 4, dtype=torch.int64), torch.zeros(1, 4, dtype=torch.int64))) == 0.0
    assert [number.value for number in metric.table().columns["IoU"].scores] == [0.0, 0.0]
