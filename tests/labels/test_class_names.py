"""Groups of classes, and classes by name."""

import re

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from segiou import CohenKappa, ConfusionMatrix, Dice, LabelSet, MeanIoU, PixelAccuracy, SegmentationMetrics
from segiou.counting import Rules, count
from segiou.functional import mean_iou
from segiou.lightning.loggers import Result, table
from segiou.metrics.score_metric import ScoreMetric
from segiou.scoring.formulas import areas_of_groups, merged
from tests.helpers.metric_cases import COUNTING, tasks_of

NAMES = ["road", "pavement", "car", "bus", "sky"]
GROUPS = {"flat": ["road", "pavement"], "vehicle": [2, 3], "sky": ["sky"]}


def labels(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    target = torch.randint(0, 6, (3, 20, 20), generator=rng)
    return torch.randint(0, 5, (3, 20, 20), generator=rng), target.masked_fill(target == 5, 255)


def mapped(labels: torch.Tensor) -> torch.Tensor:
    """The group of each pixel, by one chain of comparisons."""
    return torch.where(labels == 255, 255, torch.where(labels < 2, 0, torch.where(labels < 4, 1, 2)))


SCORES = [metric for metric in COUNTING if issubclass(metric, ScoreMetric) and "multiclass" in tasks_of(metric)]


@pytest.mark.parametrize("metric", SCORES)
@pytest.mark.parametrize("absent_if", ["union", "target"])
def test_groups_are_scored_as_classes_that_were_merged_before(metric, absent_if):
    preds, target = labels()
    arguments = {"ignore_index": 255, "absent_if": absent_if}
    value = metric(5, class_names=NAMES, groups=GROUPS, **arguments)(preds, target)
    assert value == metric(3, **arguments)(mapped(preds), mapped(target))


def test_all_scores_and_the_matrix_too():
    preds, target = labels()
    grouped = SegmentationMetrics(5, class_names=NAMES, groups=GROUPS, ignore_index=255, per_class=True)
    merged = SegmentationMetrics(3, class_names=list(GROUPS), ignore_index=255, per_class=True)
    assert grouped(preds, target) == merged(mapped(preds), mapped(target))
    matrix = ConfusionMatrix(5, class_names=NAMES, groups=GROUPS, ignore_index=255)(preds, target)
    assert torch.equal(matrix, ConfusionMatrix(3, ignore_index=255)(mapped(preds), mapped(target)))


member_lists = st.lists(st.lists(st.integers(0, 3), min_size=1, unique=True), min_size=1, max_size=4)


@given(members=member_lists, seed=st.integers(0, 99))
def test_areas_of_any_groups_are_those_of_their_pixel_sets(members, seed):
    rng = torch.Generator().manual_seed(seed)
    preds = torch.randint(-1, 5, (60,), generator=rng)
    target = torch.randint(-1, 5, (60,), generator=rng)
    areas = areas_of_groups(count(preds, target, Rules.of(4, validate_args=False)).counts, members)
    pixels = [(p, t) for p, t in zip(preds.tolist(), target.tolist(), strict=True) if 0 <= t < 4]
    for place, ids in enumerate(members):
        assert int(areas.intersection[place]) == sum(p in ids and t in ids for p, t in pixels)
        assert int(areas.predicted[place]) == sum(p in ids for p, _ in pixels)
        assert int(areas.target[place]) == sum(t in ids for _, t in pixels)


def test_nested_regions_as_in_brain_tumours():
    """Whole tumour, core and enhancing core hold one another."""
    regions = {"whole": [1, 2, 3], "core": [1, 3], "enhancing": [3]}
    target = torch.tensor([[0, 1, 1, 2, 3, 3]])
    preds = torch.tensor([[0, 1, 2, 2, 3, 1]])
    dice = Dice(4, groups=regions, average="none")(preds, target)
    torch.testing.assert_close(dice, torch.tensor([1.0, 6 / 7, 2 / 3]))


def test_a_class_in_no_group_is_a_false_alarm_of_the_group_that_is_predicted():
    target, preds = torch.tensor([[0, 0, 1]]), torch.tensor([[0, 1, 1]])
    assert float(MeanIoU(2, groups={"one": [1]})(preds, target)) == 1 / 2


def test_groups_share_the_counts_of_the_classes():
    assert MeanIoU(5)._state_name == MeanIoU(5, groups={"one": [1]})._state_name


def test_a_group_of_ignored_classes_is_left_out():
    preds, target = labels()
    target = target.masked_fill(target == 255, 4)
    arguments = {"class_names": NAMES, "groups": GROUPS, "ignore_index": 4}
    value = MeanIoU(5, **arguments)(preds, target)
    assert value == MeanIoU(5, **arguments, average="none")(preds, target)[:2].double().mean().float()


def test_names_may_say_what_averages_leave_out():
    assert MeanIoU(5, class_names=NAMES, exclude=["car", 0]).averaging.exclude == (0, 2)
    assert MeanIoU(5, class_names=NAMES, exclude="car").averaging.exclude == (2,)
    assert MeanIoU(5, class_names=NAMES, groups=GROUPS, exclude="vehicle").averaging.exclude == (1,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"groups": {"a": [7]}}, "groups['a'] must be a class of 0 to 4, or a class name, got 7"),
        ({"groups": {"a": ["tram"]}}, "groups['a'] must be a class of 0 to 4, or a class name, got 'tram'"),
        ({"groups": {"a": []}}, "groups must hold a class each, got none in 'a'"),
        ({"groups": {}}, "groups must hold a class each, got no group"),
        ({"groups": [[0, 1]]}, "groups must map names to classes, got a list"),
        ({"groups": {"a": 1.5}}, "groups['a'] must hold several classes, ids or names, got 1.5"),
        ({"groups": True}, "groups=True is for a label set that has groups, got num_classes=5"),
        (
            {"groups": GROUPS, "exclude": "car"},
            "exclude must hold ids of the 3 groups, 0 to 2, or their names, got 'car'",
        ),
        (
            {"groups": GROUPS, "exclude": [0, 1, 2]},
            "exclude=[0, 1, 2] and ignore_index=() leave none of the 3 groups to average",
        ),
    ],
)
def test_bad_groups_say_what_is_wrong(arguments, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}$"):
        MeanIoU(5, class_names=NAMES, **arguments)


@pytest.mark.parametrize("metric", [PixelAccuracy, CohenKappa, ConfusionMatrix, SegmentationMetrics])
@pytest.mark.parametrize(("groups", "times"), [({"a": [0, 1, 2]}, 0), ({"a": [0, 1, 2], "b": [2, 3, 4]}, 2)])
def test_scores_of_the_whole_matrix_need_each_class_once(metric, groups, times):
    odd = 3 if times == 0 else 2
    message = f"groups must hold each class once, got class {odd} ('{NAMES[odd]}') in {times} of them: pass others, or"
    with pytest.raises(
        ValueError, match=f"^{metric.__name__} is of a whole matrix, so {re.escape(message)} take MeanIoU"
    ):
        metric(5, class_names=NAMES, groups=groups)


def test_groups_are_of_multiclass_tasks():
    with pytest.raises(ValueError, match="^groups are of the classes of a multiclass task, got groups with task="):
        MeanIoU(task="binary", groups={"a": [1]})


def test_plots_and_tables_name_the_groups():
    metric = MeanIoU(5, class_names=NAMES, groups=GROUPS, ignore_index=255)
    metric.update(*labels())
    _, axis = metric.plot()
    assert [text.get_text() for text in axis.get_yticklabels()] == list(GROUPS)
    text = table(Result("test", "", metric.confmat, metric))
    assert all(name in text for name in GROUPS)
    assert "pavement" not in text
    assert f"{int((labels()[1] != 255).sum()):,}" in text


def test_a_label_set_or_its_name_gives_classes_names_and_ignored_values():
    for labels in ("cityscapes", "Cityscapes", LabelSet.of("cityscapes")):
        metric = MeanIoU(labels)
        assert (metric.rules.num_classes, metric.rules.ignore_index) == (19, (255,))
        assert metric.class_names[0] == "road"
    assert MeanIoU("cityscapes", ignore_index=()).rules.ignore_index == ()
    assert MeanIoU("pascal_voc", class_names=[str(i) for i in range(21)]).class_names[1] == "1"
    mine = LabelSet("mine", ["road", "car"], ignore_index=9, groups={"all": [0, 1]})
    assert MeanIoU(mine, groups=True).classes.scored == ("all",)
    assert MeanIoU(mine).classes.scored == ("road", "car")
    assert mean_iou(torch.tensor([[0, 1]]), torch.tensor([[0, 9]]), mine) == 1


def test_the_categories_of_cityscapes():
    target = torch.arange(19)[None]
    preds = torch.where(target == 0, 1, target)  # a sidewalk for the road: one category, two classes
    assert float(MeanIoU("cityscapes", groups=True)(preds, target)) == 1
    assert float(MeanIoU("cityscapes")(preds, target)) == pytest.approx((17 + 1 / 2) / 19)


def test_a_label_set_that_does_not_fit_says_so():
    with pytest.raises(ValueError, match="^groups=True is for a label set that has groups, and 'ade20k' has none"):
        MeanIoU("ade20k", groups=True)
    with pytest.raises(ValueError, match="did you mean 'cityscapes'"):
        MeanIoU("cityscape")
    with pytest.raises(ValueError, match='^task="binary" has 2 classes'):
        MeanIoU("cityscapes", task="binary")


def test_ignored_pixels_are_in_no_group():
    counts = torch.arange(16).view(4, 4)  # the last row is ignored
    found = areas_of_groups(counts, [[0, 2], [1], [0, 1, 2]])
    assert found.target.tolist() == [0 + 1 + 2 + 3 + 8 + 9 + 10 + 11, 4 + 5 + 6 + 7, 66]
    assert found.predicted.tolist() == [0 + 4 + 8 + 2 + 6 + 10, 1 + 5 + 9, 45]
    assert found.intersection.tolist() == [0 + 2 + 8 + 10, 5, 45]
    target = torch.tensor([[0, 1, 2, 255, 255, 255]])
    metric = MeanIoU(3, groups={"a": [0, 2], "b": [1]}, ignore_index=255, average="none")
    assert metric(torch.tensor([[0, 1, 2, 0, 1, 1]]), target).tolist() == [1, 1]


def test_merging_classes_loses_no_pixel():
    """What is ignored, in the last row, and what is predicted as no class, in the last column, stays beside the groups."""
    counts = torch.arange(1, 37).view(6, 6)
    found = merged(counts, [[0, 3], [1]])
    rows = [counts[0] + counts[3], counts[1], counts[2] + counts[4] + counts[5]]
    expected = [[int(row[0] + row[3]), int(row[1]), int(row[2] + row[4] + row[5])] for row in rows]
    assert found.tolist() == expected
