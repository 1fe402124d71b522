"""Averages over images, held to loops over images with fractions."""

import math
import re
import warnings
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segiou import ConfidenceInterval, Imagewise, ImagewiseDice, ImagewiseIoU, MeanIoU, PixelAccuracy, Precision
from tests.helpers import oracle


def images(n: int = 7, seed: int = 0, classes: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    target = torch.randint(0, classes + 1, (n, 5, 4), generator=rng)
    target = torch.where(torch.rand(n, 1, 1, generator=rng) < 0.3, target % 2, target)  # some lack classes
    preds = torch.where(torch.rand(n, 5, 4, generator=rng) < 0.6, target % classes, torch.zeros_like(target))
    return preds, target.masked_fill(target == classes, 255)


def table(score, preds, target, classes: int = 4, absent_if: str = "target") -> list[list[Fraction | None]]:
    """The score of each class of each image; None where it is absent or 0/0."""
    rows = []
    for p, t in zip(preds, target, strict=True):
        counts = oracle.matrix(oracle.pixels(p), oracle.pixels(t), classes, (255,))
        areas = [oracle.class_areas(counts, c) for c in range(classes)]
        rows.append([score(*a) if a[2] or (absent_if == "union" and a[1]) else None for a in areas])
    return rows


def mean(values) -> Fraction | None:
    found = [value for value in values if value is not None]
    return sum(found, Fraction(0)) / len(found) if found else None


def lowest(values, percent: float | None):
    found = sorted(value for value in values if value is not None)
    return found if percent is None else found[: max(1, int(percent / 100 * len(found)))]


def expected(rows, over: str, worst: float | None = None) -> float:
    if over == "images":
        value = mean(lowest([mean(row) for row in rows], worst))
    else:
        value = mean(mean(lowest(column, worst)) for column in zip(*rows, strict=True))
    return math.nan if value is None else float(value)


@given(
    n=st.integers(0, 9),
    seed=st.integers(0, 999),
    over=st.sampled_from(["images", "classes"]),
    worst=st.sampled_from([None, 1, 30, 50.0, 100]),
    absent_if=st.sampled_from(["target", "union"]),
    keep=st.booleans(),
)
def test_the_averages_are_those_of_a_loop_over_images(n, seed, over, worst, absent_if, keep):
    preds, target = images(n, seed)
    for metric, score in ((ImagewiseIoU, oracle.iou), (ImagewiseDice, oracle.dice)):
        m = metric(4, over=over, worst=worst, absent_if=absent_if, keep_images=keep, ignore_index=255)
        for part in (slice(0, 3), slice(3, 4), slice(4, None)):
            m.update(preds[part], target[part])
        rows = table(score, preds, target, absent_if=absent_if)
        assert float(m.compute()) == pytest.approx(expected(rows, over, worst), rel=1e-6, nan_ok=True)


def test_the_worst_percent_are_rounded_down_as_fractions_are():
    """In floats 29 / 100 * 100 is below 29."""
    target = torch.ones(100, 100, dtype=torch.int64)
    preds = (torch.arange(100) < torch.arange(100)[:, None]).long()  # image i has i of 100 pixels right
    metric = ImagewiseIoU(2, worst=29)
    metric.update(preds, target)
    assert float(metric.compute()) == pytest.approx(sum(range(29)) / 29 / 100)


def test_the_example_of_two_images():
    """Image 1 has classes 0 and 1 with IoU 1/2 each, image 2 class 1 alone with IoU 1."""
    preds, target = torch.tensor([[0, 1, 1], [1, 1, 1]]), torch.tensor([[0, 1, 0], [1, 1, 1]])
    assert float(ImagewiseIoU(2)(preds, target)) == (1 / 2 + 1) / 2
    assert float(ImagewiseIoU(2, over="classes")(preds, target)) == (1 / 2 + (1 / 2 + 1) / 2) / 2
    per_class = Imagewise(MeanIoU(2, absent_if="target", average="none"))(preds, target)
    assert per_class.tolist() == [1 / 2, 3 / 4]


def test_a_class_that_is_only_predicted_is_not_active():
    preds, target = torch.tensor([[0, 1]]), torch.tensor([[0, 0]])
    assert float(ImagewiseIoU(2)(preds, target)) == 1 / 2
    assert float(ImagewiseIoU(2, absent_if="union")(preds, target)) == 1 / 4


def test_the_sum_does_not_depend_on_the_order_or_the_batches():
    preds, target = images(200)
    whole = ImagewiseIoU(4, ignore_index=255)(preds, target)
    order = torch.randperm(200, generator=torch.Generator().manual_seed(1))
    one_by_one = ImagewiseIoU(4, ignore_index=255)
    for i in order.tolist():
        one_by_one.update(preds[i : i + 1], target[i : i + 1])
    assert one_by_one.compute() == whole
    assert torch.equal(getattr(one_by_one, one_by_one._sums_name)[1], torch.tensor([200]))


def test_an_id_that_comes_again_counts_once():
    preds, target = images(5)
    m = ImagewiseIoU(4, keep_images=True, ignore_index=255)
    m.update(preds[:3], target[:3], ids=["a", "b", "c"])
    m.update(preds[2:], target[2:], ids=["c", "d", "e"])
    assert m.compute() == ImagewiseIoU(4, ignore_index=255)(preds, target)
    assert m.images().ids == ["a", "b", "c", "d", "e"]


def test_an_id_that_comes_again_with_other_pixels_is_said():
    preds, target = images(2)
    m = ImagewiseIoU(4, keep_images=True, ignore_index=255)
    m.update(preds, target, ids=[7, 8])
    m.update(1 - preds.clamp(0, 1), target, ids=torch.tensor([8, 7]))
    with pytest.warns(
        UserWarning, match="^2 images came again under an id that was seen before, with other pixels, .* 8"
    ):
        value = m.compute()
    assert value == ImagewiseIoU(4, ignore_index=255)(preds, target)


def test_images_without_ids_are_all_kept():
    preds, target = images(3)
    m = ImagewiseIoU(4, keep_images=True, ignore_index=255)
    m.update(preds, target)
    m.update(preds, target)
    assert m.images().ids == [None] * 6


def test_the_images_and_the_worst_of_them_by_name():
    preds, target = images(6)
    m = ImagewiseIoU(4, keep_images=True, ignore_index=255)
    names = [f"größe/{i}.png\n" for i in range(6)]
    m.update(preds, target, ids=names)
    kept = m.images()
    rows = table(oracle.iou, preds, target)
    means = [float(mean(row)) for row in rows]
    assert kept.ids == names
    assert kept.values.tolist() == pytest.approx(means)
    assert kept.per_class.shape == (6, 4)
    flat = [math.nan if v is None else float(v) for row in rows for v in row]
    assert kept.per_class.flatten().tolist() == pytest.approx(flat, nan_ok=True)
    order = sorted(range(6), key=lambda i: means[i])
    assert [name for name, _ in kept.worst(2)] == [names[i] for i in order[:2]]


@pytest.mark.parametrize("left_out", [{"exclude": [1]}, {"task": "binary"}])
def test_the_score_of_an_image_leaves_out_what_the_average_does(left_out):
    preds, target = images(5, classes=2)
    arguments = {"ignore_index": 255, "keep_images": True, **({"num_classes": 2} if "task" not in left_out else {})}
    none, mean = (ImagewiseIoU(average=average, **arguments, **left_out) for average in ("none", "macro"))
    for metric in (none, mean):
        metric.update(preds, target)
    assert none.images().values.tolist() == pytest.approx(mean.images().values.tolist(), nan_ok=True)


def test_an_image_without_a_score_is_not_among_the_worst():
    target = torch.tensor([[255, 255], [0, 1]])
    m = ImagewiseIoU(2, keep_images=True, ignore_index=255)
    m.update(torch.tensor([[0, 0], [0, 0]]), target, ids=["empty", "full"])
    assert m.images().worst(5) == [("full", 1 / 4)]


def test_scores_of_the_whole_matrix_and_groups_and_labels():
    preds, target = images(5)
    alone = [float(PixelAccuracy(4, ignore_index=255)(p[None], t[None])) for p, t in zip(preds, target, strict=True)]
    value = Imagewise(PixelAccuracy(4, ignore_index=255))(preds, target)
    assert float(value) == pytest.approx(sum(alone) / 5)
    grouped = MeanIoU(4, ignore_index=255, groups={"low": [0, 1], "high": [2, 3]}, absent_if="target")
    merged = ImagewiseIoU(2, ignore_index=255)
    group_of = lambda x: torch.where(x == 255, x, x // 2)  # noqa: E731
    assert Imagewise(grouped)(preds, target) == merged(group_of(preds), group_of(target))
    multilabel = ImagewiseIoU(task="multilabel", num_labels=3, over="classes")
    scores, truth = torch.rand(4, 3, 6), torch.randint(0, 2, (4, 3, 6))
    rows = [
        [oracle.iou(int(((p > 0.5) & (t == 1)).sum()), int((p > 0.5).sum()), int(t.sum())) if t.any() else None
         for p, t in zip(ps, ts, strict=True)]
        for ps, ts in zip(scores, truth, strict=True)
    ]  # fmt: skip
    assert float(multilabel(scores, truth)) == pytest.approx(expected(rows, "classes"))


def test_lists_of_images_of_different_sizes():
    preds, target = (
        [torch.tensor([[0, 1]]), torch.tensor([[1, 1, 1]])],
        [torch.tensor([[0, 0]]), torch.tensor([[1, 1, 0]])],
    )
    m = ImagewiseIoU(2, keep_images=True)
    m.update(preds, target, ids=["a", "b"])
    assert m.images().values.tolist() == pytest.approx([1 / 2, (0 + 2 / 3) / 2])


def test_bad_input_changes_nothing():
    preds, target = images(2)
    m = ImagewiseIoU(4, keep_images=True, ignore_index=255)
    m.update(preds, target, ids=["a", "b"])
    for bad in ({"ids": ["a"]}, {"ids": "ab"}, {"ids": [1.5, 2.5]}, {"ids": [True, False]}, {"ids": 3}):
        with pytest.raises((ValueError, TypeError), match="^ids must be one "):
            m.update(preds, target, **bad)
    with pytest.raises(ValueError, match="preds"):
        m.update(preds + 9, target, ids=["c", "d"])
    assert m.update_count == 1
    assert m.images().ids == ["a", "b"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Imagewise(4), "Imagewise takes a metric of one score, such as MeanIoU(21), got 4"),
        (lambda: ImagewiseIoU(4, over="pixels"), 'over must be "images" or "classes", got \'pixels\''),
        (lambda: ImagewiseIoU(4, worst=101), "worst must be a percentage between 0 and 100, got 101"),
        (
            lambda: Imagewise(PixelAccuracy(4), over="classes"),
            'over="classes" takes the mean of the scores of classes, which PixelAccuracy(num_classes=4) does not have',
        ),
        (
            lambda: ImagewiseIoU(4).update(torch.tensor([0]), torch.tensor([0]), ids=["a"]),
            "ids are for ImagewiseIoU(..., keep_images=True), which keeps every image",
        ),
        (
            lambda: ImagewiseIoU(4).images(),
            "images() is for ImagewiseIoU(..., keep_images=True), which keeps every image",
        ),
        (lambda: ImagewiseIoU(4, keep_images="no"), "keep_images must be True or False, got 'no'"),
    ],
)
def test_messages(make, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        make()


def test_another_score_or_average_is_another_state():
    metrics = [ImagewiseIoU(4), ImagewiseDice(4), ImagewiseIoU(4, absent_if="union"), ImagewiseIoU(4, over="classes")]
    metrics += [Imagewise(Precision(4)), ImagewiseIoU(4, exclude=[0]), ImagewiseIoU(4, average="micro")]
    assert len({m._sums_name for m in metrics}) == len(metrics)
    assert ImagewiseIoU(4)._sums_name == Imagewise(MeanIoU(4, absent_if="target"))._sums_name


def test_kept_images_survive_pickles_checkpoints_and_merges():
    preds, target = images(4)
    a, b = (ImagewiseIoU(4, keep_images=True, ignore_index=255) for _ in range(2))
    a.update(preds[:2], target[:2], ids=["a", "b"])
    b.update(preds[2:], target[2:], ids=["c", "d"])
    b.persistent(True)
    restored = ImagewiseIoU(4, keep_images=True, ignore_index=255)
    restored.persistent(True)
    restored.load_state_dict(b.state_dict())
    a.merge_state(restored)
    assert sorted(a.images().ids) == ["a", "b", "c", "d"]
    assert a.compute() == ImagewiseIoU(4, ignore_index=255)(preds, target)
    with pytest.raises(ValueError, match="the states are"):
        a.merge_state(ImagewiseIoU(3, keep_images=True, ignore_index=255))
    a.double()
    assert a.images().ids == ["a", "b", "c", "d"]


def test_rows_are_merged_behind_those_that_are_there():
    preds, target = images(3)
    a, b = (ImagewiseIoU(4, keep_images=True, ignore_index=255) for _ in range(2))
    a.update(preds[:2], target[:2], ids=["a", "b"])
    b.update(1 - preds[1:].clamp(0, 1), target[1:], ids=["b", "c"])
    stacked = {name: torch.cat(state) if isinstance(state, list) else state for name, state in b.metric_state.items()}
    for incoming in (b, b.metric_state, stacked):
        merged = a.clone()
        merged.merge_state(incoming)
        with pytest.warns(UserWarning, match="^1 images came again"):
            kept = merged.images()
        assert kept.ids == ["a", "b", "c"]
        assert kept.values[:2].tolist() == a.images().values.tolist()


def test_the_metric_that_is_given_stays_the_users():
    preds, target = images(4)
    given = MeanIoU(4, ignore_index=255)
    given.update(preds, target)
    before = given.confmat.clone()
    for metric in (Imagewise(given), ConfidenceInterval(given, replicates=100)):
        metric.update(preds, target)
        metric.reset()
        assert torch.equal(given.confmat, before)
        assert given.update_count == 1
        assert not metric.metric.confmat.any()


def test_ids_of_numpy_are_taken_and_a_set_is_not():
    preds, target = images(2)
    m = ImagewiseIoU(4, keep_images=True, ignore_index=255)
    m.update(preds, target, ids=list(np.arange(2)))
    assert m.images().ids == [0, 1]
    with pytest.raises(TypeError, match="^ids must be one int or str for each image, in their order, got "):
        m.update(preds, target, ids={3, 4})


def test_nothing_at_all_is_nan():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keep in (False, True):
            assert math.isnan(ImagewiseIoU(3, keep_images=keep).compute())
        assert ImagewiseIoU(3, keep_images=True).images().ids == []


def test_a_false_alarm_on_an_empty_image_is_no_matter_of_opinion_for_one_class():
    """Of two images one is empty, and something is predicted there: IoU 1 and 0."""
    target, preds = torch.tensor([[1, 1], [0, 0]]), torch.tensor([[1, 1], [0, 1]])
    assert float(ImagewiseIoU(task="binary")(preds, target)) == 1 / 2
    assert float(ImagewiseIoU(task="binary", absent_if="target")(preds, target)) == 1
    assert float(ImagewiseIoU(task="multilabel", num_labels=1)(preds[:, None], target[:, None])) == 1 / 2


def fine_and_false_alarm():
    """Two images: one is right, the target of the other is empty, and all of it is predicted as foreground."""
    target = torch.zeros(2, 4, 4, dtype=torch.int64)
    target[0, :2] = 1
    preds = target.clone()
    preds[1] = 1
    return preds, target


@pytest.mark.parametrize("kind", [ImagewiseIoU, ImagewiseDice])
@pytest.mark.parametrize("keep_images", [False, True])
def test_a_false_alarm_in_an_image_without_a_scored_class_counts(kind, keep_images):
    preds, target = fine_and_false_alarm()
    excluded = kind(2, exclude=0, keep_images=keep_images)
    assert float(excluded(preds, target)) == 0.5
    assert float(kind(task="binary")(preds, target)) == 0.5
    assert float(kind(3, exclude=[0, 2])(preds, target)) == 0.5
    assert float(kind(3, ignore_index=2, exclude=0)(preds, target)) == 0.5
    assert float(kind(2, groups={"all": [1]})(preds, target)) == 0.5
    assert float(kind(2, exclude=0, over="classes")(preds, target)) == 0.5
    assert float(kind(2, exclude=0, absent_if="target")(preds, target)) == 1.0, "what is asked for is done"
    if keep_images:
        assert excluded.images().worst(1) == [(None, 0.0)]
        assert excluded.images().per_class[:, 1].tolist() == [1.0, 0.0]


def test_a_false_alarm_counts_as_a_miss_where_a_scored_class_is_there():
    target, preds = torch.tensor([[0, 1, 1, 1]]), torch.tensor([[0, 1, 1, 2]])
    assert float(ImagewiseIoU(3, exclude=0)(preds, target)) == pytest.approx(2 / 3), "class 2 is not active"
    assert float(ImagewiseIoU(3, exclude=0, absent_if="union")(preds, target)) == pytest.approx(1 / 3)
    assert torch.isnan(ImagewiseIoU(3, exclude=0)(torch.zeros(1, 4).long(), torch.zeros(1, 4).long()))


@given(data=st.data(), classes=st.integers(2, 4))
def test_the_rule_is_decided_for_each_image(data, classes):
    """Against a loop over images that has the rule in words."""
    shape = (3, 4)
    preds, target = (
        torch.tensor(data.draw(st.lists(st.integers(0, classes - 1), min_size=12, max_size=12))).view(shape)
        for _ in range(2)
    )
    excluded = data.draw(st.sets(st.integers(0, classes - 1), max_size=classes - 1))
    averaged = [c for c in range(classes) if c not in excluded]
    means = []
    for p, t in zip(preds.tolist(), target.tolist(), strict=True):
        there = [c for c in averaged if c in t] or [c for c in averaged if c in p]
        ious = [
            sum(a == b == c for a, b in zip(p, t, strict=True)) / sum(c in (a, b) for a, b in zip(p, t, strict=True))
            for c in there
        ]
        means += [sum(ious) / len(ious)] if ious else []
    found = float(ImagewiseIoU(classes, exclude=sorted(excluded))(preds, target))
    assert found == pytest.approx(sum(means) / len(means)) if means else found != found


def test_images_raises_for_bad_labels_that_were_counted_on_an_accelerator():
    metric = ImagewiseIoU(3, keep_images=True)
    labels = torch.tensor([[0, 1], [1, 2]])
    metric.update(labels, labels)
    metric.errors += torch.tensor([0, 5, 0, 0])
    for read in (metric.images, metric.compute):
        with pytest.raises(ValueError, match=r"labels must be 0 to 2, got 5 pixels of target and 0 pixels of preds"):
            read()
