"""``SegmentationMonitor``: a Lightning callback that logs mIoU and Dice of every epoch.

It works with trainers of both packages, ``pytorch_lightning`` and ``lightning.pytorch``, whose callbacks
are different classes: the monitor inherits from that of every one that is installed.
"""

from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from typing import Any, Literal, cast

from torch import Tensor
from torchmetrics.utilities import rank_zero_warn
from typing_extensions import Unpack

from segiou.counting.tensors import unwrapped
from segiou.labels.class_names import NumClasses
from segiou.lightning import arguments
from segiou.lightning.batch_parts import Part
from segiou.lightning.captured_calls import Calls
from segiou.lightning.epoch import OWN, Measures, require_data, synced
from segiou.lightning.figures import Drawn, Figures
from segiou.lightning.hints import capturing
from segiou.lightning.hooks import Hooks, callbacks
from segiou.lightning.keys import LoggedKeys
from segiou.lightning.loggers import Result
from segiou.lightning.publisher import Publisher
from segiou.lightning.repeated_samples import RealSamples, loaders_of
from segiou.lightning.report_after_test import TestReport
from segiou.lightning.step_outputs import Outputs, Skipped, Stage, StepData, needed_beside, returned
from segiou.metrics.arguments import OWN_AVERAGE, ClassMetricArguments
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.scores import MeanIoU
from segiou.metrics.signatures import Signed
from segiou.metrics.state import SummedStates


class _Monitor(Signed, Hooks):
    """What the monitor does; ``SegmentationMonitor`` adds the installed base classes."""

    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        stages: Stage | Sequence[Stage] = ("train", "val", "test"),
        model: str | None = None,
        target: Part | None = None,
        preds: Callable[[Any], Any] | None = None,
        calls: Calls | None = None,
        outputs: Outputs | None = None,
        prefix: str = "",
        per_class: bool = True,
        figure: Drawn | None = None,
        prog_bar: bool = True,
        samples: int | Literal["first"] | None = None,
        image: Part | None = None,
        mean: Sequence[float] | float | None = None,
        std: Sequence[float] | float | None = None,
        bands: Sequence[int] | int | None = None,
        drop_padding: bool = True,
        metrics: Sequence[SummedStates] | Mapping[str, SummedStates] = (),
        report: str | PathLike[str] | None = None,
        average: Literal["macro", "micro", "weighted"] = cast(Any, OWN_AVERAGE),
        **kwargs: Unpack[ClassMetricArguments],
    ) -> None:
        self.stages = arguments.checked_stages(stages)
        figures = Figures(figure)
        arguments.require_report(report, self.stages)
        arguments.require_single_value(str(average))
        self.num_classes = num_classes
        self.outputs = outputs
        self.prog_bar = prog_bar
        self.drop_padding = drop_padding
        self._report = None if report is None else TestReport(report, num_classes, average=average, **kwargs)
        counts = ConfusionMatrixMetric(num_classes, average=average, **kwargs)
        self._captured = arguments.captured_calls(model, target, preds, calls, outputs, counts.rules)
        self._empty = Measures.of(counts, metrics)  # raises on bad arguments now, and is copied for each epoch
        self._photos = arguments.batch_photos(samples, report, image, mean, std, bands)
        self._samples = arguments.epoch_samples(samples, self.stages, num_classes, average=average, **kwargs)
        self._keys = LoggedKeys(prefix, self.stages, self._empty.names())
        self._counting: dict[str, list[Measures]] = {}
        self._real: dict[str, RealSamples] = {}
        self._publisher = Publisher(self._keys, figures, self._samples, self._report, per_class=per_class)

    @property
    def per_class(self) -> bool:
        """Whether loggers get the scores of each class."""
        return self._publisher.per_class

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        """Forget what an earlier run that failed has left; raise now what would otherwise go wrong later."""
        monitors = [callback for callback in trainer.callbacks if isinstance(callback, _Monitor)]
        for other in monitors[: next(index for index, monitor in enumerate(monitors) if monitor is self)]:
            self._keys.require_different(other._keys)
            if self._report and other._report:
                self._report.require_different(other._report)
        if self._report and trainer.is_global_zero:
            self._report.require_writable()
        self._counting.clear()
        self._publisher.start(fit=stage == "fit")
        if self._photos:
            of_samples = ["val"] if self._samples else []
            self._photos.watch_steps(trainer.strategy, [each for each in self.stages if each in (*of_samples, "test")])
        if self._captured:
            self._captured.start(trainer.strategy, pl_module, self.stages, [*self._needed("test")])

    def _stop(self) -> None:
        if self._photos:
            self._photos.leave_steps()
        if self._captured:
            self._captured.stop()

    def _start(self, stage: Stage, trainer: Any, pl_module: Any, *, resumed: bool = False) -> None:
        """Fresh counts, one for each loader."""
        if stage not in self.stages:
            return
        loaders, mode = loaders_of(stage, trainer)
        sequential = mode == "sequential"
        copies = len(loaders) if sequential and stage != "train" else 1
        self._counting[stage] = [self._empty.fresh(pl_module.device) for _ in range(copies)]
        if stage != "train" and self._samples:
            self._samples.start([measures.counts for measures in self._counting[stage]])
        if stage == "test" and self._report:
            self._report.start(copies, pl_module.device)
        self._real[stage] = RealSamples(stage, loaders, sequential, cycled=mode == "max_size_cycle", resumed=resumed)

    def _start_resumed(self, trainer: Any, pl_module: Any, batch_idx: int) -> None:
        """Start the training epoch that was resumed between two batches, which has no start of its own."""
        if "train" in self.stages and "train" not in self._counting:
            rank_zero_warn(
                f"training resumed at batch {batch_idx} of its epoch: {self._keys.key('train', 'mIoU')} and "
                f"{self._keys.key('train', 'Dice')} of this epoch cover the batches from here on",
                UserWarning,
            )
            self._start("train", trainer, pl_module, resumed=True)

    def _needed(self, stage: Stage) -> dict[str, bool]:
        """What is needed of a batch beside predictions and target, and whether it must be there."""
        return ({"ids": False} if self._report and stage == "test" else {}) | self._empty.needed

    def _given(self, stage: Stage, module: Any, outputs: Any, batch: Any) -> StepData | Skipped:
        if self._captured:
            return self._captured.taken(stage, outputs, batch)
        return returned(stage, outputs, batch, self.outputs, lambda: capturing(module, batch, self.num_classes))

    def _count(
        self, stage: Stage, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int, loader: int
    ) -> None:
        if stage not in self.stages:
            return
        measures = self._counting[stage][loader]
        given = self._given(stage, module, outputs, batch)
        if isinstance(given, Skipped):
            measures.skip(given)
            return
        preds, target, more = given.preds, given.target, needed_beside(self._needed(stage), stage, given.more)
        if self.drop_padding:
            real = self._real[stage]
            cut = real.kept(unwrapped(preds), target, batch_idx, loader, batch, given.in_batch)
            if cut is not None:
                preds, target = unwrapped(preds)[:cut], target[:cut]
                more = {name: None if part is None else part[:cut] for name, part in more.items()}
        measures.update(preds, target, more)
        if stage == "train" or trainer.sanity_checking or not self._photos:
            return
        photos = self._photos.taken(batch, len(target))
        if self._samples:
            self._samples.update(loader, preds, target, photos)
        if stage == "test" and self._report:
            self._report.update(loader, preds, target, more.get("ids"), photos)

    def _log(self, stage: Stage, trainer: Any, pl_module: Any) -> None:
        """Log the values of each loader, equal on every rank; of the sanity check, look at the data alone."""
        if stage not in self._counting:
            return
        # Computes what the module has logged with sync_dist. A progress bar on rank 0 may have done so already,
        # and our own all-reduce must come after it on every rank.
        seen = dict(trainer.callback_metrics)
        loaders = self._counting.pop(stage)
        self._publisher.start_epoch(stage)
        with synced(loaders):
            for index, measures in enumerate(loaders):
                suffix = f"/dataloader_idx_{index}" if len(loaders) > 1 else ""
                keys = " and ".join(self._keys.key(stage, score.key, suffix) for score in OWN)
                require_data(keys, stage, measures, trainer)
                if not trainer.sanity_checking:
                    shown = self._report.shown(index, measures) if self._report and stage == "test" else None
                    kept = self._samples.kept(index) if self._samples and stage != "train" else []
                    self._log_loader(stage, suffix, measures, pl_module, seen, shown, kept)

    def _log_loader(
        self, stage: Stage, suffix: str, measures: Measures, module: Any, seen: Mapping[str, Tensor], *images: Any
    ) -> None:
        counts = measures.counts
        own, other = measures.own_values(), measures.other_values()
        result = Result(stage, suffix, counts.confmat.clone(), counts, other, self._keys.prefix, *images)
        self._publisher.add(result, own, module.current_epoch)
        for name, value in (own | other).items():
            key = self._keys.key(stage, name, suffix)
            self._keys.warn_of_twin(key, seen)
            self._keys.log(key, value, module, prog_bar=self.prog_bar and name == MeanIoU.score.key)

    def _publish(self, stage: Stage, trainer: Any) -> None:
        self._publisher.publish(stage, trainer)

    def _tell(self, trainer: Any, pl_module: Any) -> None:
        self._publisher.tell(trainer, pl_module)

    def _finish(self, trainer: Any) -> None:
        self._publisher.figures.finish(trainer)


class SegmentationMonitor(_Monitor, *callbacks()):  # type: ignore[misc]  # the bases depend on what is installed
    """Log mIoU and Dice of each epoch as ``train/mIoU``, ``val/mIoU``, ``test/mIoU``, ``train/Dice`` and so on.

    The values are those of the whole epoch, equal on every rank, and are in ``trainer.callback_metrics``
    for ModelCheckpoint and EarlyStopping in the same epoch. With several loaders the names end in
    ``/dataloader_idx_0`` and so on. Scores per class go to the loggers, a figure of the confusion matrix with
    them, and a table is printed after ``trainer.test`` where rich is installed.

    With ``model`` predictions are what that network returns when a step calls it, and targets are in the batch: any
    LightningModule is measured as it is. Without, each step returns a dict with ``preds`` and ``target`` (and ``loss``
    in training), also under other usual names such as ``logits`` and ``labels``, or ``outputs`` extracts them.
    Lightning's sanity check ends the run where batches cannot be read or counted; its counts are thrown away.

    Args:
        num_classes: the number of classes, or a label set such as "cityscapes"; left out for binary and
            multilabel tasks.
        stages: which of "train", "val" and "test" to measure.
        model: the name of the submodule whose calls give the predictions, such as "net" or "model.decoder"; "" is
            the LightningModule's own ``forward``.
        target: with ``model``, the key or index of the target in the batch, or a function of the batch, which is asked
            before the step. By default the first of mask, masks, label, labels, target and targets, or the second
            part of a tuple. A step that flips masks or remaps labels should do so in ``on_after_batch_transfer``, or
            return ``preds`` and ``target``: what it makes of them is not seen.
        preds: with ``model``, a function of what it returns, which gives scores or labels; by default that itself, or
            its ``out``, ``logits`` or ``output``.
        calls: with ``model``, which call counts where a step has several: "first" or "last".
        outputs: a function ``(outputs, batch) -> (preds, target)`` for steps that return something else; or None for
            a batch that is left out.
        prefix: what every key begins with, such as "coarse/" for ``coarse/val/mIoU``; two monitors of one trainer
            need different ones.
        per_class: log ``<stage>/IoU_per_class/<name>`` and ``<stage>/Dice_per_class/<name>`` for the loggers.
        figure: draw the confusion matrix for the loggers. "last" is the default where matplotlib is installed: once at
            the end of ``fit``, of its last validation, also where it ends early or is interrupted. True draws each
            validation, a number n each n-th one, False none. ``validate`` and ``test`` are drawn each time.
        prog_bar: show mIoU in the progress bar.
        metrics: more of segiou's metrics, logged by the same rules as ``<stage>/<name>``: a list, or a dict that
            names them. What their ``update`` takes beside preds and target, such as ``ids``, is returned by the
            step under that name, or by ``outputs`` as ``(preds, target, {name: value})``, or is in the batch.
        report: the path of an HTML page that is written after test; of several loaders each has its own. With
            ``ids`` beside preds and target images are shown by them, and with their photos; so are the scores of the
            epochs of a ``fit`` before. Test then waits for the device at each batch.
        samples: how many of the worst images of each validation and test are shown to the loggers, or "first" for the
            first four: photo, label, prediction and error side by side. Volumes ``(N, D, H, W)`` are shown by the
            middle slice across their shortest axis, with the score of the whole. Needs Pillow.
        image: the key or index of the photos in the batch, or a function of the batch, for ``samples`` and ``report``.
            By default the first of image, images, x, input and pixel_values, or of a tuple. Photos are one tensor or
            array ``(N, channels, h, w)`` or a list; the size of the target tells whether the channels are last instead,
            or are missing in grey ones.
        mean: what was subtracted of each shown channel, or of all; without, photos of uint8 and of fractions are shown
            as they are, and others are stretched, each by its own range.
        std: what each shown channel was divided by, or all.
        bands: the three channels of red, green and blue, or one for grey; by default the first three.
        drop_padding: leave out the samples that a DistributedSampler repeats to give every rank as many, and those of
            loaders that a CombinedLoader of mode "max_size_cycle" has started anew.
        average: of the classes, "macro", "micro" or "weighted"; the loggers get the score of each class as well.

    Raises:
        ValueError: unknown stages, arguments that exclude each other, and what ``ConfusionMatrixMetric`` raises; at the
            start of a run, another monitor with the same keys; while running, a step that gives no predictions, or
            calls ``model`` not once, and input that does not fit.
        TypeError: an argument of another type.
        ModuleNotFoundError: ``figure`` without matplotlib, ``report`` without Jinja2.
        OSError: ``report`` in a folder that does not exist, at the start of a run.

    >>> from segiou.lightning import SegmentationMonitor
    >>> monitor = SegmentationMonitor(21, ignore_index=255, model="net", target="mask")
    >>> of_returned_dicts = SegmentationMonitor(21, ignore_index=255, stages=["val", "test"], prefix="returned/")
    """
