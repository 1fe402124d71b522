"""One of several processes: count a shard, sync, write what was seen to <folder>/<rank>.json."""

import itertools
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torchmetrics import MetricCollection

from segiou import (
    BoundaryIoU,
    ConfidenceInterval,
    Dice,
    ImagewiseDice,
    ImagewiseIoU,
    InstanceIoU,
    MeanIoU,
    PairedComparison,
    SegmentationMetrics,
    classification,
    segmentation,
)
from segiou.metrics.per_image import decoded
from segiou.metrics.synced_metrics import synced_together
from tests.helpers.metric_cases import COUNTING, TASKS, batch, build, tasks_of

COLLECTIVES = [
    "all_reduce",
    "all_gather",
    "all_gather_into_tensor",
    "all_gather_object",
    "barrier",
    "broadcast",
    "reduce",
]


def watch() -> list[str]:
    """Record every collective that is called from here on."""
    calls: list[str] = []

    def recorded(name: str) -> Any:
        original = getattr(dist, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            calls.append(name)
            return original(*args, **kwargs)

        return call

    for name in COLLECTIVES:
        setattr(dist, name, recorded(name))
        setattr(torch.distributed.distributed_c10d, name, getattr(dist, name))
    return calls


def data() -> tuple[torch.Tensor, torch.Tensor]:
    rng = torch.Generator().manual_seed(7)
    target = torch.randint(0, 6, (7, 9, 5), generator=rng)
    return torch.randn(7, 5, 9, 5, generator=rng), target.masked_fill(target == 5, 255)


def calls_of(calls: list[str], metric: Any) -> list[str]:
    del calls[:]
    metric.compute()
    return list(calls)


def every(calls: list[str], part: slice) -> dict[str, Any]:
    """For every metric that counts and each of its tasks, the bits of the value of these images, and the collectives that it took."""
    found = {}
    for metric, task in itertools.chain.from_iterable(itertools.product([m], tasks_of(m)) for m in COUNTING):
        one = build(metric, **TASKS[task])
        preds, target = batch(task, images=7)
        for image, labels in zip(preds[part].split(1), target[part].split(1), strict=True):
            one.update(image, labels)
        del calls[:]
        found[f"{metric.__name__} {task}"] = [bits(one.compute()), list(calls)]
    return found


def of_images() -> dict[str, tuple[Any, tuple[str, ...]]]:
    """Metrics that look at single images, and what they are given, by name."""
    arguments = {"num_classes": 4, "ignore_index": 255}
    both = ("preds", "target")
    return {
        "mIoU_I": (ImagewiseIoU(**arguments), both),
        "mIoU_C": (ImagewiseIoU(**arguments, over="classes"), both),
        "kept": (ImagewiseIoU(**arguments, keep_images=True), (*both, "ids")),
        "worst": (ImagewiseDice(**arguments, over="classes", worst=30), both),
        "interval": (ConfidenceInterval(SegmentationMetrics(**arguments), replicates=100), (*both, "ids")),
        "paired": (PairedComparison(MeanIoU(**arguments), replicates=100), ("preds", *both, "ids")),
        "instances": (InstanceIoU(**arguments), (*both, "target")),
    }


def every_of_images(calls: list[str], rank: int, world: int) -> dict[str, Any]:
    """The bits of the value of each, and the collectives that it took; the last rank sees an image a second time."""
    preds, target = batch("multiclass", images=7)
    indices = list(range(rank, 7, world))
    found = {}
    for name, (metric, takes) in of_images().items():
        again = [0] if name == "kept" and rank == world - 1 else []
        for index in indices + again:
            given = {"preds": preds[index : index + 1], "target": target[index : index + 1], "ids": [f"{index}.png"]}
            metric.update(*(given[what] for what in takes))
        del calls[:]
        found[name] = [bits(metric.compute()), list(calls)]
        if name == "kept":
            found["ids"] = sorted(metric.images().ids)
            found["local"] = decoded(metric._stacked("ids"))
    return found


def twins() -> dict[str, tuple[Any, bool]]:
    """A twin of torchmetrics' of each kind of state, and whether it takes one-hot maps in place of labels."""
    labels = {"num_classes": 4, "input_format": "index"}
    return {
        "MeanIoU": (segmentation.MeanIoU(**labels), False),
        "MeanIoU of classes": (segmentation.MeanIoU(**labels, per_class=True), False),
        "MeanIoU of unknown classes": (segmentation.MeanIoU(per_class=True), True),
        "DiceScore": (segmentation.DiceScore(**labels, average="weighted"), False),
        "DiceScore of all": (segmentation.DiceScore(**labels, aggregation_level="global"), False),
        "GeneralizedDiceScore": (segmentation.GeneralizedDiceScore(**labels), False),
        "Accuracy": (classification.MulticlassAccuracy(4), False),
        "F1Score of images": (classification.MulticlassF1Score(4, multidim_average="samplewise"), False),
    }


def every_twin(calls: list[str], ranks: list[int]) -> dict[str, Any]:
    """The bits of the value of each, those of images in order, and the collectives; rank 0 has 4 images, 1 has 3."""
    rng = torch.Generator().manual_seed(11)
    preds, target = (torch.randint(0, 4, (7, 6, 5), generator=rng) for _ in range(2))
    found = {}
    for name, (metric, maps) in twins().items():
        for rank in ranks:
            for pair in zip(*(each[4 * rank : 4 + 3 * rank].split(2) for each in (preds, target)), strict=True):
                one_hot = torch.nn.functional.one_hot
                metric.update(*(one_hot(each, 4).movedim(-1, 1) if maps else each for each in pair))
        del calls[:]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a rank without images
            found[name] = [bits(metric.compute()), list(calls)]
    return found


def tables(calls: list[str], rank: int, world: int) -> dict[str, Any]:
    """The tables of classes of every kind of metric after images of this rank, and the collectives that each takes."""
    preds, target = data()
    rules: dict[str, Any] = {"num_classes": 5, "ignore_index": 255}
    made = {
        "scores": SegmentationMetrics(**rules),
        "groups": MeanIoU(**rules, groups={"a": [0, 1], "b": [1, 2]}),
        "boundary": BoundaryIoU(**rules, pixels=1),
        "instances": InstanceIoU(**rules),
        "intervals": ConfidenceInterval(MeanIoU(**rules), replicates=100),
        "images": ImagewiseIoU(**rules, over="classes"),
        "kept": ImagewiseIoU(**rules, keep_images=True),
    }
    found = {}
    for name, metric in made.items():
        for index in range(rank, 7, world):
            batch = preds[index : index + 1], target[index : index + 1]
            more = {
                "instances": {"instances": batch[1] % 2 + 1},
                "intervals": {"ids": [index]},
                "kept": {"ids": [index]},
            }
            metric.update(*batch, **more.get(name, {}))
        local = metric._copy_state_dict()
        del calls[:]
        table = metric.table()
        kept = all(str(getattr(metric, key)) == str(state) for key, state in local.items()) and not metric._is_synced
        found[name] = [table.to_dict(), list(calls), kept]
    return found


def rows_of_groups(rank: int, world: int) -> dict[str, list[int]]:
    """The ids of the kept images, where the process group of each process is that process alone."""
    own = [dist.new_group([each]) for each in range(world)][rank]  # every process must make every group
    preds, target = data()
    metrics = [ImagewiseIoU(5, ignore_index=255, keep_images=True, process_group=own) for _ in range(2)]
    for metric in metrics:
        metric.update(preds[rank : rank + 1], target[rank : rank + 1], ids=[rank])
    found = {"alone": metrics[0].images().ids}
    with synced_together(metrics):
        found |= {f"together {place}": metric.images().ids for place, metric in enumerate(metrics)}
    return found


def bits(value: Any) -> list[str]:
    """Every number of a value, exactly."""
    if isinstance(value, torch.Tensor):
        return [float(number).hex() for number in value.flatten().tolist()]
    return [number for part in (value.values() if isinstance(value, dict) else value) for number in bits(part)]


def main(folder: Path, rank: int, world: int) -> dict[str, Any]:
    dist.init_process_group("gloo", init_method=f"file://{folder / 'store'}", rank=rank, world_size=world)
    calls = watch()
    preds, target = data()
    arguments = {"num_classes": 5, "ignore_index": 255}
    many, one, two = SegmentationMetrics(**arguments, per_class=True), MeanIoU(**arguments), Dice(**arguments)
    together = MetricCollection([MeanIoU(**arguments), SegmentationMetrics(**arguments)])
    for index in range(rank, 7, world):  # no padding: 7 images on 2 or 3 processes
        for metric in (many, one, two, together):
            metric.update(preds[index : index + 1], target[index : index + 1])
    local = many.confmat.clone()
    seen: dict[str, Any] = {
        "many": calls_of(calls, many),
        "one": calls_of(calls, one),
        "again": calls_of(calls, one),
        "together": calls_of(calls, together),
        "bare sync": None,
        "values": {name: value.item().hex() for name, value in many.compute().items()},
        "dice": two.compute().item().hex(),
        "local kept": torch.equal(many.confmat, local),
        "counts": many.synced()[0].tolist(),
    }
    del calls[:]
    many.sync()
    seen["bare sync"] = list(calls)
    seen["synced"] = many.confmat.tolist()
    many.unsync()
    seen["shared states apart"] = torch.equal(together["MeanIoU"].confmat, local)

    seen["of images"] = every_of_images(calls, rank, world)
    seen["twins"] = every_twin(calls, [rank] if rank < 2 and world > 1 else [0, 1] if world == 1 else [])
    seen["every"] = every(calls, slice(rank, None, world))
    seen["tables"] = tables(calls, rank, world)
    step = MeanIoU(**arguments, dist_sync_on_step=True)
    seen["step"] = step(preds[rank : rank + 1], target[rank : rank + 1]).item().hex()
    both = MeanIoU(**arguments, sync_on_compute=False)(preds[:world], target[:world])
    seen["step expected"] = both.item().hex()

    late = MeanIoU(**arguments)  # rank 0 alone has a batch
    if rank == 0:
        late.update(preds, target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seen["rank without batches"] = late.compute().item().hex()

    bad = MeanIoU(**arguments)
    bad.update(preds, target)
    bad.errors[1] += 3 * (rank == world - 1)  # as an accelerator counts them, on the last rank only
    try:
        bad.compute()
    except ValueError as error:
        seen["bad"] = str(error)
    seen["bad kept"] = not bad._is_synced and int(bad.confmat.sum()) == target.numel()

    group = dist.new_group([0])
    alone = MeanIoU(**arguments, process_group=group)
    alone.update(preds[rank : rank + 1], target[rank : rank + 1])
    seen["group"] = alone.compute().item().hex() if rank == 0 else None
    seen["group expected"] = MeanIoU(**arguments, sync_on_compute=False)(preds[:1], target[:1]).item().hex()
    seen["rows of groups"] = rows_of_groups(rank, world)
    dist.barrier()
    dist.destroy_process_group()
    return seen


if __name__ == "__main__":
    out, number, size = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    (out / f"{number}.json").write_text(json.dumps(main(out, number, size)))
