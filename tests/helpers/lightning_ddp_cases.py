"""Runs of the monitor that must log the same values, to the last bit, on one process and on two.

Each takes the options of a trainer, and returns what its process has logged. ``lightning_ddp.py``
runs them on two processes, ``tests/lightning/test_monitor_ddp.py`` on one.
"""

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from pytorch_lightning.callbacks import Callback, EarlyStopping, ModelCheckpoint, TQDMProgressBar
from torch.utils.data import IterableDataset, Subset

from segiou import ConfidenceInterval, ImagewiseIoU, MeanIoU, SegmentationMetrics
from tests.helpers.capture_cases import OwnForward, Silent
from tests.helpers.lightning_cases import CLASSES, IGNORED, Tiny, loader, logged, monitor, samples, trainer
from tests.helpers.report_cases import Page


def _validated(
    loaders: Any, *callbacks: Any, module: Any = None, arguments: Any = None, **options: Any
) -> dict[str, float]:
    runner = trainer(*callbacks, monitor(**(arguments or {})), **options)
    runner.validate(module or Tiny(), loaders, verbose=False)
    return logged(runner)


def odd_data_set(**options: Any) -> dict[str, float]:
    return _validated(loader(7, batch_size=3), **options)


def batches_of_two(**options: Any) -> dict[str, float]:
    """The repeated sample is the second one of rank 1's last batch."""
    return _validated(loader(7, batch_size=2), **options)


def batches_of_one(**options: Any) -> dict[str, float]:
    """The repeated sample is the whole of rank 1's last batch."""
    return _validated(loader(7, batch_size=1), **options)


def two_loaders(**options: Any) -> dict[str, float]:
    return _validated([loader(7), loader(samples(5, seed=1), batch_size=2)], **options)


def captured_network(**options: Any) -> dict[str, float]:
    """The repeated sample is left out of what the network's call gives too."""
    return _validated(loader(7, batch_size=2), module=Silent(), arguments={"model": "net"}, **options)


def captured_forward(**options: Any) -> dict[str, float]:
    """Lightning itself puts another forward in place for each step under DDP."""
    model = OwnForward()
    return _validated(loader(7, batch_size=2), module=model, arguments={"model": "", "target": 1}, **options)


def captured_training(**options: Any) -> dict[str, float]:
    """Two monitors, and the sanity check before."""
    runner = trainer(monitor(model=""), monitor(model="net", prefix="net/"), num_sanity_val_steps=1, **options)
    model = OwnForward()
    runner.fit(model, loader(7, batch_size=2), loader(5, batch_size=2))
    return {**logged(runner), "forward": float("forward" in vars(model))}


class Kept(Callback):
    """Reads the images that a monitor is about to show."""

    def __init__(self, watched: Any) -> None:
        self.watched = watched

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self.samples = self.watched._publisher.results("val")[0].samples


def sampled(**options: Any) -> dict[str, float]:
    """Images to look at: of all processes, and the repeated one once."""
    monitors = {choice: monitor(samples=choice, model="net", prefix=f"{choice}/") for choice in (20, 3, "first")}
    kept = {choice: Kept(watched) for choice, watched in monitors.items()}
    runner = trainer(*monitors.values(), *kept.values(), **options)
    runner.validate(Silent(), loader(7, batch_size=2), verbose=False)
    return {
        f"{choice}/{place}/{name}": float(value)
        for choice, callback in kept.items()
        for place, sample in enumerate(callback.samples)
        for name, value in (("score", sample.score), ("photo", sample.photo.sum()), ("label", sample.label.sum()))
    }


def nothing_given(**options: Any) -> dict[str, float]:
    """Every process raises, the one that had no batches too."""
    module = ShardedSilent([[0, 1, 2, 3, 4, 5, 6], []])
    runner = trainer(monitor(), use_distributed_sampler=False, **options)
    try:
        runner.validate(module, verbose=False)
    except ValueError as error:
        return {"raised": float(str(error).startswith("val/mIoU and val/Dice have no value"))}
    return {"raised": 0.0}


class Named(Tiny):
    """Gives each sample an id."""

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        outputs = super().validation_step(batch, batch_idx, dataloader_idx)
        return {**outputs, "ids": [str(float(image.sum())) for image in batch[0]]}


def more_metrics(**options: Any) -> dict[str, float]:
    """Sums, kept images and drawn ones, of two loaders, the second of which repeats samples of the first."""
    arguments = {"num_classes": CLASSES, "ignore_index": IGNORED}
    metrics = [
        SegmentationMetrics(**arguments),
        ImagewiseIoU(**arguments, over="classes"),
        ImagewiseIoU(**arguments, worst=30),
        ConfidenceInterval(MeanIoU(**arguments), replicates=100),
    ]
    runner = trainer(monitor(metrics=metrics), **options)
    runner.validate(Named(), [loader(7, batch_size=2), loader(5)], verbose=False)
    return logged(runner)


def tested(**options: Any) -> dict[str, float]:
    runner = trainer(monitor(), **options)
    runner.test(Tiny(), loader(7), verbose=False)
    return logged(runner)


class Summed(Tiny):
    """Gives each tested sample an id, the sum of its pixels."""

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        outputs = super().test_step(batch, batch_idx, dataloader_idx)
        return {**outputs, "ids": [f"{float(image.sum()):.4f}" for image in batch[0]]}


def reported(**options: Any) -> dict[str, float]:
    """Two pages, of odd data sets; the images that they show are in what is logged."""
    drawn = ConfidenceInterval(MeanIoU(CLASSES, ignore_index=IGNORED), replicates=100)
    with tempfile.TemporaryDirectory() as folder:
        runner = trainer(monitor(report=Path(folder) / "report.html", metrics=[drawn]), **options)
        runner.test(Summed(), [loader(17, batch_size=2), loader(5)], verbose=False)
        pages = sorted(Path(folder).iterdir())
        assert len(pages) == (2 if runner.is_global_zero else 0)
        shown = {
            f"{page.name}/{place}": float(name) for page in pages for place, (name, _) in enumerate(_worst_images(page))
        }
        return {**logged(runner), **runner.strategy.broadcast(shown)}


def reported_without_ids(**options: Any) -> dict[str, float]:
    """Images without an id have the same name wherever the page shows them."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        runner = trainer(monitor(report=page), **options)
        runner.test(Tiny(), loader(7), verbose=False)
        if runner.is_global_zero:
            rows = Page(page.read_text()).tables["image-table"][1:]
            assert [tuple(row[:2]) for row in rows] == _worst_images(page)
            assert {name for name, _ in _worst_images(page)} == {f"image {place}" for place in range(7)}
        return logged(runner)


def _worst_images(page: Path) -> list[tuple[str, str]]:
    return re.findall("<figcaption><h3>(.*?)</h3>.*?<strong>(.*?)</strong>", page.read_text().replace("<wbr>", ""))


class Wrapped(Tiny):
    """Gives its predictions as torchvision's models do."""

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        outputs = super().validation_step(batch, batch_idx, dataloader_idx)
        return {"preds": {"out": outputs["preds"]}, "target": outputs["target"]}


def predictions_in_a_mapping(**options: Any) -> dict[str, float]:
    return _validated(loader(7), module=Wrapped(), **options)


class Sharded(Tiny):
    """Gives each process its own samples; one process takes them all."""

    def __init__(self, shards: list[list[int]]) -> None:
        super().__init__()
        self.shards = shards

    def val_dataloader(self) -> Any:
        own = self.shards if self.trainer.world_size == 1 else [self.shards[self.trainer.global_rank]]
        return loader(Stream([index for shard in own for index in shard]), batch_size=2)


class Stream(IterableDataset):
    """Samples without a length, so that one process may have none of them."""

    def __init__(self, indices: list[int]) -> None:
        self.indices = indices

    def __iter__(self) -> Any:
        return iter(Subset(samples(7), self.indices))


class ShardedSilent(Sharded, Silent):
    """Returns nothing."""


def uneven_shards(**options: Any) -> dict[str, float]:
    module = Sharded([[0, 1, 2, 3, 4, 5], [6]])
    return _validated(None, module=module, use_distributed_sampler=False, **options)


def rank_without_batches(**options: Any) -> dict[str, float]:
    module = Sharded([[0, 1, 2, 3, 4, 5, 6], []])
    return _validated(None, module=module, use_distributed_sampler=False, **options)


def train_stage(**options: Any) -> dict[str, float]:
    """The learning rate is 0, so that the weights stay equal."""
    runner = trainer(monitor(), max_epochs=2, **options)
    runner.fit(Tiny(), loader(7, batch_size=2), loader(5, batch_size=2))
    return logged(runner)


class LoggingToo(Tiny):
    """Logs on its own what Lightning then has to reduce when the epoch ends."""

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        self.log("one", torch.ones(()), sync_dist=True, on_epoch=True, on_step=False, prog_bar=True)
        return super().training_step(batch, batch_idx)


def progress_bar_before_the_monitor(**options: Any) -> dict[str, float]:
    """The bar reads, and so reduces, the metrics first, on rank 0 only: a deadlock if the monitor does not too."""
    options = {"enable_progress_bar": True, **options}
    runner = trainer(TQDMProgressBar(), monitor(), **options)
    runner.fit(LoggingToo(), loader(7, batch_size=2), loader(5))
    return logged(runner)


def monitored(**options: Any) -> dict[str, float]:
    """Nothing improves at a learning rate of 0: EarlyStopping ends it after the second of five epochs."""
    with tempfile.TemporaryDirectory() as folder:
        kept = ModelCheckpoint(folder, monitor="val/mIoU", mode="max")
        stop = EarlyStopping("val/mIoU", mode="max", patience=1)
        options = {"enable_checkpointing": True, "max_epochs": 5, **options}
        runner = trainer(stop, kept, monitor(stages=["val"]), **options)
        runner.fit(Tiny(), loader(4), loader(7))
        runner.strategy.barrier()  # before the folder goes
        return {**logged(runner), "best": float(kept.best_model_score), "epochs": runner.current_epoch}


def trained(**options: Any) -> dict[str, float]:
    """With a learning rate the weights differ from those of one process, but not between ranks."""
    runner = trainer(monitor(), **options)
    runner.fit(Tiny(lr=0.1), loader(7, batch_size=2), loader(7))
    return logged(runner)


EQUAL_TO_ONE_PROCESS: dict[str, Callable[..., dict[str, float]]] = {
    case.__name__: case
    for case in (
        odd_data_set,
        batches_of_two,
        batches_of_one,
        captured_network,
        captured_forward,
        captured_training,
        sampled,
        nothing_given,
        two_loaders,
        more_metrics,
        tested,
        reported,
        reported_without_ids,
        predictions_in_a_mapping,
        uneven_shards,
        rank_without_batches,
        train_stage,
        progress_bar_before_the_monitor,
        monitored,
    )
}
EQUAL_BETWEEN_RANKS = {"trained": trained}
