"""The metric base: pixels are counted into one matrix, and a subclass reads its value off the counts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from torch import Tensor
from typing_extensions import Unpack

from segiou.counting import Counted, IgnoreIndex, Rules, Task, Upsample, count
from segiou.counting.torch_compile import uncompiled
from segiou.labels.class_names import Classes, Groups, NumClasses, encoder_of, of_label_set, preset_of
from segiou.metrics.arguments import (
    OWN_AVERAGE,
    Absent,
    ClassNames,
    Exclude,
    OwnAverage,
    TorchmetricsArguments,
)
from segiou.metrics.as_text import arguments_of_classes, state_text
from segiou.metrics.given_counts import GivenCounts
from segiou.metrics.pixels import PixelMetric
from segiou.metrics.signed_metric import Value
from segiou.scoring.averaging import AbsentIf, Average, Averaging, Score
from segiou.scoring.class_scores import CLASS_SCORES
from segiou.scoring.class_table import ClassTable
from segiou.scoring.formulas import Areas, areas_of, areas_of_groups


class ConfusionMatrixMetric(PixelMetric[Value]):
    """Counts pixels into one integer matrix; a subclass turns the counts into a value.

    A subclass overrides ``value_of_areas``, or ``value_of`` where it needs the matrix; and ``counted``, where
    it counts something else.

    Args:
        num_classes: C, the number of classes; or a ``LabelSet`` or the name of one, such as "cityscapes", which
            gives names and ignored values where they are left out. Left out for binary and multilabel tasks.

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

    of_matrix: ClassVar[bool] = False  # whether the value is of the matrix as a whole
    own_confmat: ClassVar[bool] = False  # whether confmat counts something else than the pixels of classes

    @uncompiled
    def __init__(
        self,
        num_classes: NumClasses = None,
        *,
        task: Task = "multiclass",
        num_labels: int | None = None,
        average: Average = OWN_AVERAGE,
        ignore_index: IgnoreIndex = None,
        absent: Absent = "skip",
        absent_if: AbsentIf = "union",
        exclude: Exclude = None,
        groups: Groups | bool | None = None,
        threshold: float = 0.5,
        from_logits: bool = False,
        upsample: Upsample | None = None,
        align_corners: bool = False,
        validate_args: bool = True,
        class_names: ClassNames = None,
        **kwargs: Unpack[TorchmetricsArguments],
    ) -> None:
        if average is None and task != "binary":  # torchmetrics' word for a score of each class
            raise ValueError(
                'average must be "macro", "micro", "weighted" or "none", got None: pass average="none" for a score of '
                "each class, or leave average out for their mean"
            )
        preset = preset_of(num_classes)
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
        chosen = None if isinstance(average, OwnAverage) else average
        averaging = Averaging(chosen, absent, absent_if, classes.excluded(exclude), task)
        identity, shape = self.counts_state(rules, classes)
        super().__init__(rules, identity, shape, **kwargs)
        self.classes = classes
        self.averaging = averaging
        self.preset = preset
        # what was excluded, without the ignored classes that averages leave out as well
        self.exclude = (
            None if exclude is None else tuple(set(averaging.exclude or ()) - set(classes.excluded(None) or ()))
        )

    def counts_state(self, rules: Rules, classes: Classes) -> tuple[str, tuple[int, ...]]:
        """Name and shape of the state that holds the counts: one name for equal configurations, and for no others."""
        return f"confmat_{rules.identity}", rules.shape

    def counted(self, preds: Any, target: Any, per_image: bool = False) -> Counted:
        """The counts of a batch, or with ``per_image`` one of each image on a new first axis, and the errors."""
        return count(preds, target, self.rules, per_image)

    def areas(self, counts: Tensor) -> Areas:
        """The areas that are scored, ``(..., C)``, or ``(..., G)`` of groups, for multilabel ``(..., L, 2)``."""
        return areas_of(counts) if self.classes.groups is None else areas_of_groups(counts, self.classes.members)

    def value_of_areas(self, areas: Areas) -> Value:
        """The metric's value for areas as ``areas`` gives them."""
        raise NotImplementedError

    def value_of(self, counts: Tensor) -> Value:
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

    def argument(self, name: str) -> Any:
        """The value of an argument that the metric was made with; None where it is what a label set gives."""
        if name in ("num_classes", "ignore_index", "class_names", "groups"):
            return arguments_of_classes(self.preset, self.rules, self.classes)[name]
        if name == "average":
            return self.averaging.average
        holder = next((part for part in (self, self.rules, self.averaging) if hasattr(part, name)), self)
        return getattr(holder, name)

    def is_default(self, name: str, value: Any, default: Any) -> bool:
        """Whether ``repr`` may leave out an argument: an average where it is the metric's own, and was not named."""
        return value is None if name == "average" else super().is_default(name, value, default)

    @property
    def state_text(self) -> str:
        """A text that is equal where the metrics are. It names states in checkpoints, and so may not change."""
        shared = state_text(self.rules, self.averaging, self.classes)
        return ", ".join([*shared, *self.state_text_of_its_own()])

    def state_text_of_its_own(self) -> list[str]:
        """What ``state_text`` ends in: the arguments of a subclass that its scores depend on."""
        return []

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

    def update_confmat(self, confmat: Any) -> None:
        """Add a confusion matrix that was counted elsewhere, with the same classes and ignored values.

        Args:
            confmat: numbers of pixels ``(C, C)``, any integer dtype, rows are the target and columns the prediction;
                or ``(C + 1, C + 1)`` as ``confmat`` has it, with ignored pixels in the last row and void predictions
                in the last column; for multilabel ``(L, 2, 2)`` or ``(L, 3, 3)``. Several are on a first axis.

        Raises:
            ValueError: another shape, a negative number.
            TypeError: numbers that are no integers.

        >>> import torch
        >>> from segiou import MeanIoU
        >>> metric = MeanIoU(num_classes=2)
        >>> metric.update_confmat([[6, 2], [0, 4]])
        >>> metric.compute()
        tensor(0.7083)
        """
        self.update(GivenCounts(confmat), None)
