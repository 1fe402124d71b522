"""A metric whose value is one score of classes, averaged; and its plots."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor

from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.drawing import one_score, results_over_time
from segiou.scoring.averaging import Score
from segiou.scoring.class_scores import CLASS_SCORES
from segiou.scoring.formulas import Areas


class ScoreMetric(ConfusionMatrixMetric[Tensor]):
    """A metric whose value is one ``Score``; see ``segiou.metrics.ConfusionMatrixMetric`` for the arguments."""

    score: Score

    @property
    def key(self) -> str:
        """The name in logs, such as "mIoU"."""
        return self.score.key

    def value_of_areas(self, areas: Areas) -> Tensor:
        """The score: a float32 scalar, or one for each class with ``average="none"``."""
        return self.score(areas, self.averaging)

    def class_scores(self) -> tuple[Mapping[str, Score], Sequence[Score]]:
        """IoU, Dice, precision and recall, and the metric's own score where it is none of them."""
        alike = [score for score in CLASS_SCORES.values() if score.formula is self.score.formula]
        if not alike and not self.score.of_matrix:
            return {**CLASS_SCORES, self.key: self.score}, ()
        shown = bool(alike) and replace(self.score, key=alike[0].key) == alike[0]
        return CLASS_SCORES, () if shown else (self.score,)

    def plot(self, val: Tensor | Sequence[Tensor] | None = None, ax: Any = None) -> Any:
        """Plot the scores of the classes as bars, one score as a bar, or a list of results as lines over time.

        Args:
            val: a result of ``compute`` or ``forward``, or several; the metric's own state if None.
            ax: a matplotlib axis to draw on; a new figure if None.

        Returns:
            The figure, or None where an axis was given, and the axis: torchmetrics' convention.

        Raises:
            ModuleNotFoundError: matplotlib is not installed.
        """
        if isinstance(val, Sequence):
            return results_over_time(val, self.score.key, self.classes.scored, ax)
        if isinstance(val, Tensor) and val.ndim == 1:
            return self._bars(val, None, ax)
        if val is not None or self.score.of_matrix:
            return one_score(self.compute() if val is None else val, self.score.key, ax)
        counts, errors = self.synced()
        self.check(errors)
        value = self.value_of(counts)
        scores = self.score.per_class(self.areas(counts), self.averaging)
        return self._bars(scores, None if value.ndim else float(value), ax)

    def _bars(self, scores: Tensor, mean: float | None, ax: Any, nothing: str = "absent") -> Any:
        from segiou.plots import bars

        left_out = self.score.left_out(self.averaging)
        return bars(scores, self.classes.scored, self.score.key, mean, ax, left_out, nothing)
