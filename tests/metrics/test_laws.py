"""Laws of the counts and the scores, for any input."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segiou import MeanIoU, SegmentationMetrics
from segiou.counting import Rules, count
from segiou.scoring import formulas
from tests.helpers import oracle
from tests.helpers.strategies import labels, scores

matrices = st.integers(1, 5).flatmap(
    lambda size: st.lists(st.integers(0, 2**40), min_size=(size + 1) ** 2, max_size=(size + 1) ** 2).map(
        lambda values: torch.tensor(values).view(size + 1, size + 1)
    )
)


@given(data=st.data(), images=st.integers(1, 6), classes=st.integers(1, 4))
def test_a_whole_is_the_sum_of_its_parts_in_any_order(data, images, classes):
    shape = (images, 3, 2)
    preds = data.draw(scores((images, classes, 3, 2)))
    target = data.draw(labels(shape, classes, wild=True))
    rules = Rules.of(classes, validate_args=False)
    whole = count(preds, target, rules).counts
    cuts = sorted(data.draw(st.lists(st.integers(0, images), max_size=3)))
    parts = [slice(a, b) for a, b in itertools.pairwise([0, *cuts, images])]
    parts = data.draw(st.permutations(parts))
    summed = sum(count(preds[part], target[part], rules).counts for part in parts)
    assert torch.equal(whole, summed)
    assert int(whole.sum()) == target.numel()


@given(data=st.data(), images=st.integers(1, 5))
def test_a_metric_over_batches_is_the_metric_of_the_whole(data, images):
    preds, target = data.draw(scores((images, 3, 4))), data.draw(labels((images, 4), 3, dtypes=[torch.int64]))
    one, many = MeanIoU(3), MeanIoU(3)
    one.update(preds, target)
    order = data.draw(st.permutations(range(images)))
    for image in order:
        many.update(preds[image : image + 1], target[image : image + 1])
    assert torch.equal(one.confmat, many.confmat)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("segiou.metrics.pixels.rank_zero_warn", lambda *args, **kwargs: None)
        assert torch.equal(one.compute().nan_to_num(-1), many.compute().nan_to_num(-1))


@given(counts=matrices)
def test_every_pixel_is_in_one_cell_and_areas_follow(counts):
    areas = formulas.areas_of(counts)
    for c in range(len(counts) - 1):
        assert tuple(int(area[c]) for area in areas) == oracle.class_areas(counts.tolist(), c)


@given(counts=matrices)
def test_dice_is_a_function_of_iou(counts):
    areas = formulas.floating(formulas.areas_of(counts))
    iou = formulas.iou(areas)
    torch.testing.assert_close(formulas.dice(areas), 2 * iou / (1 + iou), rtol=1e-14, atol=0, equal_nan=True)


@given(counts=matrices)
def test_dice_is_fbeta_of_one_and_fbeta_tends_to_precision_and_recall(counts):
    areas = formulas.floating(formulas.areas_of(counts))
    close = {"rtol": 1e-12, "atol": 0.0, "equal_nan": True}
    torch.testing.assert_close(formulas.fbeta(areas, 1.0), formulas.dice(areas), **close)
    torch.testing.assert_close(formulas.fbeta(areas, 0.0), formulas.precision(areas), **close)
    present = areas.target > 0
    limit = formulas.fbeta(areas, 1e9)[present]
    torch.testing.assert_close(limit, formulas.recall(areas)[present], rtol=1e-9, atol=1e-9)


@given(counts=matrices)
def test_scores_equal_the_fractions(counts):
    values = SegmentationMetrics(len(counts) - 1).value_of(counts)
    for name, value in values.items():
        expected = oracle.VALUES[{"mIoU": "MeanIoU"}.get(name, name)](counts.tolist())
        assert float(value) == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True), name


@pytest.mark.parametrize("pixels", [2**24, 2**31, 2**40, 2**52])
def test_large_counts_stay_exact(pixels):
    """Where float32 sums, int32 counts and 24-bit mantissas fail: one pixel more is one pixel more."""
    metric = MeanIoU(2)
    metric.confmat[0, 0] = pixels
    metric.update(torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]))
    assert metric.confmat.tolist() == [[pixels + 1, 1, 0], [0, 1, 0], [0, 0, 0]]
    areas = formulas.floating(formulas.areas_of(metric.confmat))
    assert formulas.iou(areas).tolist() == [(pixels + 1) / (pixels + 2), 0.5]


def test_many_images_in_half_precision_are_counted_exactly():
    """800 images in bfloat16, 40% right: float sums in that precision had reported 1.0."""
    metric = MeanIoU(2).to(torch.bfloat16)
    target = torch.zeros(10, 10, dtype=torch.int64)
    preds = target.clone()
    preds[4:] = 1
    for _ in range(800):
        metric.update(preds[None], target[None])
    assert metric.confmat[0].tolist() == [32_000, 48_000, 0]
    assert float(metric.compute()) == pytest.approx(0.2)
