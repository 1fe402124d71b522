"""``SegmentationMonitor``: a Lightning callback that logs mIoU and Dice of every epoch.

It works with trainers of both packages, ``pytorch_lightning`` and ``lightning.pytorch``, whose callbacks
are different classes: the monitor inherits from that of every one that is installed.
"""

import importlib
import importlib.util
from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any, get_args

from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.counting.tensors import unwrapped
from segiou.labels.class_names import NumClasses
from segiou.lightning.epoch import Measures, synced
from segiou.lightning.loggers import Result, publish, table
from segiou.lightning.repeated_samples import RealSamples
from segiou.lightning.step_outputs import STEPS, Outputs, Stage, returned
from segiou.lightning.test_report import TestReport
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.scores import Dice, MeanIoU
from segiou.metrics.state import SummedStates


def _callbacks() -> tuple[type, ...]:
    """The ``Callback`` of each installed namespace."""
    found = [name for name in ("pytorch_lightning", "lightning") if importlib.util.find_spec(name)]
    modules = [importlib.import_module("lightning.pytorch" if name == "lightning" else name) for name in found]
    return tuple(module.Callback for module in modules)


class _Monitor:
    """What the monitor does; ``SegmentationMonitor`` adds the installed base classes."""

    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        ignore_index: int | Sequence[int] | None = None,
        class_names: Sequence[str] | None = None,
        stages: Stage | Sequence[Stage] = ("train", "val", "test"),
        outputs: Outputs | None = None,
        per_class: bool = True,
        figure: bool | None = None,
        prog_bar: bool = True,
        drop_padding: bool = True,
        metrics: Sequence[SummedStates] | Mapping[str, SummedStates] = (),
        report: str | PathLike[str] | None = None,
        **kwargs: Any,
    ) -> None:
        chosen = (stages,) if isinstance(stages, str) else tuple(stages)
        if not chosen or any(stage not in get_args(Stage) for stage in chosen):
            raise ValueError(f'stages must be some of "train", "val" and "test", got {stages!r}')
        if outputs is not None and not callable(outputs):
            raise TypeError(f"outputs must be a function of (outputs, batch), got {outputs!r}")
        if figure and not importlib.util.find_spec("matplotlib"):
            raise ModuleNotFoundError('figure=True needs matplotlib: pip install "segiou[plot]"')
        if report is not None and "test" not in chosen:
            raise ValueError(f"report={str(report)!r} is written after test, which stages={chosen} leave out")
        if report is not None and not importlib.util.find_spec("jinja2"):
            raise ModuleNotFoundError('report needs Jinja2: pip install "segiou[report]"')
        if kwargs.get("average") == "none":
            raise ValueError(
                'average="none" gives no single value to log: leave it out, the loggers get scores per class'
            )
        self.stages = chosen
        self.outputs = outputs
        self.per_class = per_class
        self.figure = figure if figure is not None else importlib.util.find_spec("matplotlib") is not None
        self.prog_bar = prog_bar
        self.drop_padding = drop_padding
        kwargs = {"ignore_index": ignore_index, "class_names": class_names, **kwargs}
        self._report = None if report is None else TestReport(report, num_classes, **kwargs)
        counts = ConfusionMatrixMetric(num_classes, **kwargs)
        self._empty = Measures.of(counts, metrics)  # raises on bad arguments now, and is copied for each epoch
        self._counting: dict[str, list[Measures]] = {}
        self._real: dict[str, RealSamples] = {}
        self._results: dict[str, list[Result]] = {}
        self._logged: dict[str, float] = {}

    # ---- hooks

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Forget what an earlier run that failed has left; raise now where the report could not be written later."""
        if self._report and trainer.is_global_zero:
            self._report.require_writable()
        self._counting.clear()
        self._results.clear()

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._start("train", trainer, pl_module)

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._start("val", trainer, pl_module)

    def on_test_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._start("test", trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        if "train" in self.stages and "train" not in self._counting:
            rank_zero_warn(
                f"training resumed at batch {batch_idx} of its epoch: train/mIoU and train/Dice of this epoch cover "
                "the batches from here on",
                UserWarning,
            )
            self._start("train", trainer, pl_module, resumed=True)
        self._count("train", trainer, outputs, batch, batch_idx, 0)

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._count("val", trainer, outputs, batch, batch_idx, dataloader_idx)

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._count("test", trainer, outputs, batch, batch_idx, dataloader_idx)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._log("train", trainer, pl_module)
        self._publish("train", trainer)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._log("val", trainer, pl_module)

    def on_test_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._log("test", trainer, pl_module)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._publish("val", trainer)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        for result in self._results.get("test", []):
            text = table(result)
            if text:
                pl_module.print(text)
        results = self._results.get("test", [])
        self._publish("test", trainer)
        if self._report and trainer.is_global_zero:
            for result in results:
                self._report.write(result, trainer, pl_module)

    # ---- what they do

    def _start(self, stage: Stage, trainer: Any, pl_module: Any, *, resumed: bool = False) -> None:
        """Fresh counts, one for each loader."""
        if stage not in self.stages or trainer.sanity_checking:
            return
        loaders, sequential = _loaders(stage, trainer)
        copies = len(loaders) if sequential and stage != "train" else 1
        self._counting[stage] = [self._empty.fresh(pl_module.device) for _ in range(copies)]
        if stage == "test" and self._report:
            self._report.start(copies, pl_module.device)
        # a resumed epoch numbers its batches on, while the loader may start anew
        self._real[stage] = RealSamples(stage, loaders, sequential and not resumed)

    def _count(self, stage: Stage, trainer: Any, outputs: Any, batch: Any, batch_idx: int, loader: int) -> None:
        if stage not in self.stages or trainer.sanity_checking or outputs is None:
            return
        if isinstance(outputs, Mapping) and not outputs:
            return  # the step skipped this batch
        measures = self._counting[stage][loader]
        report = self._report if stage == "test" else None
        needed = ({"ids": False} if report else {}) | measures.needed
        preds, target, more = returned(stage, outputs, batch, self.outputs, needed)
        if self.drop_padding:
            cut = self._real[stage].kept(unwrapped(preds), target, batch_idx, loader)
            if cut is not None:
                preds, target = unwrapped(preds)[:cut], target[:cut]
                more = {name: None if part is None else part[:cut] for name, part in more.items()}
        measures.update(preds, target, more)
        if report:
            report.update(loader, preds, target, more.get("ids"))

    def _log(self, stage: Stage, trainer: Any, pl_module: Any) -> None:
        """Log the values of each loader, equal on every rank."""
        if stage not in self._counting or trainer.sanity_checking:
            return
        # Computes what the module has logged with sync_dist. A progress bar on rank 0 may have done so already,
        # and our own all-reduce must come after it on every rank.
        seen = dict(trainer.callback_metrics)
        loaders = self._counting.pop(stage)
        self._results[stage] = []
        with synced(loaders):
            for index, measures in enumerate(loaders):
                suffix = f"/dataloader_idx_{index}" if len(loaders) > 1 else ""
                shown = self._report.shown(index, measures) if self._report and stage == "test" else None
                self._log_loader(stage, suffix, measures, pl_module, seen, shown)

    def _log_loader(
        self, stage: Stage, suffix: str, measures: Measures, pl_module: Any, seen: Mapping[str, Tensor], shown: Any
    ) -> None:
        counts = measures.counts
        counts.check(counts.errors)
        if not counts.confmat.any():
            rank_zero_warn(
                f"nothing was counted for {stage}/mIoU{suffix} and {stage}/Dice{suffix}: {STEPS[stage]} returned "
                "None or {} for every batch, or no pixels",
                UserWarning,
            )
        own, other = measures.own_values(), measures.other_values()
        self._results[stage].append(Result(stage, suffix, counts.confmat.clone(), counts, other, shown))
        for name, value in (own | other).items():
            key = f"{stage}/{name}{suffix}"
            self._warn_of_twin(key, seen)
            pl_module.log(
                key,
                value,
                prog_bar=self.prog_bar and name == MeanIoU.score.key,
                on_step=False,
                on_epoch=True,
                sync_dist=True,  # with rank_zero_only: the value is final, do not reduce it and do not warn
                rank_zero_only=True,
                add_dataloader_idx=False,
                batch_size=1,
            )
            self._logged[key] = float(value)

    def _publish(self, stage: Stage, trainer: Any) -> None:
        """Hand per-class scores and the figure to the loggers, on rank 0."""
        for result in self._results.pop(stage, []):
            for name in (MeanIoU.score.key, Dice.score.key, *result.other):
                self._warn_of_twin(f"{stage}/{name}{result.suffix}", trainer.callback_metrics)
            if trainer.is_global_zero:
                publish(result, trainer, classes=self.per_class, figure=self.figure and stage != "train")

    def _warn_of_twin(self, key: str, metrics: Mapping[str, Tensor]) -> None:
        """Say so if the module logs a key of ours: Lightning would average or replace without a word."""
        if key not in metrics:
            return
        value, ours = float(metrics[key]), self._logged.get(key)
        if ours is None or not (value == ours or (value != value and ours != ours)):
            self._logged[key] = value
            rank_zero_warn(
                f"{key} is logged by SegmentationMonitor and by something else as well, and Lightning mixes the two: "
                "log one of them under another name",
                UserWarning,
            )


def _loaders(stage: Stage, trainer: Any) -> tuple[list[Any], bool]:
    """The data loaders of a stage, as Lightning has prepared them, and whether they come one after the other."""
    if stage == "train":
        loop = trainer.fit_loop
    elif stage == "test":
        loop = trainer.test_loop
    else:  # trainer.val_dataloaders prefers those of fit, also under trainer.validate
        loop = trainer.validate_loop if trainer.state.fn == "validate" else trainer.fit_loop.epoch_loop.val_loop
    combined = loop._combined_loader
    return list(combined.flattened), combined._mode == "sequential" or len(combined.flattened) == 1


class SegmentationMonitor(_Monitor, *_callbacks()):  # type: ignore[misc]  # the bases depend on what is installed
    """Log mIoU and Dice of each epoch as ``train/mIoU``, ``val/mIoU``, ``test/mIoU``, ``train/Dice`` and so on.

    The values are those of the whole epoch, equal on every rank, and are in ``trainer.callback_metrics``
    for ModelCheckpoint and EarlyStopping in the same epoch. With several loaders the names end in
    ``/dataloader_idx_0`` and so on. Each step returns a dict with ``preds`` and ``target`` (and ``loss`` in
    training), or ``outputs`` extracts them. Scores per class go to the loggers, a figure of the confusion
    matrix with them, and a table is printed after ``trainer.test`` where rich is installed.

    Args:
        num_classes: the number of classes, or a label set such as "cityscapes"; left out for binary and
            multilabel tasks.
        ignore_index: target values that are not counted.
        class_names: names for the loggers, the figure and the table.
        stages: which of "train", "val" and "test" to measure.
        outputs: a function ``(outputs, batch) -> (preds, target)`` for steps that return something else.
        per_class: log ``<stage>/IoU_per_class/<name>`` and ``<stage>/Dice_per_class/<name>`` for the loggers.
        figure: draw the confusion matrix for the loggers; by default if matplotlib is installed.
        prog_bar: show mIoU in the progress bar.
        metrics: more of segiou's metrics, logged by the same rules as ``<stage>/<name>``: a list, or a dict that
            names them. What their ``update`` takes beside preds and target, such as ``ids``, is returned by the
            step under that name, or by ``outputs`` as ``(preds, target, {name: value})``.
        report: the path of an HTML page that is written after test; of several loaders each has its own. With
            ``ids`` beside preds and target images are shown by them. Test then waits for the device at each batch.
        drop_padding: leave out the samples that a DistributedSampler repeats to give every rank as many.
        kwargs: the other arguments of ``ConfusionMatrixMetric``: ``task``, ``absent``, ``exclude``, ...

    Raises:
        ValueError: unknown stages, and what ``ConfusionMatrixMetric`` raises; while running, a step that
            returns no ``preds`` and ``target``, or input that does not fit.
        TypeError: ``outputs`` that is no function.
        ModuleNotFoundError: ``figure=True`` without matplotlib, ``report`` without Jinja2.
        OSError: ``report`` in a folder that does not exist, at the start of a run.

    >>> from segiou.lightning import SegmentationMonitor
    >>> monitor = SegmentationMonitor(num_classes=21, ignore_index=255, stages=["val", "test"])
    """
