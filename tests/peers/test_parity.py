"""The settings that give the numbers of other systems over a data set, held to their counting as tests.helpers.peers states it.

``peers.EXAMPLE`` is checked by hand; ours must agree with the peer on it and on what hypothesis draws.
"""

from fractions import Fraction as F

import pytest
import torch
from hypothesis import assume, example, given
from hypothesis import strategies as st
from torchmetrics.classification import BinaryJaccardIndex, MulticlassJaccardIndex, MultilabelJaccardIndex

from segiou import (
    Dice,
    FrequencyWeightedIoU,
    LabelSet,
    MeanAccuracy,
    MeanIoU,
    PixelAccuracy,
    SegmentationMetrics,
)
from tests.helpers import peers, strategies
from tests.helpers.peer_values import LOOSE, exactly, tensors, value
from tests.helpers.peers import EXAMPLE, WITHOUT_VOID

VOID = [-1, 255]
IMAGES = strategies.images([*range(4), *VOID], [*range(4), 255])
ARGMAXED = strategies.images(range(4), [*range(4), 255])  # systems that take the argmax themselves have no void
RAW = [*peers.CATEGORY, 29, 0, -1]


@pytest.mark.parametrize(
    ("found", "by_hand"),
    [
        (
            peers.mmsegmentation(EXAMPLE, 5),
            {
                "mIoU": (F(3, 5) + F(2, 5) + F(1, 2) + 0) / 4,
                "mAcc": (F(3, 4) + F(2, 4) + F(1, 2)) / 3,
                "mDice": (F(6, 8) + F(4, 7) + F(2, 3) + 0) / 4,
                "aAcc": F(6, 10),
            },
        ),
        (
            peers.evaluate([[(2, 0), (0, 1), (1, 2), (0, 2), (2, 255)]], 3, 255, True),  # class 2: ignored pixels only
            {"mean_iou": (F(1, 2) + F(1, 2)) / 2, "mean_accuracy": (1 + F(1, 2)) / 2, "overall_accuracy": F(2, 3)},
        ),
        (peers.pascal_voc(WITHOUT_VOID, 5), None),
        (peers.pascal_voc(WITHOUT_VOID, 4), (F(3, 6) + F(2, 5) + F(1, 2) + 0) / 4),
        (
            peers.ade20k([[((p + 1) % 256, (t + 1) % 256) for p, t in image] for image in EXAMPLE], 5),
            {"mIoU": F(3, 10), "pixel accuracy": F(6, 10), "score": F(9, 20)},  # (3/5 + 2/5 + 1/2 + 0 + 0) / 5
        ),
        (
            peers.coco_stuff(WITHOUT_VOID, 5),
            {
                "mIoU": 100 * (F(3, 6) + F(2, 5) + F(1, 2)) / 3,
                "fwIoU": 100 * (F(3, 6) * 4 + F(2, 5) * 4 + F(1, 2) * 2) / 10,
                "mACC": 100 * (F(3, 4) + F(2, 4) + F(1, 2)) / 3,
                "pACC": 60,
            },
        ),
        (peers.keras(EXAMPLE, 5), (F(3, 5) + F(2, 5) + 1 + 0) / 4),  # the void pixel is not counted: class 2 is right
        (peers.ignite(WITHOUT_VOID, 5, peers.iou), (F(3, 6) + F(2, 5) + F(1, 2) + 0 + 0) / 5),
        (peers.ignite(WITHOUT_VOID, 5, peers.iou, ignore_index=0), (F(2, 5) + F(1, 2) + 0 + 0) / 4),
        (peers.ignite(WITHOUT_VOID, 5, peers.dice), (F(6, 9) + F(4, 7) + F(2, 3) + 0 + 0) / 5),
        (
            # road, a person that is half a rider, a car of which one pixel is void, and an ignored pixel
            peers.cityscapes([[(7, 7), (26, 7), (24, 24), (25, 24), (26, 26), (0, 26), (24, 4)]]),
            ((F(1, 2) + F(1, 2) + 0 + F(1, 3)) / 4, (F(1, 2) + 1 + F(1, 3)) / 3),
        ),
    ],
)
def test_the_peers_by_hand(found, by_hand):
    assert found == by_hand


@example(images=EXAMPLE)
@given(images=IMAGES)
def test_mmsegmentation(images):
    expected = peers.mmsegmentation(images, 5)
    for name, metric in {"mIoU": MeanIoU, "mAcc": MeanAccuracy, "mDice": Dice, "aAcc": PixelAccuracy}.items():
        assert value(metric(5, **LOOSE), images) == exactly(expected[name])


@given(images=strategies.images([*range(4), *VOID], range(4)))
def test_an_ignored_class_of_mmsegmentation_is_still_scored_where_it_is_predicted(images):
    preds, target = tensors(images)
    expected = [peers.iou(a) for a in peers.per_class(images, 4, [0])]
    assert peers.mmsegmentation(images, 4, ignore_index=0)["mIoU"] == peers.mean(expected)
    assert float(MeanIoU(4, **LOOSE)(preds, target.masked_fill(target == 0, 255))) == exactly(peers.mean(expected))
    assert value(MeanIoU(4, ignore_index=0, validate_args=False), images) == exactly(peers.mean(expected[1:]))


@example(images=[[(2, 0), (0, 1), (1, 2), (0, 2), (2, 255)]], reduce_labels=True)
@given(images=IMAGES, reduce_labels=st.booleans())
def test_evaluate(images, reduce_labels):
    expected = peers.evaluate(images, 4, 255, reduce_labels)
    labels = LabelSet("reduced", ["a", "b", "c", "d"], ignore_index=255, reduce_zero_label=True)
    preds, target = tensors(images)
    target = labels.encode(target) if reduce_labels else target
    for name, metric in {"mean_iou": MeanIoU, "mean_accuracy": MeanAccuracy, "overall_accuracy": PixelAccuracy}.items():
        assert float(metric(4, **LOOSE)(preds, target)) == exactly(expected[name])


def test_the_numbers_of_evaluates_documentation():
    """Three images of several sizes, 10 classes: 0.4775, 0.5917 and 0.5263."""
    preds = [[[1, 2], [3, 4], [5, 255]], [[2, 7], [9, 2], [3, 6]], [[2, 2, 3], [8, 2, 4], [3, 255, 2]]]
    target = [[[0, 3], [5, 4], [6, 255]], [[1, 7], [9, 2], [3, 6]], [[1, 2, 2], [8, 2, 1], [3, 255, 1]]]
    metrics = SegmentationMetrics(10, **LOOSE)
    metrics.update([torch.tensor(image) for image in preds], [torch.tensor(image) for image in target])
    found = metrics.compute()
    assert float(found["mIoU"]) == exactly(F("0.4775"))
    assert float(found["MeanAccuracy"]) == exactly(F(71, 120))
    assert float(found["PixelAccuracy"]) == exactly(F(10, 19))


@given(images=ARGMAXED, classes=st.sampled_from([4, 5]))
def test_pascal_voc(images, classes):
    found = MeanIoU(classes, ignore_index=255, average="none")(*tensors(images)).mean()
    assert float(found) == exactly(peers.pascal_voc(images, classes))


@example(images=[[((p + 1) % 256, (t + 1) % 256) for p, t in image] for image in EXAMPLE])
@given(images=strategies.images([*range(6), 150], [*range(5), 150]))
def test_ade20k(images):
    expected = peers.ade20k(images, 150)
    assume(expected["score"] is not None)
    preds, target = (LabelSet.of("ade20k").encode(part) for part in tensors(images))
    found = SegmentationMetrics("ade20k", absent=0.0, validate_args=False)(preds, target)
    assert float(found["mIoU"]) == exactly(expected["mIoU"])
    assert float(found["PixelAccuracy"]) == exactly(expected["pixel accuracy"])
    assert float((found["PixelAccuracy"] + found["mIoU"]) / 2) == exactly(expected["score"])


@example(images=WITHOUT_VOID)
@given(images=ARGMAXED)
def test_coco_stuff_and_detectron2(images):
    expected = peers.coco_stuff(images, 5)
    arguments = {"num_classes": 5, "ignore_index": 255, "absent_if": "target"}
    metrics = {"mIoU": MeanIoU, "fwIoU": FrequencyWeightedIoU, "mACC": MeanAccuracy}
    for name, metric in metrics.items():
        assert 100 * value(metric(**arguments), images) == exactly(expected[name])
    assert 100 * value(PixelAccuracy(5, ignore_index=255), images) == exactly(expected["pACC"])


@example(images=EXAMPLE, ignore_class=None)
@given(images=IMAGES, ignore_class=st.sampled_from([None, 0]))
def test_keras(images, ignore_class):
    preds, target = tensors(images)
    target = target.masked_fill((preds < 0) | (preds >= 5) | (target == ignore_class), 255)
    assert float(MeanIoU(5, **LOOSE)(preds, target)) == exactly(peers.keras(images, 5, ignore_class))


@example(images=WITHOUT_VOID, ignore_index=None)
@example(images=WITHOUT_VOID, ignore_index=0)
@given(images=ARGMAXED, ignore_index=st.sampled_from([None, 0, 4]))
def test_ignite(images, ignore_index):
    for metric, formula in ((MeanIoU, peers.iou), (Dice, peers.dice)):
        found = value(metric(5, absent=0.0, exclude=ignore_index, ignore_index=255), images)
        assert found == exactly(peers.ignite(images, 5, formula, ignore_index))


@given(images=strategies.images(RAW, RAW))
def test_cityscapes(images):
    """Raw ids; void where it is predicted is a miss, and nobody's false alarm."""
    preds, target = (LabelSet.of("cityscapes").encode(part) for part in tensors(images))
    classes, categories = peers.cityscapes(images)
    assert float(MeanIoU("cityscapes", validate_args=False)(preds, target)) == exactly(classes)
    assert float(MeanIoU("cityscapes", groups=True, validate_args=False)(preds, target)) == exactly(categories)


@pytest.mark.parametrize("ignore_index", [None, -1, 0, 2])
@pytest.mark.parametrize("average", ["macro", "micro", "weighted", "none"])
def test_torchmetrics(average, ignore_index):
    preds, target = torch.randn(4, 6, 9, 9), torch.randint(0, 4, (4, 9, 9))
    preds[:, 4] = -9  # class 4 is absent, class 5 is only predicted
    if ignore_index == -1:
        target[0] = -1
    theirs = MulticlassJaccardIndex(6, average=average, ignore_index=ignore_index)(preds, target)
    absent = 0.0 if average == "none" else "skip"
    ours = MeanIoU(6, average=average, ignore_index=ignore_index, absent=absent)(preds, target)
    torch.testing.assert_close(ours, theirs)


def test_torchmetrics_by_hand():
    preds, target = tensors(WITHOUT_VOID)
    found = MulticlassJaccardIndex(5, ignore_index=255)(preds, target)
    assert float(found) == exactly((F(3, 6) + F(2, 5) + F(1, 2) + 0) / 4)
    assert float(MeanIoU(5, ignore_index=255)(preds, target)) == float(found)


def test_torchmetrics_binary_and_multilabel():
    """An absent label is 0 there, and in the macro average of labels too."""
    scores, target = torch.rand(4, 3, 9), torch.randint(0, 2, (4, 3, 9))
    scores[:, 0], target[:, 0] = 0.1, 0
    torch.testing.assert_close(MeanIoU(task="binary")(scores, target), BinaryJaccardIndex()(scores, target))
    for average in ("macro", "micro", "weighted", "none"):
        theirs = MultilabelJaccardIndex(3, average=average)(scores, target)
        ours = MeanIoU(task="multilabel", num_labels=3, average=average, absent=0.0)(scores, target)
        torch.testing.assert_close(ours, theirs)
    nothing = BinaryJaccardIndex()(scores[:, 0], target[:, 0])
    assert MeanIoU(task="binary", absent=0.0)(scores[:, 0], target[:, 0]) == nothing == 0
