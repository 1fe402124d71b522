"""Intervals and comparisons: the same draws anywhere, and the coverage that they promise."""

import math
import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segiou import ConfidenceInterval, ConfusionMatrix, Dice, MeanIoU, PairedComparison, SegmentationMetrics
from segiou.metrics.poisson_weights import key_of, poisson_weights
from tests.helpers import oracle

MASK = 2**64 - 1


def mixed(x: int) -> int:
    """SplitMix64's finalizer in unsigned Python integers."""
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def weight(key: int, replicate: int, seed: int) -> int:
    """Walk up the distribution function of Poisson(1) until it passes the hash."""
    start = mixed(mixed(seed & MASK) ^ (key & MASK))
    uniform = mixed((start + (replicate + 1) * 0x9E3779B97F4A7C15) & MASK) & (MASK >> 1)
    k, total = 0, math.exp(-1)
    while uniform >= total * 2**63:
        k += 1
        total += math.exp(-1) / math.factorial(k)
    return k


def images(n: int, error: float = 0.3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Labels of n images of 3 classes that are hard or easy as a whole."""
    rng = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 3, (n, 6, 5), generator=rng)
    hard = torch.rand(n, 1, 1, generator=rng) * 2 * error
    wrong = torch.rand(n, 6, 5, generator=rng) < hard
    return torch.where(wrong, (target + 1) % 3, target), target


@given(seed=st.integers(-(2**40), 2**63 - 1), key=st.integers(-(2**63), 2**63 - 1))
def test_weights_are_those_of_a_loop_in_unsigned_integers(seed, key):
    drawn = poisson_weights(torch.tensor([key, 0]), 100, seed)
    assert drawn.shape == (100, 2)
    assert drawn[:, 0].tolist() == [weight(key, r, seed) for r in range(100)]


def test_weights_have_the_distribution_of_poisson():
    drawn = poisson_weights(torch.tensor([key_of(i) for i in range(500)]), 2000, seed=1)
    shares = torch.bincount(drawn.flatten(), minlength=9)[:6].double() / drawn.numel()
    expected = torch.tensor([math.exp(-1) / math.factorial(k) for k in range(6)], dtype=torch.float64)
    assert ((shares - expected).abs() < 5 * (expected / drawn.numel()).sqrt()).all()
    correlation = torch.corrcoef(drawn[:100].double()).fill_diagonal_(0)
    assert correlation.abs().max() < 6 / math.sqrt(500)
    assert torch.corrcoef(drawn.T[:100].double()).fill_diagonal_(0).abs().max() < 6 / math.sqrt(2000)


def test_keys_of_ids_are_apart():
    names = [1, "1", 0, "", "a", "b", -1, 2**70]
    assert len({key_of(name) for name in names}) == len(names)
    assert key_of("a") == key_of("a")
    assert all(-(2**63) <= key_of(name) < 2**63 for name in names)


def test_names_of_files_that_are_no_utf_8_are_ids_too():
    preds, target = images(2)
    m = ConfidenceInterval(MeanIoU(3), replicates=100)
    m.update(preds, target, ids=[b"\xff.png".decode("utf-8", "surrogateescape"), b"\xfe.png".decode("latin-1")])
    assert m.images.tolist() == [2, 0]
    assert key_of("\udcff") != key_of("\udcfe")


def test_a_replicate_is_the_score_of_the_images_taken_so_often():
    preds, target = images(5)
    m = ConfidenceInterval(MeanIoU(3), replicates=100, seed=3)
    m.update(preds, target, ids=["a", "b", "c", "d", "e"])
    values = m.values(0)
    for r in range(20):
        counts = [[0] * 4 for _ in range(4)]
        for p, t, name in zip(preds, target, "abcde", strict=True):
            one = oracle.matrix(oracle.pixels(p), oracle.pixels(t), 3)
            times = weight(key_of(name), r, 3)
            counts = [[x + times * y for x, y in zip(*rows, strict=True)] for rows in zip(counts, one, strict=True)]
        assert float(values[1 + r]) == pytest.approx(oracle.macro(oracle.iou, counts), rel=1e-6, nan_ok=True)
    assert values[0] == MeanIoU(3)(preds, target)
    ordered = sorted(values[1:].tolist())
    interval = m.compute()
    assert ordered[1] <= float(interval.low) <= ordered[4]
    assert ordered[-5] <= float(interval.high) <= ordered[-2]


def test_with_ids_nothing_depends_on_batches_or_their_order():
    preds, target = images(20)
    whole, parts = (ConfidenceInterval(Dice(3), replicates=100) for _ in range(2))
    whole.update(preds, target, ids=[f"{i}.png" for i in range(20)])
    for i in torch.randperm(20, generator=torch.Generator().manual_seed(0)).tolist():
        parts.update(preds[i : i + 1], target[i : i + 1], ids=[f"{i}.png"])
    assert parts.compute() == whole.compute()
    assert torch.equal(getattr(parts, parts._sums_name), getattr(whole, whole._sums_name))


def test_without_ids_images_are_known_by_their_place():
    preds, target = images(8)
    whole, parts = (ConfidenceInterval(MeanIoU(3), replicates=100) for _ in range(2))
    whole.update(preds, target)
    for part in (slice(0, 3), slice(3, 8)):
        parts.update(preds[part], target[part])
    assert parts.compute() == whole.compute()
    other = ConfidenceInterval(MeanIoU(3), replicates=100, seed=1)
    other.update(preds, target)
    assert other.compute().value == whole.compute().value
    assert other.compute() != whole.compute()


def test_images_of_one_id_are_drawn_together():
    """Frames of a video: as one long image."""
    preds, target = images(12)
    frames, videos = (ConfidenceInterval(MeanIoU(3), replicates=100) for _ in range(2))
    frames.update(preds, target, ids=[i // 3 for i in range(12)])
    videos.update(preds.reshape(4, -1), target.reshape(4, -1), ids=range(4))
    assert frames.compute() == videos.compute()


def test_images_that_are_all_drawn_together_have_no_interval():
    preds, target = images(6)
    m = ConfidenceInterval(MeanIoU(3), replicates=100)
    m.update(preds, target, ids=["video"] * 6)
    with pytest.warns(UserWarning, match="^an interval needs two images or more, got 6 of one id, or of which"):
        assert torch.stack(m.compute()[1:]).isnan().all()
    m.update(preds, target.flip(0), ids=["other"] * 6)
    assert not torch.stack(m.compute()).isnan().any()
    paired = PairedComparison(MeanIoU(3), replicates=100)
    paired.update(preds, target, target, ids=["video"] * 6)
    with pytest.warns(UserWarning, match="^an interval needs two images or more, got 6 of one id, or of which"):
        result = paired.compute()
    assert math.isnan(result.p_value)
    assert math.isnan(result.difference.low)
    assert result.difference.value == result.b.value - result.a.value


def test_one_image_of_several_with_pixels_that_count_has_no_interval():
    preds, target = images(4)
    target[1:] = 255
    m = ConfidenceInterval(MeanIoU(3, ignore_index=255), replicates=100)
    m.update(preds, target)
    with pytest.warns(UserWarning, match="^an interval needs two images or more, got 4 of one id, or of which"):
        assert math.isnan(m.compute().low)


def test_a_class_that_is_absent_has_no_p_value():
    preds, target = images(6)
    paired = PairedComparison(MeanIoU(4, average="none"), replicates=100)
    paired.update(preds, target, target)
    assert paired.compute().p_value.isnan().tolist() == [False, False, False, True]


def test_the_state_does_not_grow_with_images():
    sizes = set()
    for n in (2, 200):
        m = ConfidenceInterval(MeanIoU(3), replicates=100)
        m.update(*images(n))
        sizes.add(sum(state.numel() for state in m.metric_state.values()))
    assert sizes == {1 * 101 * 3 * 3 + 2 + 4}


def test_a_95_percent_interval_holds_the_truth_in_92_to_98_percent_of_data_sets():
    """200 data sets of 100 images from a population whose IoU is that of 100 000 images."""
    truth = float(MeanIoU(3)(*images(100_000, seed=12345)))
    held = 0
    for seed in range(200):
        m = ConfidenceInterval(MeanIoU(3), seed=seed)
        m.update(*images(100, seed=seed))
        interval = m.compute()
        held += float(interval.low) <= truth <= float(interval.high)
    assert 0.92 <= held / 200 <= 0.98


def test_every_score_of_a_dict_has_an_interval_and_every_class_of_a_vector():
    preds, target = images(20)
    m = ConfidenceInterval(SegmentationMetrics(3, per_class=True), replicates=100)
    found = m(preds, target)
    plain = SegmentationMetrics(3, per_class=True)(preds, target)
    assert {name: interval.value for name, interval in found.items()} == plain
    assert all(interval.low <= interval.value <= interval.high for interval in found.values())
    vector = ConfidenceInterval(MeanIoU(3, average="none"), replicates=100)(preds, target)
    assert [part.shape for part in vector] == [(3,)] * 3
    assert vector.low[1] == found["IoU/1"].low
    multilabel = ConfidenceInterval(Dice(task="multilabel", num_labels=2), replicates=100)
    interval = multilabel(torch.rand(6, 2, 9), torch.randint(0, 2, (6, 2, 9)))
    assert interval.low < interval.value < interval.high


def test_two_equal_models_differ_by_nothing():
    preds, target = images(10)
    m = PairedComparison(MeanIoU(3), replicates=100)
    result = m(preds, preds, target)
    assert result.difference == (0, 0, 0)
    assert result.p_value == 1
    assert result.a == result.b
    alone = ConfidenceInterval(MeanIoU(3), replicates=100)
    assert result.a == alone(preds, target)


def test_a_paired_difference_is_narrower_than_two_intervals():
    preds, target = images(100)
    flip = torch.rand(preds.shape, generator=torch.Generator().manual_seed(5)) < 0.02
    better = torch.where(flip, target, preds)
    result = PairedComparison(MeanIoU(3))(preds, better, target)
    assert result.difference.low > 0
    assert result.p_value < 0.01
    assert result.difference.high - result.difference.low < (result.a.high - result.a.low) / 3
    back = PairedComparison(MeanIoU(3))(better, preds, target)
    assert back.difference.value == -result.difference.value


def test_two_models_of_one_kind_are_rarely_told_apart():
    small = 0
    for seed in range(100):
        a, target = images(60, seed=seed)
        rng = torch.Generator().manual_seed(1000 + seed)
        wrong = torch.rand(60, 6, 5, generator=rng) < torch.rand(60, 1, 1, generator=rng) * 0.6
        b = torch.where(wrong, (target + 1) % 3, target)
        small += float(PairedComparison(MeanIoU(3), replicates=200, seed=seed)(a, b, target).p_value) < 0.05
    assert small <= 12


@pytest.mark.parametrize("n", [2, 3, 5])
def test_few_images_tell_little(n):
    """Every image is better by far, and chance alone would have it so once in 2^(n - 1) data sets."""
    target = torch.randint(0, 3, (n, 6, 5), generator=torch.Generator().manual_seed(n))
    result = PairedComparison(MeanIoU(3))((target + 1) % 3, target, target)
    assert result.difference.value == 1
    assert float(result.p_value) == 2 ** (1 - n)


def test_images_without_ids_are_not_merged():
    a, b = (ConfidenceInterval(MeanIoU(3), replicates=100) for _ in range(2))
    a.update(*images(4))
    b.update(*images(4, seed=1))
    with pytest.raises(ValueError, match="^merge_state: both metrics counted images without ids"):
        a.merge_state(b)
    assert a.images.tolist() == [4, 4]
    named = ConfidenceInterval(MeanIoU(3), replicates=100)
    named.update(*images(4, seed=1), ids=["a", "b", "c", "d"])
    a.merge_state(named)
    assert a.images.tolist() == [8, 4]
    with pytest.raises(ValueError, match="^Expected incoming state to be a dict or an instance of Metric"):
        a.merge_state(None)


def test_one_image_has_no_interval():
    m = ConfidenceInterval(MeanIoU(3), replicates=100)
    with pytest.warns(UserWarning, match="^an interval needs two images or more, got 1: its bounds are nan"):
        interval = m(*images(1))
    assert interval.value == MeanIoU(3)(*images(1))
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)


def test_bad_input_changes_nothing():
    preds, target = images(3)
    m = PairedComparison(MeanIoU(3), replicates=100)
    for wrong in ((preds, preds + 9, target), (preds, preds[:2], target), (preds, preds, target, ["a"])):
        with pytest.raises(ValueError, match=r"^preds|^ids|labels"):
            m.update(*wrong)
    assert m.update_count == 0
    assert m.images.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConfidenceInterval(3), "takes a metric that follows from areas, such as MeanIoU(21), got int"),
        (
            lambda: ConfidenceInterval(ConfusionMatrix(3)),
            "takes a metric that follows from areas, such as MeanIoU(21), ",
        ),
        (lambda: ConfidenceInterval(MeanIoU(3), level=95), "level must be a probability between 0.5 and 0.999, got 95"),
        (lambda: ConfidenceInterval(MeanIoU(3), replicates=10), "replicates must be at least 100, got 10"),
        (lambda: ConfidenceInterval(MeanIoU(3), seed="x"), "seed must be an int, got 'x'"),
        (lambda: ConfidenceInterval(MeanIoU(3), seed=[1, 2]), "seed must be an int, got [1, 2]"),
        (lambda: ConfidenceInterval(MeanIoU(3), replicates=1e3), "replicates must be an int, got 1000.0"),
    ],
)
def test_messages(make, message):
    with pytest.raises((ValueError, TypeError), match=re.escape(message)):
        make()


@pytest.mark.parametrize("metric", [MeanIoU(3), MeanIoU(3, average="none"), SegmentationMetrics(3)])
def test_plots_show_the_bounds(metric):
    preds, target = images(9)
    m = ConfidenceInterval(metric, replicates=100)
    m.update(preds, target)
    _, axis = m.plot()
    value = m.compute()
    one = next(iter(value.values())) if isinstance(value, dict) else value
    shown = " ".join(text.get_text() for text in axis.texts)
    assert f"[{float(one.low.reshape(-1)[0]):.3f}, {float(one.high.reshape(-1)[0]):.3f}]" in shown
    paired = PairedComparison(metric, replicates=100)
    paired.update(preds, target, target)
    _, axis = paired.plot()
    assert len(axis.texts) == (10 if isinstance(value, dict) else one.value.numel())


@pytest.mark.usefixtures("_closed_figures")
@pytest.mark.parametrize("metric", [MeanIoU(3), MeanIoU(3, average="none"), SegmentationMetrics(3)])
def test_plots_of_several_values_show_every_one(metric):
    preds, target = images(9)
    m, paired = (kind(metric, replicates=100) for kind in (ConfidenceInterval, PairedComparison))
    m.update(preds, target)
    paired.update(preds, target, target)
    for each in (m, paired):
        _, one = each.plot()
        _, two = each.plot([each.compute(), each.compute()])
        names = [text.get_text() for text in one.get_yticklabels()]
        steps = [text.get_text() for text in two.get_yticklabels()]
        assert steps == ([f"{i}/{name}" for i in "01" for name in names] if len(names) > 1 else ["0", "1"])
        assert [text.get_text() for text in two.texts] == [text.get_text() for text in one.texts] * 2
        with pytest.raises(TypeError, match="^val must be what compute gives, or a list of that, got a Tensor$"):
            each.plot(torch.tensor(0.5))


@pytest.mark.parametrize("images", [2, 3, 5, 8])
def test_few_images_that_all_agree_have_the_p_value_of_a_test_of_signs(images):
    """Were there no difference, that all of n signs agree would have the probability 2^(1 - n)."""
    target = torch.zeros(images, 20, dtype=torch.int64)
    better, worse = target.clone(), target.clone()
    for image in range(images):
        worse[image, : image + 2] = 1
        better[image, 0] = 1
    metric = PairedComparison(MeanIoU(2, exclude=1))
    metric.update(worse, better, target)
    assert float(metric.compute().p_value) == 2.0 ** (1 - images)


def test_images_of_one_id_are_drawn_together_over_updates_too():
    rng = torch.Generator().manual_seed(0)
    target = torch.randint(0, 3, (8, 6, 6), generator=rng)
    preds = torch.where(torch.rand(8, 6, 6, generator=rng) < 0.3, (target + 1) % 3, target)
    ids = ["a", "b", "c", "d", "a", "b", "c", "d"]
    at_once, in_two, apart = (ConfidenceInterval(MeanIoU(3)) for _ in range(3))
    at_once.update(preds, target, ids=ids)
    for part in (slice(0, 4), slice(4, 8)):
        in_two.update(preds[part], target[part], ids=ids[part])
    apart.update(preds, target, ids=range(8))
    assert torch.equal(torch.stack(at_once.compute()), torch.stack(in_two.compute()))
    assert not torch.equal(torch.stack(at_once.compute()), torch.stack(apart.compute()))
