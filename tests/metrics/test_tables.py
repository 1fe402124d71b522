"""The table of classes of each metric: its numbers are those that the metrics compute by themselves."""

import math
from typing import Any

import pytest
import torch

from segiou import (
    BoundaryIoU,
    CohenKappa,
    ConfidenceInterval,
    ConfusionMatrix,
    Dice,
    FBeta,
    FrequencyWeightedIoU,
    Imagewise,
    ImagewiseDice,
    ImagewiseIoU,
    InstanceIoU,
    JaccardIndex,
    MeanAccuracy,
    MeanIoU,
    PixelAccuracy,
    Precision,
    Recall,
    SegmentationMetrics,
    TrimapIoU,
)
from segiou.metrics import ScoreMetric
from segiou.scoring.averaging import Score

COLUMNS = {"IoU": MeanIoU, "Dice": Dice, "Precision": Precision, "Recall": Recall}
OTHERS = ("MeanAccuracy", "FrequencyWeightedIoU", "PixelAccuracy", "CohenKappa", "MatthewsCorrCoef")
RULES: dict[str, dict[str, Any]] = {
    "multiclass": {"num_classes": 5, "ignore_index": 255, "class_names": ["road", "car", "[sky]", "a|b", "none"]},
    "excluded": {"num_classes": 5, "ignore_index": 255, "exclude": [1]},
    "ignored class": {"num_classes": 5, "ignore_index": [255, 2]},
    "groups": {"num_classes": 5, "ignore_index": 255, "groups": {"a": [0, 1], "b": [2, 3], "c": [4]}},
    "overlapping groups": {"num_classes": 5, "ignore_index": 255, "groups": {"a": [0, 1], "b": [1, 2]}},
    "binary": {"task": "binary", "ignore_index": 255},
    "binary of both": {"task": "binary", "ignore_index": 255, "exclude": []},
    "multilabel": {"task": "multilabel", "num_labels": 3, "ignore_index": 255, "class_names": ["x", "y", "z"]},
}


def batch(rules: dict[str, Any], seed: int = 0, images: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Maps in which no target is of class 3, and nothing is of class 4."""
    rng = torch.Generator().manual_seed(seed)
    shape = (images, 3, 4, 5) if rules.get("task") == "multilabel" else (images, 4, 5)
    classes = 2 if "task" in rules else 4
    target = torch.randint(0, min(classes, 3), shape, generator=rng)
    preds = torch.where(torch.rand(shape, generator=rng) < 0.5, target, torch.randint(0, classes, shape, generator=rng))
    return preds, target.masked_fill(torch.rand(shape, generator=rng) < 0.1, 255)


def counted(metric: Any, *more: Any) -> Any:
    inner = metric.metric if hasattr(metric, "metric") else metric
    rules = {} if inner.rules.task == "multiclass" else {"task": inner.rules.task}
    metric.update(*batch(rules), *more)
    return metric


def same(found: Any, expected: Any) -> bool:
    found, expected = float(found), float(expected)
    return found == expected or (math.isnan(found) and math.isnan(expected))


def values(table: Any, column: str) -> list[float]:
    return [number.value for number in table.columns[column].scores]


@pytest.mark.parametrize("rules", RULES)
@pytest.mark.parametrize("average", [None, "macro", "micro", "weighted", "none"])
@pytest.mark.parametrize(
    "absent", [{}, {"absent": 0.0}, {"absent": 1.0, "absent_if": "target"}, {"absent_if": "target"}]
)
def test_every_number_is_what_a_metric_computes(rules, average, absent):
    options = {**RULES[rules], **absent}
    of_all = average is None and rules != "overlapping groups"  # which have no score of the whole matrix
    own = counted(SegmentationMetrics(**options) if of_all else MeanIoU(**options, average=average))
    table = own.table()
    for name, metric in COLUMNS.items():
        whole = counted(metric(**options, average=None if average == "none" else average)).compute()
        each = counted(metric(**options, average="none")).compute()
        assert same(table.columns[name].average.value, whole)
        assert all(map(same, values(table, name), each))
        assert len(each) == len(table.names)
    computed = own.compute() if of_all else {}
    assert set(table.scores) == {name for name in computed if name in OTHERS}
    assert all(same(number.value, computed[name]) for name, number in table.scores.items())


@pytest.mark.parametrize(
    "metric", [MeanIoU, Dice, FBeta, MeanAccuracy, FrequencyWeightedIoU, PixelAccuracy, CohenKappa, JaccardIndex]
)
@pytest.mark.parametrize("rules", ["multiclass", "binary", "multilabel", "ignored class"])
def test_the_value_of_the_metric_is_in_its_table(metric, rules):
    options = RULES[rules] if metric is not FBeta else {**RULES[rules], "beta": 2.0}
    own = counted(metric(**options))
    found = own.table().to_dict()
    numbers = [*found["average"].values(), *found["scores"].values()]
    assert float(own.compute()) in [number for number in numbers if isinstance(number, float)]


def test_a_score_of_a_users_own_has_a_column():
    class Misses(ScoreMetric):
        """Share of the union that is missed."""

        score = Score("Misses", lambda a: (a.target - a.intersection) / a.target)

    own = counted(Misses(5, ignore_index=255))
    assert same(own.table().columns["Misses"].average.value, own.compute())
    assert list(own.table().columns) == [*COLUMNS, "Misses"]


def test_pixels_and_names():
    rules = RULES["multiclass"]
    _, target = batch(rules)
    table = counted(MeanIoU(**rules)).table()
    pixels = tuple(int((target == c).sum()) for c in range(5))
    assert table.counts["target"] == pixels
    assert table.totals["target"] == sum(pixels)
    assert (table.names, table.kind, table.left_out) == (tuple(rules["class_names"]), "class", ())
    assert counted(MeanIoU(**RULES["excluded"])).table().left_out == (1,)
    assert counted(MeanIoU(**RULES["binary"])).table().left_out == (0,)
    assert counted(MeanIoU(**RULES["multilabel"])).table().kind == "label"


def test_pixels_of_a_class_in_several_groups_count_once_in_the_total():
    rules = RULES["overlapping groups"]
    _, target = batch(rules)
    table = counted(MeanIoU(**rules)).table()
    zero, one, two = (int((target == c).sum()) for c in range(3))
    assert (table.kind, table.counts["target"], table.totals) == (
        "group",
        (zero + one, one + two),
        {"target": zero + one + two},
    )


@pytest.mark.parametrize("metric", [BoundaryIoU, TrimapIoU])
@pytest.mark.parametrize("rules", ["multiclass", "groups", "multilabel"])
def test_scores_near_boundaries_have_their_own_column_alone(metric, rules):
    own, each = counted(metric(**RULES[rules], pixels=1)), counted(metric(**RULES[rules], pixels=1, average="none"))
    table = own.table()
    assert list(table.columns) == [own.key]
    assert same(table.columns[own.key].average.value, own.compute())
    assert all(map(same, values(table, own.key), each.compute()))


@pytest.mark.parametrize("average", [None, "micro", "none"])
@pytest.mark.parametrize("rules", ["multiclass", "groups"])
def test_instances(rules, average):
    instances = batch(RULES[rules])[1] % 2 + 1
    own = counted(InstanceIoU(**RULES[rules], average=average), instances)
    whole = counted(InstanceIoU(**RULES[rules], average=None if average == "none" else average), instances)
    each = counted(InstanceIoU(**RULES[rules], average="none"), instances)
    table = own.table()
    assert same(table.columns["iIoU"].average.value, whole.compute())
    assert all(map(same, values(table, "iIoU"), each.compute()))
    assert same(
        table.columns["IoU"].average.value, counted(MeanIoU(**RULES[rules], average=whole.averaging.average)).compute()
    )
    assert table.totals["instances"] == sum(table.counts["instances"]) == int(own.instances[1].sum())


@pytest.mark.parametrize("rules", ["multiclass", "binary", "multilabel", "overlapping groups"])
def test_intervals_are_columns(rules):
    def interval(metric: Any) -> Any:
        return counted(ConfidenceInterval(metric, level=0.9, replicates=100))

    table = interval(MeanIoU(**RULES[rules])).table()
    for name, metric in COLUMNS.items():
        whole, each = (interval(metric(**RULES[rules], average=average)).compute() for average in (None, "none"))
        assert all(map(same, table.columns[name].average, whole))
        for part in ("value", "low", "high"):
            assert all(map(same, [getattr(n, part) for n in table.columns[name].scores], getattr(each, part)))
    assert "90 % of IoU" in str(table)
    number = table.columns["IoU"].average
    assert f"{number.low:.4f} to {number.high:.4f}" in str(table)
    assert table.counts == counted(MeanIoU(**RULES[rules])).table().counts


def test_intervals_that_could_not_be_drawn_are_no_numbers():
    metric = ConfidenceInterval(MeanIoU(2), replicates=100)
    metric.update(torch.tensor([[0, 1, 1]]), torch.tensor([[0, 1, 0]]))
    with pytest.warns(UserWarning, match="an interval needs two images or more"):
        table = metric.table()
    assert table.to_dict()["classes"][1]["IoU_low"] is None
    assert "- to -" in str(table)


@pytest.mark.parametrize("score", [ImagewiseIoU, ImagewiseDice])
@pytest.mark.parametrize("rules", ["multiclass", "excluded", "binary", "multilabel"])
@pytest.mark.parametrize("options", [{}, {"keep_images": True}, {"worst": 40.0}])
def test_means_over_images(score, rules, options):
    own = counted(score(**RULES[rules], over="classes", **options))
    each = counted(score(**RULES[rules], average="none", **options))
    table = own.table()
    assert list(table.columns) == [own.key]
    assert same(table.columns[own.key].average.value, own.compute())
    assert all(map(same, values(table, own.key), each.compute()))
    if options:
        both = counted(score(**RULES[rules], over="images", **options))
        assert same(both.table().scores[both.key].value, both.compute())
        assert all(map(same, values(both.table(), own.key), values(table, own.key)))
        found = ~both.images().per_class.isnan()
        assert table.counts["images"] == tuple(found.sum(0).tolist())


def test_means_over_images_without_classes_say_what_to_do():
    with pytest.raises(ValueError, match=r'and mIoU_I is a mean of images: pass keep_images=True, or over="classes"'):
        ImagewiseIoU(2).table()
    with pytest.raises(ValueError, match="and PixelAccuracy_I is a mean of images: no class has one"):
        Imagewise(PixelAccuracy(2), keep_images=True).table()


def test_percent_and_digits_reach_the_table():
    metric = counted(MeanIoU(**RULES["multiclass"]))
    drawn = counted(ConfidenceInterval(metric))
    for table in (metric.table(percent=True, digits=1), drawn.table(percent=True, digits=1)):
        assert (table.percent, table.digits) == (True, 1)
    assert f"{100 * float(metric.compute()):.1f}" in str(metric.table(percent=True, digits=1))
    assert metric.table(percent=True).to_dict()["average"]["IoU (%)"] == 100 * float(metric.compute())


def test_bad_values_that_an_accelerator_counted_are_an_error_and_nothing_counted_is_a_table_of_none():
    metric = counted(MeanIoU(**RULES["multiclass"]))
    metric.errors[1] += 3
    with pytest.raises(ValueError, match="3 "):
        metric.table()
    empty = MeanIoU(3).table()
    assert all(math.isnan(number.value) for number in empty.columns["IoU"].scores)
    assert "mean / total" in str(empty)


def test_a_table_neither_changes_the_counts_nor_shares_them():
    metric = counted(MeanIoU(**RULES["multiclass"]))
    before, table = metric.confmat.clone(), metric.table()
    text = str(table)
    counted(metric)
    assert str(table) == text
    assert torch.equal(metric.confmat, 2 * before)
    assert counted(ConfusionMatrix(num_classes=5, ignore_index=255)).table().to_dict()["classes"][0]["target"] > 0
