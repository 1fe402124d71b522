"""The arguments that metrics share: each is typed and described here, once.

A class or a function that takes some of them says so with one line, ``**kwargs: Unpack[ScoreMetricArguments]``. Type
checkers and editors read that line. What Python itself shows, in ``help`` and ``inspect.signature``, is made of it by
``segiou.metrics.signatures``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal, cast

from typing_extensions import TypedDict

from segiou.counting import IgnoreIndex, Task, Upsample
from segiou.labels.class_names import Groups
from segiou.scoring.averaging import AbsentIf, Average

Absent = float | Literal["skip"]
Exclude = int | str | Iterable[int | str] | None
ClassNames = Sequence[str] | None


class TorchmetricsArguments(TypedDict, total=False):
    """The arguments that every metric of torchmetrics takes.

    Args:
        compute_on_cpu: torchmetrics' own: keep states that are lists of rows on the CPU.
        dist_sync_on_step: torchmetrics' own: synchronize the value of every ``forward``.
        process_group: torchmetrics' own: the process group to synchronize over; all processes where None.
        dist_sync_fn: torchmetrics' own: a function that gathers a state, in place of the one all-reduce.
        distributed_available_fn: torchmetrics' own: a function that says whether there are processes to synchronize.
        sync_on_compute: torchmetrics' own: whether ``compute`` synchronizes. Pass False where only one distributed
            rank evaluates.
        compute_with_cache: torchmetrics' own: whether ``compute`` keeps its value until the next update.
    """

    compute_on_cpu: bool
    dist_sync_on_step: bool
    process_group: Any
    dist_sync_fn: Callable[..., Any] | None
    distributed_available_fn: Callable[[], bool] | None
    sync_on_compute: bool
    compute_with_cache: bool


class ClassArguments(TypedDict, total=False):
    """What the classes are called, and which of them are scored together.

    Args:
        groups: score groups of classes in their place: class ids, or names, by the group's name. A class may be in
            several groups, or in none: its pixels then still count as false alarms of the groups. True takes the
            groups of the label set.
        class_names: the names of the classes (of the labels, for multilabel), shown in plots, tables and keys.
    """

    groups: Groups | bool | None
    class_names: ClassNames


class UpsampleArguments(TypedDict, total=False):
    """What is done with score maps of another size than the target.

    Args:
        upsample: how score maps of another size than the target are brought to it, "bilinear" or "nearest", image by
            image and equal to ``torch.nn.functional.interpolate`` in float32; two spatial axes.
        align_corners: as in ``torch.nn.functional.interpolate``, for "bilinear".
    """

    upsample: Upsample | None
    align_corners: bool


class CountArguments(TypedDict, total=False):
    """What is counted.

    Args:
        task: "multiclass", "binary" (the positive class is scored) or "multilabel" (L binary problems).
        num_labels: L, the number of labels, for multilabel.
        ignore_index: target values whose pixels are not counted: an int or several, negative ones too. A class that
            is ignored is left out of averages as well.
    """

    task: Task
    num_labels: int | None
    ignore_index: IgnoreIndex


class PixelArguments(TypedDict, total=False):
    """How pixels are read.

    Args:
        threshold: binary and multilabel scores are positive where the probability is above it.
        from_logits: binary and multilabel scores are logits, not probabilities.
        validate_args: whether labels outside the classes, and binary scores that are no probabilities, raise an
            error. If False, such target pixels are ignored and such predictions are void.
    """

    threshold: float
    from_logits: bool
    validate_args: bool


class TaskArguments(CountArguments, PixelArguments):
    """What is counted, and how pixels are read."""


class AbsentArguments(TypedDict, total=False):
    """What a score that does not exist counts as.

    Args:
        absent: the score of a class that is absent, and of any score that is 0/0: "skip" (nan, left out of means) or
            a number between 0 and 1.
    """

    absent: Absent


class AbsentIfArguments(TypedDict, total=False):
    """When a class is absent.

    Args:
        absent_if: when a class is absent: "union", if it is in neither target nor prediction; "target", if it is not
            in the target; "target_unless_empty", as "target", and where the target has no class that is averaged as
            "union".
    """

    absent_if: AbsentIf


class ExcludeArguments(TypedDict, total=False):
    """Which classes are not averaged.

    Args:
        exclude: ids or names of classes (of groups, where there are) that are left out of averages, their pixels
            still counted. For binary the default leaves out class 0, the background, wherever the metric is a score
            of one class.
    """

    exclude: Exclude


class AverageArguments(TypedDict, total=False):
    """How the scores of classes become one.

    Args:
        average: "macro", the mean over classes; "micro", the score of all their pixels together; "weighted", the mean
            weighted by target pixels; "none", a score for each class.
    """

    average: Average


class MatrixScoreOfConfmatArguments(CountArguments, AbsentArguments, AbsentIfArguments, ClassArguments):
    """The arguments of a score of the whole matrix where the matrix is given, so that no pixels are read."""


class ClassScoreOfConfmatArguments(MatrixScoreOfConfmatArguments, ExcludeArguments):
    """The same of a score of classes that has one average of its own."""


class ScoreOfConfmatArguments(ClassScoreOfConfmatArguments, AverageArguments):
    """The same of a score of classes, such as IoU."""


class MatrixScoreArguments(TaskArguments, AbsentArguments, AbsentIfArguments, UpsampleArguments, ClassArguments):
    """The arguments of a score of the whole matrix, such as pixel accuracy: there is no average over classes."""


class ClassScoreArguments(MatrixScoreArguments, ExcludeArguments):
    """The arguments of a score of classes that has one average of its own."""


class ScoreArguments(ClassScoreArguments, AverageArguments):
    """The arguments of a score of classes, such as IoU."""


class MatrixMetricArguments(MatrixScoreArguments, TorchmetricsArguments):
    """The arguments of a metric of the whole matrix."""


class ClassMetricArguments(ClassScoreArguments, TorchmetricsArguments):
    """The arguments of a metric whose average cannot be chosen."""


class ScoreMetricArguments(ScoreArguments, TorchmetricsArguments):
    """The arguments of a metric of classes."""


class ImagewiseScoreArguments(
    TaskArguments, AbsentArguments, ExcludeArguments, AverageArguments, UpsampleArguments, ClassArguments
):
    """The arguments of a score of classes in single images, which has an ``absent_if`` of its own."""


class ImagewiseArguments(ImagewiseScoreArguments, TorchmetricsArguments):
    """The arguments of a metric of classes in single images."""


class InstanceArguments(
    AbsentArguments,
    AbsentIfArguments,
    ExcludeArguments,
    AverageArguments,
    UpsampleArguments,
    ClassArguments,
    TorchmetricsArguments,
):
    """The arguments of a metric of instances, which names those of the task itself."""


class BootstrapArguments(TorchmetricsArguments, total=False):
    """The arguments of an interval, for type checkers: ``Bootstrapped.__init__`` names them."""

    level: float
    replicates: int
    seed: int


class ConfusionMatrixArguments(UpsampleArguments, ClassArguments):
    """What segiou's confusion matrix takes beside torchmetrics' arguments."""


class JaccardArguments(AbsentIfArguments, ExcludeArguments, UpsampleArguments, ClassArguments):
    """What segiou's Jaccard index takes beside torchmetrics' arguments."""


class StatArguments(UpsampleArguments, total=False):
    """What segiou's counts of right and wrong pixels take beside torchmetrics' arguments."""

    class_names: ClassNames


class ConfusionMatrixMetricArguments(ConfusionMatrixArguments, TorchmetricsArguments):
    """``ConfusionMatrixArguments``, and those of every metric of torchmetrics."""


class StatMetricArguments(StatArguments, TorchmetricsArguments):
    """``StatArguments``, and those of every metric of torchmetrics."""


class JaccardMetricArguments(JaccardArguments, TorchmetricsArguments):
    """``JaccardArguments``, and those of every metric of torchmetrics."""


class OwnAverage(str):
    """The default of ``average``: the metric's own, which reads "macro" wherever there is a choice."""

    __slots__ = ()


OWN_AVERAGE = cast(Average, OwnAverage("macro"))

# What is left out of a call. ``ConfusionMatrixMetric.__init__`` has the same defaults, and a test compares the two.
DEFAULTS: dict[str, Any] = {
    "task": "multiclass",
    "num_labels": None,
    "ignore_index": None,
    "threshold": 0.5,
    "from_logits": False,
    "upsample": None,
    "align_corners": False,
    "validate_args": True,
    "average": OWN_AVERAGE,
    "absent": "skip",
    "absent_if": "union",
    "exclude": None,
    "groups": None,
    "class_names": None,
    "compute_on_cpu": False,
    "dist_sync_on_step": False,
    "process_group": None,
    "dist_sync_fn": None,
    "distributed_available_fn": None,
    "sync_on_compute": True,
    "compute_with_cache": True,
}

TORCHMETRICS = tuple(TorchmetricsArguments.__annotations__)


def parted(kwargs: Mapping[str, Any]) -> tuple[TorchmetricsArguments, ImagewiseScoreArguments]:
    """The arguments that are torchmetrics' own, and all others."""
    own = {name: value for name, value in kwargs.items() if name in TORCHMETRICS}
    others = {name: value for name, value in kwargs.items() if name not in TORCHMETRICS}
    return cast(TorchmetricsArguments, own), cast(ImagewiseScoreArguments, others)
