"""What the monitor shows: scores per class and a figure for every logger, and a table for the console."""

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import Tensor
from torchmetrics.utilities import rank_zero_warn

from segiou.environment.installed import installed
from segiou.labels.checks import Colour
from segiou.lightning.image_panels import show
from segiou.lightning.image_samples import Sample
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.named_values import per_class
from segiou.scoring.class_scores import Number
from segiou.scoring.class_table import ClassTable


@dataclass(frozen=True)
class Result:
    """The counts of one epoch and one loader, over all processes, and the metric that says how to score them.

    ``other`` holds the values of the metrics beside, by name; ``shown`` what a report shows of single images;
    ``prefix`` is what the keys of the monitor begin with; ``samples`` the images to look at.
    """

    stage: str
    suffix: str
    counts: Tensor
    metric: ConfusionMatrixMetric
    other: Mapping[str, Tensor] = field(default_factory=dict)
    shown: Mapping[str, Any] | None = None
    prefix: str = ""
    samples: Sequence[Sample] = ()

    def key(self, name: str) -> str:
        """The key that something of this result is logged under."""
        return f"{self.prefix}{self.stage}/{name}{self.suffix}"

    @property
    def table(self) -> ClassTable:
        """The scores of each class, and those of the metrics beside below them."""
        scores = {name: Number(float(value)) for name, value in self.other.items()}
        table = self.metric.table_of(self.counts)
        return replace(table, scores={**table.scores, **scores})


def publish(result: Result, trainer: Any, *, classes: bool, figure: bool, palette: Sequence[Colour] = ()) -> None:
    """Give one result to every logger of the trainer; called on rank 0 only."""
    if not trainer.loggers:
        return
    # the step of Lightning's own log calls; those at the end of a training epoch are of the batch before
    step = trainer.fit_loop.epoch_loop._batches_that_stepped - (result.stage == "train")
    drawing = _figure(result) if figure else None
    for logger in trainer.loggers:
        with going_on(logger):
            if classes:
                logger.log_metrics(_named_scores(result, trainer), step=step)
            if drawing is not None:
                _show(logger, drawing, result, trainer.current_epoch, step)
            if result.samples:
                _show_samples(logger, result, palette, trainer.current_epoch, step)
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


def _named_scores(result: Result, trainer: Any) -> dict[str, float]:
    table = result.table
    scores = {
        result.key(name): score
        for column in ("IoU", "Dice")
        for name, score in per_class(column, table.names, [each.value for each in table.columns[column].scores]).items()
    }
    return {**scores, "epoch": trainer.current_epoch}


def _figure(result: Result) -> Any:
    """The confusion matrix; a figure of its own, that pyplot does not know of."""
    from segiou.plots import heat_map, heat_maps

    matrix = result.counts[..., :-1, :-1].cpu()
    names = result.metric.class_names
    if matrix.ndim == 3:
        return heat_maps(matrix, ("0", "1"), names, pyplot=False)[0]
    return heat_map(matrix, names, pyplot=False)[0]


def _show(logger: Any, drawing: Any, result: Result, epoch: int, step: int) -> None:
    """Hand the figure to a logger in the logger's own way; a kind of logger that is not known gets none."""
    tag = result.key("confusion_matrix")
    kinds: dict[str, Callable[[], Any]] = {
        "TensorBoardLogger": lambda: logger.experiment.add_figure(tag, drawing, global_step=step, close=False),
        "WandbLogger": lambda: logger.log_image(key=tag, images=[drawing], step=step),
        "MLFlowLogger": lambda: logger.experiment.log_figure(
            logger.run_id, drawing, f"{tag}_epoch{epoch}_step{step}.png"
        ),
        "CSVLogger": lambda: _save(drawing, Path(logger.log_dir) / "figures", f"{tag}_epoch{epoch}_step{step}.png"),
    }
    for kind in type(logger).__mro__:
        if kind.__name__ in kinds:
            kinds[kind.__name__]()
            return


def _show_samples(logger: Any, result: Result, palette: Sequence[Colour], epoch: int, step: int) -> None:
    metric = result.metric
    show(
        logger,
        result.samples,
        result.key("samples"),
        (epoch, step),
        metric.class_names,
        palette,
        metric.rules.ignore_index,
    )


def _save(drawing: Any, folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    drawing.savefig(folder / name.replace("/", "_"), dpi=120)


def table(result: Result) -> str | None:
    """Scores per class and their averages as text; None where rich is not installed."""
    if not installed("rich"):
        return None
    from rich.console import Console

    text = io.StringIO()
    plain = Console(file=text, width=100, markup=False, emoji=False, highlight=False)  # names may hold [ and :
    plain.print(result.table.to_rich(title=f"{result.prefix}{result.stage}{result.suffix}"))
    return text.getvalue()
