"""The settings that the README names for people who come from elsewhere, and the peers' errors that we do not share."""

import numpy as np
import pytest
import torch
from torchmetrics.classification import BinaryJaccardIndex, MulticlassConfusionMatrix, MulticlassJaccardIndex
from torchmetrics.segmentation import MeanIoU as ImagewiseMeanIoU

from segiou import Dice, MeanAccuracy, MeanIoU, PixelAccuracy

# three classes and one that is absent; class 2 is predicted only
PREDS = torch.tensor([[0, 0, 1, 2, 1, 0]])
TARGET = torch.tensor([[0, 0, 1, 1, 0, 255]])
IOU = [2 / 3, 1 / 3, 0.0]


@pytest.mark.parametrize("average", ["macro", "micro", "weighted"])
def test_torchmetrics_jaccard_index(average):
    preds, target = torch.randn(4, 6, 9, 9), torch.randint(0, 5, (4, 9, 9))  # class 5 is predicted only
    theirs = MulticlassJaccardIndex(6, average=average, ignore_index=-1)
    torch.testing.assert_close(MeanIoU(6, average=average, ignore_index=-1)(preds, target), theirs(preds, target))


def test_torchmetrics_binary_jaccard_index():
    preds, target = torch.rand(4, 9, 9), torch.randint(0, 2, (4, 9, 9))
    torch.testing.assert_close(MeanIoU(task="binary")(preds, target), BinaryJaccardIndex()(preds, target))


def test_torchmetrics_counts_a_prediction_outside_in_another_cell_and_we_raise():
    preds, target = torch.tensor([5]), torch.tensor([0])
    theirs = MulticlassConfusionMatrix(3, validate_args=False)(preds, target)
    assert theirs[1, 2] == 1
    with pytest.raises(ValueError, match="preds labels must be 0 to 2, got 5"):
        MeanIoU(3)(preds, target)


def test_torchmetrics_segmentation_averages_images_and_we_score_the_data_set():
    """Two images, one missed pixel."""
    target = torch.zeros(2, 100, 100, dtype=torch.int64)
    target[1, 0, 0] = 1
    preds = torch.zeros_like(target)
    theirs = ImagewiseMeanIoU(2, input_format="index", include_background=True)(preds, target)
    assert float(theirs) < 0.9
    assert float(MeanIoU(2, average="micro")(preds, target)) == pytest.approx(19_999 / 20_001)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, sum(IOU) / 3),  # mmsegmentation, evaluate, Cityscapes, VOC, Keras: 0/0 is left out, predicted only is 0
        ({"absent": 0.0}, sum(IOU) / 4),  # ignite, ADE20K: an absent class counts as 0
        ({"absent": 1.0}, (sum(IOU) + 1) / 4),  # segmentation_models_pytorch: as 1
        ({"absent_if": "target"}, (2 / 3 + 1 / 3) / 2),  # COCO-Stuff, detectron2
        ({"exclude": [0]}, (1 / 3 + 0) / 2),  # MONAI's include_background=False
        ({"average": "micro"}, 3 / 7),
    ],
)
def test_absent_classes_as_each_peer_has_them(arguments, expected):
    assert float(MeanIoU(4, ignore_index=255, **arguments)(PREDS, TARGET)) == pytest.approx(expected)


def test_mmsegmentation_dice_and_accuracies():
    arguments = {"num_classes": 4, "ignore_index": 255}
    assert float(Dice(**arguments)(PREDS, TARGET)) == pytest.approx((4 / 5 + 1 / 2 + 0) / 3)
    assert float(MeanAccuracy(**arguments)(PREDS, TARGET)) == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert float(PixelAccuracy(**arguments)(PREDS, TARGET)) == pytest.approx(3 / 5)


def test_reduce_zero_label_of_evaluate():
    raw = np.array([[0, 1, 2, 2]], dtype=np.uint8)
    target = torch.from_numpy(raw).long() - 1
    assert float(MeanIoU(2, ignore_index=-1)(torch.tensor([[1, 0, 1, 1]]), target)) == 1
