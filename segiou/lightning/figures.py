"""The confusion matrix as a picture for the loggers, and when it is drawn. Needs matplotlib."""

from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any, Literal

import numpy as np

from segiou.environment.installed import installed
from segiou.lightning.logger_pictures import When, kind_of, show_pictures
from segiou.lightning.loggers import Result, going_on

Drawn = bool | Literal["last"] | int
DPI = 100
MOST_IN_TABLE = 100  # classes: W&B reads 10,000 rows of a table


class Figures:
    """Draws the confusion matrices of validations and tests: it takes longer than the epoch of a small training.

    Args:
        drawn: "last" once in ``fit``, of its last validation, when it ends, also early or by an error; True for every
            validation, a number n for every n-th one, False for none; None for "last" where matplotlib is installed.
            ``validate`` and ``test`` that are called by themselves are drawn by each but False.

    Raises:
        ValueError: another value.
        ModuleNotFoundError: matplotlib is needed and not installed.
    """

    def __init__(self, drawn: Drawn | None) -> None:
        number = isinstance(drawn, int) and drawn >= (0 if isinstance(drawn, bool) else 1)
        if drawn is not None and drawn != "last" and not number:
            raise ValueError(f'figure must be True, False, "last" or a number of validations, 1 or more, got {drawn!r}')
        if drawn and not installed("matplotlib"):
            raise ModuleNotFoundError(f'figure={drawn!r} needs matplotlib: pip install "segiou[plot]"')
        self.drawn: Drawn = (installed("matplotlib") and "last") if drawn is None else drawn
        self.start()

    def start(self) -> None:
        """Begin a run."""
        self._validations = 0
        self._last: tuple[list[Result], When] | None = None

    def take(self, results: Sequence[Result], trainer: Any, when: When) -> None:
        """Draw the results of all loaders now, later or never; called on rank 0."""
        results = [replace(result, samples=(), shown=None) for result in results]
        if not self.drawn or not results or not trainer.loggers:
            return
        self._validations += 1
        if trainer.state.fn != "fit":
            draw(results, trainer, when)
        elif self.drawn == "last":
            self._last = results, when
        elif self._validations % self.drawn == 0:
            draw(results, trainer, when)

    def finish(self, trainer: Any) -> None:
        """Draw what was put off until the end of ``fit``."""
        if self._last:
            (results, when), self._last = self._last, None
            draw(results, trainer, when)


def draw(results: Sequence[Result], trainer: Any, when: When) -> None:
    """Draw each result once, for all loggers of the trainer."""
    for result in results:
        tag = result.key("confusion_matrix")

        @cache
        def pictures(result: Result = result, tag: str = tag) -> dict[str, Any]:
            return {tag: picture(result)}

        for logger in trainer.loggers:
            with going_on(logger):
                show_pictures(logger, pictures, when, "figures")
            if kind_of(logger) == "WandbLogger":
                with going_on(logger):
                    _interactive(logger, result, f"{tag}_counts", when)


def picture(result: Result) -> Any:
    """The confusion matrix as uint8 ``(height, width, 3)``; pyplot does not know of the figure."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    from segiou.plots import heat_map, heat_maps

    matrix = result.counts[..., :-1, :-1].cpu()
    names = result.metric.class_names
    if matrix.ndim == 2:
        figure, _ = heat_map(matrix, names, pyplot=False)
    else:
        figure, _ = heat_maps(matrix, ("0", "1"), names, pyplot=False)
    figure.set_dpi(DPI)
    canvas: Any = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _interactive(logger: Any, result: Result, tag: str, when: When) -> None:
    """Give W&B its own confusion matrix, made of counts; of up to 100 classes."""
    import wandb

    matrix, names = result.counts[..., :-1, :-1], result.metric.class_names
    if matrix.ndim != 2 or len(names) > MOST_IN_TABLE:
        return
    columns: list[str | int] = ["Actual", "Predicted", "nPredictions"]
    rows = [
        [actual, predicted, number]
        for actual, row in zip(names, matrix.tolist(), strict=True)
        for predicted, number in zip(names, row, strict=True)
    ]
    chart = wandb.plot_table(
        "wandb/confusion_matrix/v1",
        wandb.Table(columns, rows),
        {str(name): str(name) for name in columns},
        {"title": tag},
    )
    logger.experiment.log({tag: chart, "trainer/global_step": when.step})
