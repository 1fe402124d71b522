"""The metric base: pixels are counted into one matrix, and a subclass reads its value off the counts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, Literal

from torch import Tensor

from segiou.counting import Counted, IgnoreIndex, Rules, Task, Upsample, count
from segiou.counting.compiling import uncompiled
from segiou.labels.class_names import Classes, Groups, NumClasses, encoder_of, of_label_set
from segiou.metrics.drawing import one_score, results_over_time
from segiou.metrics.pixels import PixelMetric
from segiou.scoring.averaging import AbsentIf, Average, Averaging, Score
from segiou.scoring.class_scores import CLASS_SCORES
from segiou.scoring.class_table import ClassTable
from segiou.scoring.formulas import Areas, areas_of, areas_of_groups


class ConfusionMatrixMetric(PixelMetric):
    """Counts pixels into one integer matrix; a subclass turns the counts into a value.

    A subclass overrides ``value_of_areas``, or ``value_of`` where it needs the matrix; and ``counted``, where
    it counts something else.

    Args:
        num_classes: C, the number of classes; or a ``LabelSet`` or the name of one, such as "cityscapes", which
            gives names and ignored values where they are left out. Left out for binary and multilabel tasks.
        task: "multiclass", "binary" (the positive class is scored) or "multilabel" (L binary problems).
        num_labels: L, for multilabel.
        average: "macro", "micro", "weighted" or "none"; the metric's own where None.
        ignore_index: target values whose pixels are not counted; an int or several, negative ones too.
            A class that is ignored is left out of averages as well.
        absent: the score of a class that is absent, and of any score that is 0/0: "skip" (nan, left out of
            means) or a number between 0 and 1.
        absent_if: whether a class is absent if it is in neither target nor prediction ("union") or
            if it is not in the target ("target").
        exclude: ids or names of classes (of groups, where there are) that are left out of averages, their
            pixels still counted. For binary the default leaves out class 0, the background, wherever the
            metric is a score of one class.
        groups: score groups of classes in their place: class ids, or names, by the group's name. A class
            may be in several groups, or in none: its pixels then still count as false alarms of the groups.
            True takes those of the label set.
        threshold: binary and multilabel scores are positive where the probability is above it.
        from_logits: binary and multilabel scores are logits.
        upsample: how score maps of another size than the target are brought to it, "bilinear" or
            "nearest", image by image and equal to ``torch.nn.functional.interpolate`` in float32; two
            spatial axes.
        align_corners: as in ``torch.nn.functional.interpolate``, for "bilinear".
        validate_args: whether labels outside the classes, and binary scores that are no probabilities,
            raise an error. If False, such target pixels are ignored and such predictions are void.
        class_names: names of the classes (of the labels, for multilabel), shown in plots and keys.
        kwargs: torchmetrics' own, such as ``process_group`` or ``sync_on_compute``.

    Raises:
        ValueError: an argument outside its choices or range, or one that has no meaning for the task.
        TypeError: an argument of another type.
    """

    higher_is_better = True
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0
    plot_legend_name = "Class"
    __jit_ignored_attributes__: ClassVar[list[str]] = [
        *PixelMetric.__jit_ignored_attributes__,
        "classes",
        "averaging",
        "score",
    ]

    not_applicable: ClassVar[tuple[str, ...]] = ()  # arguments that have no meaning for a subclass
    of_matrix: ClassVar[bool] = False  # whether the value is of the matrix as a whole

    @uncompiled
    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        task: Task = "multiclass",
        num_labels: int | None = None,
        average: Average | None = None,
        ignore_index: IgnoreIndex = None,
        absent: float | Literal["skip"] = "skip",
        absent_if: AbsentIf = "union",
        exclude: int | str | Iterable[int | str] | None = None,
        groups: Groups | bool | None = None,
        threshold: float = 0.5,
        from_logits: bool = False,
        upsample: Upsample | None = None,
        align_corners: bool = False,
        validate_args: bool = True,
        class_names: Sequence[str] | None = None,
        **kwargs: Any,
    ) -> None:
        for name, value in {"average": average, "exclude": exclude}.items():
            if value is not None and name in self.not_applicable:
                raise ValueError(f"{name} does not apply to {type(self).__name__}: leave it out, got {name}={value!r}")
        label_set = encoder_of(num_classes)
        num_classes, ignore_index, class_names, groups = of_label_set(num_classes, ignore_index, class_names, groups)
        rules = Rules.of(
            num_classes,
            task=task,
            num_labels=num_labels,
            ignore_index=ignore_index,
            threshold=threshold,
            from_logits=from_logits,
            upsample=upsample,
            align_corners=align_corners,
            validate_args=validate_args,
            label_set=label_set,
        )
        classes = Classes.of(class_names, groups, rules)
        if self.of_matrix:
            classes.require_partition(type(self).__name__)
        averaging = Averaging(average, absent, absent_if, classes.excluded(exclude), task)
        identity, shape = self.counts_state(rules, classes)
        super().__init__(rules, identity, shape, **kwargs)
        self.classes = classes
        self.averaging = averaging

    def counts_state(self, rules: Rules, classes: Classes) -> tuple[str, tuple[int, ...]]:
        """Name and shape of the state that holds the counts: one name for equal configurations, and for no others."""
        return f"confmat_{rules.identity}", rules.shape

    def counted(self, preds: Any, target: Any, per_image: bool = False) -> Counted:
        """The counts of a batch, or with ``per_image`` one of each image on a new first axis, and the errors."""
        return count(preds, target, self.rules, per_image)

    def areas(self, counts: Tensor) -> Areas:
        """The areas that are scored, ``(..., C)``, or ``(..., G)`` of groups, for multilabel ``(..., L, 2)``."""
        return areas_of(counts) if self.classes.groups is None else areas_of_groups(counts, self.classes.members)

    def value_of_areas(self, areas: Areas) -> Any:
        """The metric's value for areas as ``areas`` gives them."""
        raise NotImplementedError

    def value_of(self, counts: Tensor) -> Any:
        """The metric's value for counts of shape ``(C + 1, C + 1)``, for multilabel ``(L, 3, 3)``."""
        return self.value_of_areas(self.areas(counts))

    def table(self, *, percent: bool = False, digits: int | None = None) -> ClassTable:
        """The scores of each class and their averages, over all batches since the last reset and over all processes.

        Every process must call it, as it must call ``compute``.

        Args:
            percent: whether the table multiplies scores by 100.
            digits: digits after the point where the table is shown as text; None is 4, of percentages 2.

        Raises:
            ValueError: bad labels or scores that were counted on an accelerator, digits out of range.
        """
        counts, errors = self.synced()
        self.check(errors)
        return self.table_of(counts, percent=percent, digits=digits)

    def table_of(self, counts: Tensor, **shown: Any) -> ClassTable:
        """The table of classes for counts as ``confmat`` has them; ``shown`` are further fields of ``ClassTable``."""
        table = self.table_of_areas(self.areas(counts), **shown)
        return table if table.totals else replace(table, totals={"target": self._pixels_of_groups(counts)})

    def table_of_areas(self, areas: Areas, **shown: Any) -> ClassTable:
        """As ``table_of``, for areas as ``areas`` gives them. It has no total where groups share a class."""
        columns, scores = self.class_scores()
        groups = self.classes.groups
        shown = {"kind": self.scored_kind, **shown}
        if groups is not None and len(set().union(*groups.values())) < sum(map(len, groups.values())):
            shown = {"totals": {}, **shown}
        return ClassTable.of(self.classes.scored, areas, self.averaging, columns, scores, **shown)

    def class_scores(self) -> tuple[Mapping[str, Score], Sequence[Score]]:
        """What ``table`` shows: the columns by name, and scores of the whole data set that are no average of one."""
        return CLASS_SCORES, ()

    def _pixels_of_groups(self, counts: Tensor) -> int:
        """The target pixels of all groups; those of a class that is in several groups count once."""
        inside = sorted({c for ids in self.classes.members for c in ids})
        return int(areas_of(counts).target[inside].sum())

    @property
    def has_areas(self) -> bool:
        """Whether the value follows from areas, and not from the matrix alone."""
        return type(self).value_of_areas is not ConfusionMatrixMetric.value_of_areas

    @property
    def scored_kind(self) -> str:
        """What has a score each: a "class", a "group" or a "label"."""
        return "group" if self.classes.groups else "class" if self.rules.num_labels is None else "label"

    @property
    def class_names(self) -> tuple[str, ...]:
        """The names of the classes, of the labels for multilabel: those given, or the ids."""
        return self.classes.names

    def extra_repr(self) -> str:
        """The arguments that are not the default, as torch shows those of a module."""
        rules = Rules(self.rules.task, self.rules.num_classes, self.rules.num_labels)
        shown: dict[str, Any] = (
            {"num_classes": rules.num_classes} if rules.task == "multiclass" else {"task": rules.task}
        )
        for default, own in ((rules, self.rules), (Averaging(task=rules.task), self.averaging)):
            shown |= {
                f.name: getattr(own, f.name)
                for f in fields(own)
                if f.repr and getattr(own, f.name) != getattr(default, f.name)
            }
        shown |= {"num_labels": rules.num_labels} if rules.num_labels else {}
        shown |= {"groups": self.classes.groups} if self.classes.groups else {}
        return ", ".join(f"{name}={value!r}" for name, value in shown.items())

    @property
    def confmat(self) -> Tensor:
        """The counts: int64 ``(C + 1, C + 1)``, for multilabel ``(L, 3, 3)``.

        Rows are target classes, columns predicted classes. The last row holds the ignored pixels, the
        last column the void predictions, so that the sum is the number of pixels given.
        """
        return self.counts

    def update(self, preds: Any, target: Any) -> None:
        """Count one batch.

        Args:
            preds: scores ``(N, C, ...)``, or integer labels ``(N, ...)``, or for binary floating scores
                ``(N, ...)`` or ``(N, 1, ...)``, for multilabel scores or labels ``(N, L, ...)``; a tensor, an
                array, a list of images without the axis N, or a model's output that holds the scores as
                ``out`` or ``logits``.
            target: integer labels ``(N, ...)``, for multilabel ``(N, L, ...)``.

        Raises:
            ValueError: input that does not fit; labels outside the classes (on an accelerator
                ``compute`` raises that, so that ``update`` need not wait). The state is then as before.
            TypeError: input that is no tensor or array.
        """
        super().update(preds, target)


class ScoreMetric(ConfusionMatrixMetric):
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
        value = self.checked_value(counts, errors)
        scores = self.score.per_class(self.areas(counts), self.averaging)
        return self._bars(scores, None if value.ndim else float(value), ax)

    def _bars(self, scores: Tensor, mean: float | None, ax: Any, nothing: str = "absent") -> Any:
        from segiou.plots import bars

        left_out = self.score.left_out(self.averaging)
        return bars(scores, self.classes.scored, self.score.key, mean, ax, left_out, nothing)
