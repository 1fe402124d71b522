"""Every public metric, the tasks that it has, a batch for each of them, and how to compare states and values."""

from inspect import signature

import pytest
import torch

import segiou
from segiou.metrics.bootstrap import Bootstrapped
from segiou.metrics.per_image import OfImages, own_arguments
from segiou.metrics.pixels import PixelMetric
from segiou.metrics.state import SummedStates


def takes_only(metric) -> bool:
    """Whether a batch is preds and target; what else ``update`` takes may be left out."""
    parameters = list(signature(metric.update).parameters.values())[1:]
    return [p.name for p in parameters if p.default is p.empty] == ["preds", "target"]


METRICS = [
    metric
    for metric in (getattr(segiou, name) for name in segiou.__all__)
    if isinstance(metric, type) and issubclass(metric, SummedStates) and takes_only(metric)
]
COUNTING = [metric for metric in METRICS if issubclass(metric, PixelMetric)]
TASKS = {
    "multiclass": {"num_classes": 4, "ignore_index": 255},
    "binary": {"task": "binary", "ignore_index": -1},
    "multilabel": {"task": "multilabel", "num_labels": 3},
}


def tasks_of(metric):
    return list(getattr(metric, "tasks", TASKS))


def over(metrics, tasks=None):
    """Run a test with each metric, for each task that it has, or for the first few."""
    cases = [(metric, task) for metric in metrics for task in tasks_of(metric)[:tasks]]
    ids = [f"{metric.__name__}-{task}" for metric, task in cases]
    return pytest.mark.parametrize(("metric", "task"), cases, ids=ids)


every_metric, every_case, every_counting_case = over(METRICS, 1), over(METRICS), over(COUNTING)


def batch(task: str, images: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(seed)
    if task == "multilabel":
        return torch.rand(images, 3, 6, 5, generator=rng), torch.randint(0, 2, (images, 3, 6, 5), generator=rng)
    if task == "binary":
        target = torch.randint(-1, 2, (images, 6, 5), generator=rng)
        return torch.rand(images, 6, 5, generator=rng), target
    target = torch.randint(0, 4, (images, 6, 5), generator=rng)
    return torch.randn(images, 4, 6, 5, generator=rng), target.masked_fill(target == 3, 255)


def build(metric, **arguments):
    """The metric with arguments of counting; one that is made of a metric gets a MeanIoU."""
    if len(tasks_of(metric)) == 1:
        arguments.pop("task", None)
    if not issubclass(metric, OfImages) or "num_classes" in signature(metric).parameters:
        return metric(**arguments)
    own = own_arguments(arguments)
    return metric(segiou.MeanIoU(**arguments), **own)


def named(metric, seed: int) -> dict:
    """Ids for a batch, where what is merged needs them."""
    return {"ids": range(3 * seed, 3 * seed + 3)} if issubclass(metric, Bootstrapped) else {}


def states(metric) -> dict:
    return {name: metric._stacked(name) if name in metric._rows else s for name, s in metric.metric_state.items()}


def same(a, b) -> bool:
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, tuple):
        return type(a) is type(b) and all(map(same, a, b))
    return torch.equal(a.nan_to_num(-9), b.nan_to_num(-9)) and a.dtype == b.dtype
