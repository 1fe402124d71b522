"""iIoU, held to a loop over instances with fractions."""

import math
import re
from collections import defaultdict
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segiou import ConfidenceInterval, Imagewise, InstanceIoU, MeanIoU

GROUP = {0: 0, 1: 0, 2: 1, 3: 1}


def images(seed: int, n: int = 3) -> tuple[torch.Tensor, ...]:
    """Predictions, targets with ignored pixels, and instances; 0 and 1 are no instances."""
    rng = torch.Generator().manual_seed(seed)
    shape = (n, 6, 7)
    target = torch.randint(0, 5, shape, generator=rng)
    preds = torch.where(torch.rand(shape, generator=rng) < 0.7, target % 4, torch.randint(0, 4, shape, generator=rng))
    return preds, target.masked_fill(target == 4, 255), torch.randint(0, 6, shape, generator=rng)


def naive(preds, target, instances, sizes=None, first_id=2, group=None) -> float:
    """The mean over classes, or groups, of iTP / (iTP + FP + iFN)."""
    group = group or {c: c for c in range(4)}
    found, false_alarms = defaultdict(list), defaultdict(int)
    for image in range(len(target)):
        pixels = zip(*(part[image].flatten().tolist() for part in (preds, target, instances)), strict=True)
        pixels = [pixel for pixel in pixels if pixel[1] != 255]
        for p, t, _ in pixels:
            false_alarms[group[p]] += group[p] != group[t]
        for c, name in {(t, i) for _, t, i in pixels if i >= first_id}:
            own = [p for p, t, i in pixels if (t, i) == (c, name)]
            found[c].append((len(own), sum(group[p] == group[c] for p in own)))
    if sizes is None:
        sizes = {c: Fraction(sum(size for size, _ in own), len(own)) for c, own in found.items()}
    scores = []
    for g in sorted(set(group.values())):
        members = [c for c in sizes if group[c] == g]
        tp = sum((Fraction(sizes[c]) * right / size for c in members for size, right in found[c]), Fraction(0))
        both = sum((Fraction(sizes[c]) for c in members for _ in found[c]), Fraction(0)) + false_alarms[g]
        if members and both:
            scores.append(tp / both)
    return float(sum(scores, Fraction(0)) / len(scores)) if scores else math.nan


@given(seed=st.integers(0, 999), sizes=st.sampled_from([None, {0: 10, 2: 2.5}]), grouped=st.booleans())
def test_the_score_is_that_of_a_loop_over_instances(seed, sizes, grouped):
    arguments = {"groups": {"a": [0, 1], "b": [2, 3]}} if grouped else {}
    metric = InstanceIoU(4, sizes=sizes, first_id=2, ignore_index=255, **arguments)
    preds, target, instances = images(seed)
    for part in (slice(0, 1), slice(1, 3)):
        metric.update(preds[part], target[part], instances[part])
    expected = naive(preds, target, instances, sizes, group=GROUP if grouped else None)
    assert float(metric.compute()) == pytest.approx(expected, rel=1e-6)


def test_a_small_instance_counts_as_much_as_a_large_one():
    target = torch.ones(1, 110, dtype=torch.int64)
    instances = torch.ones(1, 110, dtype=torch.int64)
    instances[:, 100:] = 2
    preds = target.clone()
    preds[:, 100:] = 0
    metric = InstanceIoU(2)
    metric.update(preds, target, instances)
    assert float(metric.compute()) == 1 / 2
    assert float(MeanIoU(2, exclude=[0])(preds, target)) == pytest.approx(100 / 110)


def test_scores_lists_and_other_integers_count_the_same():
    preds, target, instances = images(1)
    plain = InstanceIoU(4, ignore_index=255)
    plain.update(preds, target, instances)
    scores = torch.nn.functional.one_hot(preds, 4).movedim(-1, 1).float()
    for arguments in (
        (scores, target.to(torch.uint8), instances.to(torch.int32).numpy()),
        (list(preds), list(target), list(instances)),
        (list(preds), target, instances),
        (preds, target, instances.to(torch.uint64)),
        (preds, target, torch.where(instances < 2, instances, instances - 2**63).view(torch.uint64)),
    ):
        metric = InstanceIoU(4, ignore_index=255)
        metric.update(*arguments)
        assert metric.compute() == plain.compute()
    small = torch.nn.functional.one_hot(torch.tensor([[[0, 1], [1, 1]]]), 2).movedim(-1, 1).float()
    up = InstanceIoU(2, upsample="nearest")
    up.update(small, torch.ones(1, 4, 4, dtype=torch.int64), torch.ones(1, 4, 4, dtype=torch.int64))
    assert float(up.compute()) == 3 / 4


def test_a_batch_without_images_adds_nothing():
    batch = images(2)
    metric, plain = (InstanceIoU(4, ignore_index=255) for _ in range(2))
    for part in (slice(0, 0), slice(0, None), slice(0, 0)):
        metric.update(*(values[part] for values in batch))
    metric.update([], [], [])
    plain.update(*batch)
    assert metric.compute() == plain.compute()


def test_merge_pickle_and_groups_of_states():
    parts = [images(seed) for seed in (0, 1)]
    a, b, whole = (InstanceIoU(4, ignore_index=255) for _ in range(3))
    for metric, part in ((a, parts[0]), (b, parts[1]), (whole, parts[0]), (whole, parts[1])):
        metric.update(*part)
    a.merge_state(b.clone())
    assert a.compute() == whole.compute()
    names = {InstanceIoU(4, **k)._instances_name for k in ({}, {"first_id": 9}, {"groups": {"a": [0, 1]}})}
    assert len(names) == 3


def test_bad_input_changes_nothing():
    preds, target, instances = images(0)
    metric = InstanceIoU(4, ignore_index=255)
    for wrong in (instances[:2], instances.float(), instances.cfloat(), instances[:, :3]):
        with pytest.raises(ValueError, match="^instances must be integers of the shape of target"):
            metric.update(preds, target, wrong)
    with pytest.raises(ValueError, match="preds"):
        metric.update(preds + 9, target, instances)
    assert metric.update_count == 0
    assert not metric.confmat.any()
    assert not metric.instances.any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InstanceIoU(task="binary"), "InstanceIoU is of task=\"multiclass\", got task='binary'"),
        (lambda: InstanceIoU(3, first_id=1.5), "first_id must be an int, got 1.5"),
        (lambda: InstanceIoU(3, sizes={0: -1}), "sizes must hold positive numbers of pixels, got -1"),
        (
            lambda: InstanceIoU(3, sizes={"car": 5}),
            "sizes must be a class of 0 to 2, or a class name, got 'car'",
        ),
        (
            lambda: InstanceIoU(3, groups={"a": [0, 1], "b": [1]}),
            "InstanceIoU needs groups that hold each class at most once",
        ),
        (
            lambda: Imagewise(InstanceIoU(3)),
            "Imagewise takes a metric that follows from areas, such as MeanIoU(21), got InstanceIoU",
        ),
        (
            lambda: ConfidenceInterval(InstanceIoU(3)),
            "ConfidenceInterval takes a metric that follows from areas, such as MeanIoU(21), got InstanceIoU",
        ),
    ],
)
def test_messages(make, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        make()


def test_the_plot_shows_each_class():
    metric = InstanceIoU(4, ignore_index=255, class_names=["a", "b", "c", "d"])
    metric.update(*images(0))
    _, axis = metric.plot()
    assert [text.get_text() for text in axis.get_yticklabels()] == ["a", "b", "c", "d"]


def test_cityscapes_has_its_sizes():
    sizes = InstanceIoU("cityscapes", first_id=1000).sizes
    assert len(sizes) == 8
    assert sizes[13] == pytest.approx(12794.02, abs=0.01)
    assert InstanceIoU("cityscapes", sizes={"car": 100}).sizes == {13: 100}


def test_an_instance_of_ignored_pixels_is_none():
    target = torch.tensor([[0, 1, 1, 255, 255, 2, 2, 2]])
    instances = torch.tensor([[0, 1, 1, 2, 2, 3, 3, 4]])
    preds = torch.tensor([[0, 1, 1, 1, 1, 2, 0, 2]])
    metric = InstanceIoU(3, ignore_index=255)
    metric.update(preds, target, instances)
    assert metric.instances[1].tolist() == [0, 1, 2]
    assert metric.instances[2].tolist() == [0, 2, 3]
    ignored_class = InstanceIoU(3, ignore_index=[1, 255])
    ignored_class.update(preds, target, instances)
    assert ignored_class.instances[1].tolist() == [0, 0, 2]
