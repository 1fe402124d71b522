"""Score maps of another size than the target count as F.interpolate followed by argmax, in float32."""

import re

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from segiou import Dice, MeanIoU
from segiou.counting import Rules, count
from segiou.functional import mean_iou
from tests import oracle
from tests.strategies import FLOATS

MODES = [("bilinear", False), ("bilinear", True), ("nearest", False)]
modes = pytest.mark.parametrize(("mode", "align"), MODES)
sides = st.integers(1, 40)


def interpolated(preds: torch.Tensor, size: tuple[int, ...], mode: str, align: bool) -> torch.Tensor:
    return F.interpolate(preds.float(), size=size, mode=mode, align_corners=align if mode == "bilinear" else None)


@modes
@pytest.mark.parametrize("per_image", [False, True])
@given(
    sizes=st.tuples(sides, sides, sides, sides),
    classes=st.integers(1, 9),
    dtype=st.sampled_from(FLOATS),
    levels=st.sampled_from([3, 1000]),
    channels_last=st.booleans(),
)
def test_counts_equal_interpolate_and_argmax(mode, align, per_image, sizes, classes, dtype, levels, channels_last):
    """Few levels give many ties; any pair of sizes, up or down."""
    h, w, height, width = sizes
    preds = (torch.randint(-levels, levels, (2, classes, h, w)) / 8).to(dtype)
    preds = preds.to(memory_format=torch.channels_last) if channels_last else preds
    target = torch.randint(0, classes + 1, (2, height, width))
    rules = Rules.of(classes, ignore_index=classes, upsample=mode, align_corners=align)
    counted = count(preds, target, rules, per_image=per_image)
    labels = interpolated(preds, (height, width), mode, align).argmax(1)
    expected = count(labels, target, Rules.of(classes, ignore_index=classes), per_image=per_image)
    assert torch.equal(counted.counts, expected.counts)


@modes
def test_nan_and_infinities_go_as_in_interpolate(mode, align):
    preds = torch.randn(2, 4, 6, 5)
    preds[0, 1, 2, 3], preds[1, 3, 0, 0], preds[1, 2, 5, 4] = float("nan"), float("inf"), -float("inf")
    target = torch.randint(0, 4, (2, 17, 23))
    counted = count(preds, target, Rules.of(4, upsample=mode, align_corners=align))
    resized = interpolated(preds, (17, 23), mode, align)
    assert counted.counts.tolist() == oracle.matrix(resized.argmax(1).flatten().tolist(), target.flatten().tolist(), 4)
    assert counted.errors.tolist() == [0, 0, int(resized.isnan().any(1).sum()), 0]


@modes
def test_binary_and_multilabel_scores_are_resized_too(mode, align):
    arguments = {"upsample": mode, "align_corners": align}
    probabilities, target = torch.rand(3, 2, 5, 6), torch.randint(0, 2, (3, 2, 11, 9))
    resized = interpolated(probabilities, (11, 9), mode, align)
    metric, plain = (MeanIoU(task="multilabel", num_labels=2, **extra) for extra in (arguments, {}))
    metric.update(probabilities, target)
    plain.update(resized, target)
    assert torch.equal(metric.confmat, plain.confmat)
    metric, plain = Dice(task="binary", from_logits=True, **arguments), Dice(task="binary", from_logits=True)
    logits = torch.randn(3, 1, 5, 6)
    metric.update(logits, target[:, 0])
    plain.update(interpolated(logits, (11, 9), mode, align), target[:, 0])
    assert torch.equal(metric.confmat, plain.confmat)


def test_scores_of_the_targets_size_and_labels_are_taken_as_they_are():
    preds, target = torch.randn(2, 3, 4, 5), torch.randint(0, 3, (2, 4, 5))
    assert mean_iou(preds, target, 3, upsample="bilinear") == mean_iou(preds, target, 3)
    assert mean_iou(preds.argmax(1), target, 3, upsample="bilinear") == mean_iou(preds, target, 3)


def test_a_list_of_differently_sized_images():
    sizes = [(8, 6), (5, 9), (16, 16)]
    preds, targets = [torch.randn(3, 4, 4) for _ in sizes], [torch.randint(0, 3, size) for size in sizes]
    metric = MeanIoU(3, upsample="bilinear")
    metric.update(preds, targets)
    expected = MeanIoU(3)
    for image, target in zip(preds, targets, strict=True):
        expected.update(interpolated(image[None], target.shape, "bilinear", False), target[None])
    assert torch.equal(metric.confmat, expected.confmat)


@pytest.mark.parametrize("shape", [(0, 3, 4, 4), (2, 3, 4, 4)])
def test_empty_batches(shape):
    metric = MeanIoU(3, upsample="bilinear")
    metric.update(torch.zeros(shape), torch.zeros(shape[0], 0, 7, dtype=torch.int64))
    assert int(metric.confmat.sum()) == 0


@pytest.mark.parametrize(
    ("preds", "target"),
    [
        (torch.zeros(2, 3, 4), torch.zeros(2, 8, dtype=torch.int64)),
        (torch.zeros(2, 3, 4, 4, 4), torch.zeros(2, 8, 8, 8, dtype=torch.int64)),
        (torch.zeros(2, 3, 4, 4), torch.zeros(3, 8, 8, dtype=torch.int64)),
        (torch.zeros(2, 3, 0, 4), torch.zeros(2, 8, 8, dtype=torch.int64)),
        (torch.zeros(2, 3, 4, 4, dtype=torch.int64), torch.zeros(2, 8, 8, dtype=torch.int64)),
    ],
)
def test_what_cannot_be_resized_is_an_error(preds, target):
    metric = MeanIoU(3, upsample="bilinear")
    with pytest.raises(ValueError, match=re.escape('pass upsample="bilinear" if floating score maps (N, C, h, w)')):
        metric.update(preds, target)
    assert metric.update_count == 0


def test_align_corners_is_for_bilinear():
    with pytest.raises(ValueError, match="^align_corners is for upsample=\"bilinear\", got upsample='nearest'$"):
        MeanIoU(3, upsample="nearest", align_corners=True)
