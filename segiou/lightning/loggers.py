"""What the monitor shows: scores per class and images for every logger, and a table for the console."""

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any

from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.environment.installed import installed
from segiou.labels.checks import Colour
from segiou.lightning.image_panels import panel, show
from segiou.lightning.image_samples import Sample
from segiou.lightning.logger_pictures import When
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.named_values import per_class
from segiou.scoring.class_scores import Number
from segiou.scoring.class_table import ClassTable


@dataclass(frozen=True)
class Result:
    """The counts of one epoch and one loader, over all processes, and the metric that says how to score them.

    ``other`` holds the values of the metrics beside, by name; ``prefix`` is what the keys of the monitor begin with;
    ``shown`` is what a report shows of single images; ``samples`` the images to look at.
    """

    stage: str
    suffix: str
    counts: Tensor
    metric: ConfusionMatrixMetric
    other: Mapping[str, Tensor] = field(default_factory=dict)
    prefix: str = ""
    shown: Mapping[str, Any] | None = None
    samples: Sequence[Sample] = ()

    def key(self, name: str) -> str:
        """The key that something of this result is logged under."""
        return f"{self.prefix}{self.stage}/{name}{self.suffix}"

    @cached_property
    def table(self) -> ClassTable:
        """The scores of each class, and those of the metrics beside below them."""
        scores = {name: Number(float(value)) for name, value in self.other.items()}
        table = self.metric.table_of(self.counts)
        return replace(table, scores={**table.scores, **scores})


def publish(result: Result, trainer: Any, when: When, *, classes: bool, palette: Sequence[Colour] = ()) -> None:
    """Give the scores of classes and the images of one result to every logger of the trainer; called on rank 0 only."""
    metric = result.metric
    ignored = metric.rules.ignore_index

    @cache
    def panels() -> list[Any]:
        return [panel(sample, palette, ignored, metric.class_names) for sample in result.samples]

    for logger in trainer.loggers:
        if classes:
            with going_on(logger):
                logger.log_metrics(_named_scores(result, when.epoch), step=when.step)
        if result.samples:
            with going_on(logger):
                show(logger, result.samples, panels, result.key("samples"), when, metric.class_names, ignored)
        with going_on(logger):
            logger.save()


@contextmanager
def going_on(logger: Any) -> Iterator[None]:
    """Warn of what a logger raises inside, and go on: a score that cannot be shown must not cost a training."""
    try:
        yield
    except Exception as error:  # each client raises its own kinds
        rank_zero_warn(
            f"{type(logger).__name__} did not take what SegmentationMonitor has for it, and the run goes on without: "
            f"{type(error).__name__}: {error}",
            UserWarning,
        )


def _named_scores(result: Result, epoch: int) -> dict[str, float]:
    table = result.table
    scores = {
        result.key(name): score
        for column in ("IoU", "Dice")
        for name, score in per_class(column, table.names, [each.value for each in table.columns[column].scores]).items()
    }
    return {**scores, "epoch": epoch}


def table(result: Result) -> str | None:
    """Scores per class and their averages as text; None where rich is not installed."""
    if not installed("rich"):
        return None
    from rich.console import Console

    text = io.StringIO()
    plain = Console(file=text, width=100, markup=False, emoji=False, highlight=False)  # names may hold [ and :
    plain.print(result.table.to_rich(title=f"{result.prefix}{result.stage}{result.suffix}"))
    return text.getvalue()
