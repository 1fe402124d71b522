"""The metrics that a monitor is given beside its own."""

import re

import pytest
import pytorch_lightning
import torch
from torch.utils.data import DataLoader, DistributedSampler

import segiou.metrics.confusion_matrix
from segiou import (
    ConfidenceInterval,
    ConfusionMatrix,
    Dice,
    ImagewiseIoU,
    InstanceIoU,
    MeanAccuracy,
    MeanIoU,
    PairedComparison,
    PixelAccuracy,
    SegmentationMetrics,
    ThresholdSweep,
)
from segiou.lightning import SegmentationMonitor
from segiou.lightning.epoch import Measures
from segiou.lightning.step_outputs import Skipped
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.named_values import scalars
from tests.helpers.lightning_cases import CLASSES, IGNORED, OF_LIGHTNING, Steps, loader, trainer

pytestmark = OF_LIGHTNING
ARGUMENTS = {"num_classes": CLASSES, "ignore_index": IGNORED}


class Named(Steps, pytorch_lightning.LightningModule):
    """Steps that return ids and instances too."""

    def step(self, stage, batch, batch_idx, loader=0):
        outputs = super().step(stage, batch, batch_idx, loader)
        ids = [f"{batch_idx}-{i}" for i in range(len(batch[1]))]
        return {**outputs, "ids": ids, "instances": torch.ones_like(batch[1])}


def logged(metrics, module=None, **options) -> tuple[dict[str, float], Named]:
    module = module or Named()
    monitor = SegmentationMonitor(**ARGUMENTS, metrics=metrics, **options)
    runner = trainer(monitor)
    runner.validate(module, loader(7, 3), verbose=False)
    return {name: float(value) for name, value in runner.callback_metrics.items()}, module


def whole(module, metric, *more):
    for scores, target in module.seen["val", 0].values():
        metric.update(scores, target, *(part(target) for part in more))
    return metric.compute()


def test_each_is_logged_by_its_name_with_the_value_of_the_whole_epoch():
    values, module = logged(
        [
            MeanAccuracy(**ARGUMENTS),
            ImagewiseIoU(**ARGUMENTS, over="classes"),
            MeanIoU(**ARGUMENTS, average="none", class_names=list("abcd"), validate_args=False),
            InstanceIoU(**ARGUMENTS),
        ],
        per_class=False,
    )
    assert values["val/MeanAccuracy"] == float(whole(module, MeanAccuracy(**ARGUMENTS)))
    assert values["val/mIoU_C"] == float(whole(module, ImagewiseIoU(**ARGUMENTS, over="classes")))
    assert values["val/iIoU"] == float(whole(module, InstanceIoU(**ARGUMENTS), torch.ones_like))
    per_class = whole(module, MeanIoU(**ARGUMENTS, average="none"))
    assert [values[f"val/mIoU_per_class/{name}"] for name in "abcd"] == pytest.approx(per_class.tolist(), nan_ok=True)


def test_ids_of_the_step_reach_the_metrics():
    values, module = logged([ConfidenceInterval(MeanIoU(**ARGUMENTS), replicates=100)])
    interval = ConfidenceInterval(MeanIoU(**ARGUMENTS), replicates=100)
    for batch_idx, (scores, target) in module.seen["val", 0].items():
        interval.update(scores, target, ids=[f"{batch_idx}-{i}" for i in range(len(target))])
    low, high = interval.compute()[1:]
    assert (values["val/mIoU_low"], values["val/mIoU_high"]) == (float(low), float(high))


def test_what_the_monitor_logs_itself_is_not_logged_again():
    values, module = logged([SegmentationMetrics(**ARGUMENTS)], per_class=False)
    assert set(values) == {f"val/{name}" for name in whole(module, SegmentationMetrics(**ARGUMENTS))}
    named, _ = logged({"all": SegmentationMetrics(**ARGUMENTS)}, per_class=False)
    assert named["val/all/mIoU"] == named["val/mIoU"] == values["val/mIoU"]


def test_equal_counts_are_counted_once(monkeypatch):
    calls = []
    count = segiou.metrics.confusion_matrix.count
    monkeypatch.setattr(segiou.metrics.confusion_matrix, "count", lambda *args: calls.append(1) or count(*args))
    logged([PixelAccuracy(**ARGUMENTS), MeanAccuracy(**ARGUMENTS)])
    assert len(calls) == 3


def test_the_users_own_metrics_are_not_touched():
    metric = ImagewiseIoU(**ARGUMENTS)
    metric.update(torch.tensor([[0]]), torch.tensor([[0]]))
    values, module = logged([metric])
    assert metric.update_count == 1
    assert values["val/mIoU_I"] == float(whole(module, ImagewiseIoU(**ARGUMENTS)))


def test_a_function_may_give_the_rest():
    values, _ = logged(
        [InstanceIoU(**ARGUMENTS)],
        outputs=lambda outputs, batch: (outputs["preds"], outputs["target"], {"instances": outputs["instances"]}),
    )
    assert values["val/iIoU"] == values["val/iIoU"]


def test_samples_that_are_repeated_are_cut_from_all_that_metrics_take():
    """Of one rank of two: three samples, of which the last batch holds none that is not a repeat."""

    class WithoutIds(Named):
        def step(self, stage, batch, batch_idx, loader=0):
            return {**super().step(stage, batch, batch_idx, loader), "ids": None}

    dataset = loader(3, 1).dataset
    dealt = DataLoader(dataset, 1, sampler=DistributedSampler(dataset, 2, 1, shuffle=False))
    monitor = SegmentationMonitor(
        **ARGUMENTS, metrics=[InstanceIoU(**ARGUMENTS), ImagewiseIoU(**ARGUMENTS, keep_images=True)]
    )
    runner, module = trainer(monitor), WithoutIds()
    runner.validate(module, dealt, verbose=False)
    scores, target = module.seen["val", 0][0]
    assert len(module.seen["val", 0]) == 2
    assert runner.callback_metrics["val/mIoU_I"] == ImagewiseIoU(**ARGUMENTS)(scores, target)
    assert runner.callback_metrics["val/iIoU"] == InstanceIoU(**ARGUMENTS)(scores, target, torch.ones_like(target))


@pytest.mark.parametrize(
    ("rest", "got"), [((["a", "b"],), "list"), ((None,), "NoneType"), (({}, {}), "dict, dict"), (("ids",), "str")]
)
def test_a_function_gives_the_rest_by_name_or_not_at_all(rest, got):
    expected = f"outputs must return (preds, target) or (preds, target, {{name: value}}), got (Tensor, Tensor, {got})"
    with pytest.raises(ValueError, match=f"^{re.escape(expected)}$"):
        logged(
            [ImagewiseIoU(**ARGUMENTS, keep_images=True)],
            outputs=lambda outputs, batch: (outputs["preds"], outputs["target"], *rest),
        )


def test_a_metric_that_misses_its_input_says_where_it_is_to_come_from():
    class Plain(Steps, pytorch_lightning.LightningModule):
        pass

    with pytest.raises(ValueError, match="^validation_step must return instances beside preds and target"):
        logged([InstanceIoU(**ARGUMENTS)], Plain())


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        ([Dice(CLASSES, average="micro")], "'Dice' would be logged twice, the second time by Dice("),
        (
            {"IoU": MeanIoU(CLASSES, average="none", absent=0.0)},
            "'IoU_per_class/0' would be logged twice, the second time by MeanIoU(",
        ),
        ({"Dice/all": MeanAccuracy(CLASSES)}, "'Dice/all' would be logged below 'Dice', which is a score itself"),
        ({"IoU_per_class": MeanAccuracy(CLASSES)}, "'IoU_per_class/0' would be logged below 'IoU_per_class'"),
        ([MeanAccuracy(CLASSES), MeanAccuracy(CLASSES)], "'MeanAccuracy' would be logged twice"),
        ([PairedComparison(MeanIoU(CLASSES))], "metrics must be segiou's, updated with preds and target, got Paired"),
        (MeanIoU(CLASSES), "metrics must be a list of metrics, or a dict that names them, got MeanIoU("),
        (5, "metrics must be a list of metrics, or a dict that names them, got 5"),
        ([5], "metrics must be segiou's, updated with preds and target, got 5"),
        ({"a": 5}, "metrics must be segiou's, updated with preds and target, got a=5"),
        ([ConfusionMatrix(CLASSES)], "MulticlassConfusionMatrix has a value of shape (4, 4), which cannot be logged"),
    ],
)
def test_messages(metrics, message):
    with pytest.raises((ValueError, TypeError), match=f"^{re.escape(message)}"):
        SegmentationMonitor(CLASSES, metrics=metrics)


@pytest.mark.parametrize("task", ["binary", "multilabel"])
def test_the_curves_of_a_sweep_are_not_taken_for_scores_of_classes(task):
    labels = {"num_labels": 2} if task == "multilabel" else {}
    metric = ThresholdSweep(task, thresholds=2, **labels)
    sweep = metric(torch.tensor([[0.4, 0.6]]), torch.tensor([[0, 1]]))
    found = scalars(sweep, "sweep", metric.class_names)
    end = "_per_class" if task == "multilabel" else ""
    assert {name.split("/")[0] for name in found} == {f"sweep_best_threshold{end}", f"sweep_best{end}"}


def test_the_scores_of_classes_that_the_loggers_get_may_be_logged_too():
    values, _ = logged([SegmentationMetrics(**ARGUMENTS, per_class=True)])
    assert {f"val/IoU/{c}" for c in range(CLASSES)} <= values.keys()


def test_values_become_scalars_by_name():
    one, two = torch.tensor(1.0), torch.tensor([1.0, 2.0])
    assert scalars(one, "a", ()) == {"a": one}
    assert scalars(two, "a", ("x", "y")) == {"a_per_class/x": 1.0, "a_per_class/y": 2.0}
    assert scalars({"b": one}, "a", ()) == {"b": one}
    assert scalars({"b": one}, "a", (), named=True) == {"a/b": one}


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_of_skipped_batches_one_that_was_not_meant_to_be_skipped_is_named(order):
    skips = [Skipped("the step returned None", "", meant=True), Skipped("there was no call", "")]
    measures = Measures(ConfusionMatrixMetric(2))
    for place in order:
        measures.skip(skips[place])
    assert measures.skipped is skips[1]
