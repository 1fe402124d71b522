"""Hands what an epoch has given to the loggers, the console and the report, on rank 0."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.lightning.epoch import OWN
from segiou.lightning.epoch_history import EpochHistory
from segiou.lightning.epoch_samples import EpochSamples
from segiou.lightning.figures import Figures
from segiou.lightning.keys import LoggedKeys
from segiou.lightning.logger_pictures import when_of
from segiou.lightning.loggers import Result, publish, table
from segiou.lightning.report_after_test import TestReport
from segiou.lightning.step_outputs import Stage


class Publisher:
    """Keeps the results of each stage until its end, when Lightning has logged the scores of the epoch.

    Args:
        keys: the keys that the monitor logs under.
        figures: draws confusion matrices.
        samples: the images that loggers show, or None.
        report: the report after test, or None.
        per_class: whether loggers get the scores of each class.
    """

    def __init__(
        self,
        keys: LoggedKeys,
        figures: Figures,
        samples: EpochSamples | None,
        report: TestReport | None,
        *,
        per_class: bool,
    ) -> None:
        self.figures = figures
        self.per_class = per_class
        self._keys = keys
        self._palette = samples.palette if samples else ()
        self._report = report
        self._history = EpochHistory()
        self._results: dict[str, list[Result]] = {}

    def start(self, *, fit: bool) -> None:
        """Begin a run; only a new ``fit`` forgets the scores of the epochs before, which a report of test shows."""
        self._results.clear()
        self.figures.start()
        if fit:
            self._history = EpochHistory()

    def start_epoch(self, stage: Stage) -> None:
        """Begin to take the results of a stage."""
        self._results[stage] = []

    def add(self, result: Result, own: Mapping[str, Tensor], epoch: int) -> None:
        """Take the result of one loader, and the monitor's own scores by name; every process calls."""
        self._results[result.stage].append(result)
        if self._report and result.stage != "test":
            self._history.note(result, own, epoch)

    def results(self, stage: Stage) -> list[Result]:
        """The results of each loader that were not published yet."""
        return self._results.get(stage, [])

    def publish(self, stage: Stage, trainer: Any) -> None:
        """Hand scores per class, images and the figure to the loggers, on rank 0."""
        results = self._results.pop(stage, [])
        for result in results:
            for name in (*(score.key for score in OWN), *result.other):
                self._keys.warn_of_twin(result.key(name), trainer.callback_metrics)
        if not trainer.is_global_zero:
            return
        when = when_of(trainer, stage)
        for result in results:
            publish(result, trainer, when, classes=self.per_class, palette=self._palette)
        if stage != "train":
            self.figures.take(results, trainer, when)

    def tell(self, trainer: Any, pl_module: Any) -> None:
        """Print the table of test, publish, and write the report."""
        results = self.results("test")
        for result in results:
            text = table(result)
            if text:
                pl_module.print(text)
        self.publish("test", trainer)
        if self._report and trainer.is_global_zero:
            for result in results:
                try:
                    self._report.write(result, self._history, trainer, pl_module)
                except OSError as error:  # the folder was there when the run began; the scores are worth more
                    rank_zero_warn(f"SegmentationMonitor: the report could not be written: {error}", UserWarning)
