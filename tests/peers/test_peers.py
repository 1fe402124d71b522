"""Errors seen in other systems that we do not share; where theirs is at hand, it is shown.

Counts above 2^24 (float32 there) and 2^31 (int32) are in tests.metrics.test_laws, label maps that are replaced in a chain or in
the caller's array in tests.labels.test_label_set.
"""

import pytest
import torch
from torchmetrics.classification import BinaryConfusionMatrix, MulticlassConfusionMatrix
from torchmetrics.segmentation import MeanIoU as ImagewiseMeanIoU

from segiou import ConfusionMatrix, Imagewise, ImagewiseIoU, LabelSet, MeanIoU


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


def test_one_nan_makes_logits_of_a_batch_of_torchmetrics_and_is_one_negative_pixel_here():
    preds, target = torch.tensor([[0.2, 0.3, 0.9, float("nan")]]), torch.tensor([[0, 0, 1, 1]])
    assert BinaryConfusionMatrix()(preds, target).tolist() == [[0, 2], [1, 1]]  # the sigmoid of 0.2 is above 0.5
    metric = ConfusionMatrix(task="binary")
    metric.update(preds, target)
    with pytest.warns(UserWarning, match="^1 pixel had nan among their scores"):
        assert metric.compute().tolist() == [[2, 0], [1, 1]]


def test_monai_drops_false_alarms_of_images_without_a_target_and_we_count_them():
    """Two images; the second has nothing, of which half is found."""
    preds, target = torch.tensor([[1, 1], [1, 0]]), torch.tensor([[1, 1], [0, 0]])
    assert float(ImagewiseIoU(task="binary", absent_if="target")(preds, target)) == 1  # as there, ignore_empty=True
    assert float(ImagewiseIoU(task="binary")(preds, target)) == (1 + 0) / 2
    assert float(MeanIoU(task="binary")(preds, target)) == pytest.approx(2 / 3)
    assert float(Imagewise(MeanIoU(task="binary"))(preds, target)) == (1 + 0) / 2


def test_weights_of_classes_over_images_make_1_of_a_perfect_prediction():
    """segmentation_models_pytorch's "weighted-imagewise" makes 1/C of it."""
    target = torch.tensor([[0, 1, 2], [0, 2, 2]])
    of_classes = Imagewise(MeanIoU(3, absent=1.0, average="none"))(target, target)
    assert float((of_classes * torch.tensor([0.5, 0.3, 0.2])).sum()) == pytest.approx(1)


@pytest.mark.parametrize("threshold", [0.0, 0.25, 1.0])
def test_a_threshold_is_of_the_scores_alone(threshold):
    """segmentation_models_pytorch compares the target with it too: with 0 every target pixel is positive."""
    preds, target = torch.tensor([[0.0, 0.5, 0.0, 0.5]]), torch.tensor([[0, 1, 1, 0]])
    metric = ConfusionMatrix(task="binary", threshold=threshold)
    positive = [[1, 1], [1, 1]] if threshold < 0.5 else [[2, 0], [2, 0]]
    assert metric(preds, target).tolist() == positive


def test_a_class_that_is_in_no_image_does_not_lower_the_mean():
    """ignite counts it as 0, from its 1e-15 in the denominator."""
    target = torch.tensor([[0, 1, 1]])
    assert float(MeanIoU(4)(target, target)) == 1


def test_a_void_prediction_is_counted_or_refused_and_breaks_nothing():
    """cityscapesScripts takes 255 for a place in its matrix of 34 ids."""
    preds, target = torch.tensor([[255, 0]]), torch.tensor([[0, 0]])
    assert float(MeanIoU("cityscapes", validate_args=False)(preds, target)) == 1 / 2
    with pytest.raises(ValueError, match="^preds labels must be 0 to 18, got 255"):
        MeanIoU("cityscapes")(preds, target)
    with pytest.raises(ValueError, match="^raw must hold ids of 'cityscapes', got 255"):
        LabelSet.of("cityscapes").encode(preds)
