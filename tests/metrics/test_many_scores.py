"""Wrappers and loggers that cannot take a dict of scores: the error shows a way, and the way works."""

import pytest
import torch
from pytorch_lightning import LightningModule
from torchmetrics import ClasswiseWrapper, MetricCollection, MetricTracker

from segiou import MeanIoU, SegmentationMetrics

BATCHES = [
    (torch.tensor([[0, 1, 1, 2]]), torch.tensor([[0, 1, 2, 2]])),
    (torch.tensor([[0, 1, 2]]), torch.tensor([[0, 1, 2]])),
]


def tracked(tracker: MetricTracker) -> MetricTracker:
    for batch in BATCHES:
        tracker.increment()
        tracker.update(*batch)
    return tracker


@pytest.mark.parametrize("collected", [False, True])
@pytest.mark.parametrize("maximize", [None, True, [True]])
def test_the_best_of_many_scores(collected, maximize):
    if isinstance(maximize, list) and not collected:
        return
    metric = SegmentationMetrics(3)
    tracker = tracked(MetricTracker(MetricCollection([metric]) if collected else metric, maximize=maximize))
    assert tracker.compute_all()["mIoU"].tolist() == pytest.approx([2 / 3, 1])
    assert tracker.compute()["mIoU"] == 1
    if collected and maximize is True:  # the way
        best, step = tracker.best_metric(return_step=True)
        assert best["mIoU"] == 1
        assert set(best) == set(tracker.compute())
        assert set(step.values()) == {1}
        return
    way = r"SegmentationMetrics has a dict of scores: pass MetricTracker\(MetricCollection\(\[SegmentationMetrics\("
    with pytest.raises(TypeError, match=way):
        tracker.best_metric()


def test_the_best_of_one_score():
    assert tracked(MetricTracker(MeanIoU(3))).best_metric() == 1


def test_a_score_for_each_class():
    wrapper = ClasswiseWrapper(SegmentationMetrics(3, per_class=True), labels=["a", "b", "c"])
    wrapper.update(*BATCHES[0])
    for take in (wrapper.compute, lambda: wrapper(*BATCHES[0]), lambda: MetricCollection([wrapper])(*BATCHES[0])):
        with pytest.raises(
            TypeError, match=r"SegmentationMetrics\(..., per_class=True\) as it is, its keys name the classes"
        ):
            take()
    ways = ClasswiseWrapper(MeanIoU(3, average="none"), labels=["a", "b", "c"]), SegmentationMetrics(3, per_class=True)
    found = [way(*BATCHES[0]) for way in ways]
    assert found[0]["meaniou_b"] == found[1]["IoU/1"] == 0.5


def test_a_metric_in_the_place_of_its_scores():
    module, metrics = LightningModule(), SegmentationMetrics(3)
    with pytest.raises(
        AttributeError, match=r"SegmentationMetrics is one: pass scores, self.log_dict\(metrics\(preds, target\)\)"
    ):
        module.log_dict(metrics)
    assert not hasattr(metrics, "items")
    with pytest.raises(AttributeError, match="'SegmentationMetrics' object has no attribute 'item'"):
        metrics.item  # noqa: B018
