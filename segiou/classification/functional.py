"""The metrics of this room as functions, with the arguments that those of torchmetrics.functional have."""

from typing import Any

from torch import Tensor
from typing_extensions import Unpack

from segiou.classification.confusion_matrix import (
    BinaryConfusionMatrix,
    ConfusionMatrix,
    MulticlassConfusionMatrix,
    MultilabelConfusionMatrix,
    Normalize,
)
from segiou.classification.jaccard import (
    BinaryJaccardIndex,
    JaccardIndex,
    MulticlassJaccardIndex,
    MultilabelJaccardIndex,
)
from segiou.counting import IgnoreIndex, Task
from segiou.labels.class_names import NumClasses
from segiou.metrics.arguments import Absent, ConfusionMatrixArguments, JaccardArguments
from segiou.metrics.pixels import value_of_batch
from segiou.metrics.signatures import signed
from segiou.scoring.averaging import Average


@signed(JaccardIndex)
def jaccard_index(
    preds: Any,
    target: Any,
    task: Task | NumClasses = "multiclass",
    threshold: float = 0.5,
    num_classes: NumClasses = None,
    num_labels: int | None = None,
    average: Average | None = "macro",
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    *,
    absent: Absent | None = None,
    from_logits: bool | None = None,
    **kwargs: Unpack[JaccardArguments],
) -> Tensor:
    """Intersection over union with torchmetrics' arguments and results. See ``segiou.JaccardIndex``."""
    metric = JaccardIndex(
        task,
        threshold,
        num_classes,
        num_labels,
        average,
        ignore_index,
        validate_args,
        zero_division,
        absent=absent,
        from_logits=from_logits,
        **kwargs,
    )
    return value_of_batch(metric, preds, target)


@signed(BinaryJaccardIndex)
def binary_jaccard_index(
    preds: Any,
    target: Any,
    threshold: float = 0.5,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    *,
    absent: Absent | None = None,
    from_logits: bool | None = None,
    **kwargs: Unpack[JaccardArguments],
) -> Tensor:
    """Intersection over union of the positive class. See ``segiou.BinaryJaccardIndex``."""
    metric = BinaryJaccardIndex(
        threshold, ignore_index, validate_args, zero_division, absent=absent, from_logits=from_logits, **kwargs
    )
    return value_of_batch(metric, preds, target)


@signed(MulticlassJaccardIndex)
def multiclass_jaccard_index(
    preds: Any,
    target: Any,
    num_classes: NumClasses,
    average: Average | None = "macro",
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    *,
    absent: Absent | None = None,
    **kwargs: Unpack[JaccardArguments],
) -> Tensor:
    """Intersection over union of several classes. See ``segiou.MulticlassJaccardIndex``."""
    metric = MulticlassJaccardIndex(
        num_classes, average, ignore_index, validate_args, zero_division, absent=absent, **kwargs
    )
    return value_of_batch(metric, preds, target)


@signed(MultilabelJaccardIndex)
def multilabel_jaccard_index(
    preds: Any,
    target: Any,
    num_labels: int,
    threshold: float = 0.5,
    average: Average | None = "macro",
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    zero_division: float = 0.0,
    *,
    absent: Absent | None = None,
    from_logits: bool | None = None,
    **kwargs: Unpack[JaccardArguments],
) -> Tensor:
    """Intersection over union of labels that may overlap. See ``segiou.MultilabelJaccardIndex``."""
    metric = MultilabelJaccardIndex(
        num_labels,
        threshold,
        average,
        ignore_index,
        validate_args,
        zero_division,
        absent=absent,
        from_logits=from_logits,
        **kwargs,
    )
    return value_of_batch(metric, preds, target)


@signed(ConfusionMatrix)
def confusion_matrix(
    preds: Any,
    target: Any,
    task: Task | NumClasses = "multiclass",
    threshold: float = 0.5,
    num_classes: NumClasses = None,
    num_labels: int | None = None,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    *,
    from_logits: bool | None = None,
    **kwargs: Unpack[ConfusionMatrixArguments],
) -> Tensor:
    """The matrix of pixels, ``(C, C)``, for multilabel ``(L, 2, 2)``. See ``segiou.ConfusionMatrix``."""
    metric = ConfusionMatrix(
        task,
        threshold,
        num_classes,
        num_labels,
        normalize,
        ignore_index,
        validate_args,
        from_logits=from_logits,
        **kwargs,
    )
    return value_of_batch(metric, preds, target)


@signed(BinaryConfusionMatrix)
def binary_confusion_matrix(
    preds: Any,
    target: Any,
    threshold: float = 0.5,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    *,
    from_logits: bool | None = None,
    **kwargs: Unpack[ConfusionMatrixArguments],
) -> Tensor:
    """The matrix of a binary task, ``(2, 2)``. See ``segiou.BinaryConfusionMatrix``."""
    metric = BinaryConfusionMatrix(threshold, ignore_index, normalize, validate_args, from_logits=from_logits, **kwargs)
    return value_of_batch(metric, preds, target)


@signed(MulticlassConfusionMatrix)
def multiclass_confusion_matrix(
    preds: Any,
    target: Any,
    num_classes: NumClasses,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    **kwargs: Unpack[ConfusionMatrixArguments],
) -> Tensor:
    """The matrix of several classes, ``(C, C)``. See ``segiou.MulticlassConfusionMatrix``."""
    metric = MulticlassConfusionMatrix(num_classes, ignore_index, normalize, validate_args, **kwargs)
    return value_of_batch(metric, preds, target)


@signed(MultilabelConfusionMatrix)
def multilabel_confusion_matrix(
    preds: Any,
    target: Any,
    num_labels: int,
    threshold: float = 0.5,
    normalize: Normalize | None = None,
    ignore_index: IgnoreIndex = None,
    validate_args: bool = True,
    *,
    from_logits: bool | None = None,
    **kwargs: Unpack[ConfusionMatrixArguments],
) -> Tensor:
    """A matrix for each of the labels, ``(L, 2, 2)``. See ``segiou.MultilabelConfusionMatrix``."""
    metric = MultilabelConfusionMatrix(
        num_labels, threshold, ignore_index, normalize, validate_args, from_logits=from_logits, **kwargs
    )
    return value_of_batch(metric, preds, target)
