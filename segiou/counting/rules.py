"""The configuration that decides the counts: which pixels count, and as what."""

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

Task = Literal["multiclass", "binary", "multilabel"]
Upsample = Literal["bilinear", "nearest"]
IgnoreIndex = int | Iterable[int] | None

_INT64 = range(-(2**63), 2**63)


@dataclass(frozen=True)
class Rules:
    """How pixels are read; two metrics with equal rules have equal counts.

    Built by ``Rules.of``, which checks the arguments as a user gives them.

    Args:
        task: "multiclass", "binary" or "multilabel".
        num_classes: C, the classes of one matrix; 2 for binary and multilabel.
        num_labels: L, the number of binary problems of a multilabel task, else None.
        ignore_index: target values that are not counted, sorted.
        threshold: binary scores are positive where the probability is above it.
        from_logits: binary scores are logits, not probabilities.
        upsample: how score maps of another size than the target are brought to it.
        align_corners: bilinear: the centres of the corner pixels of both coincide.
        validate_args: whether labels outside the classes are an error.
    """

    task: Task
    num_classes: int
    num_labels: int | None = None
    ignore_index: tuple[int, ...] = ()
    threshold: float = 0.5
    from_logits: bool = False
    upsample: Upsample | None = None
    align_corners: bool = False
    validate_args: bool = True

    @classmethod
    def of(
        cls,
        num_classes: int | None,
        *,
        task: Task = "multiclass",
        num_labels: int | None = None,
        ignore_index: IgnoreIndex = None,
        threshold: float = 0.5,
        from_logits: bool = False,
        upsample: Upsample | None = None,
        align_corners: bool = False,
        validate_args: bool = True,
    ) -> "Rules":
        """Check the arguments and bring them to one form. Raises ValueError or TypeError."""
        if task not in get_args(Task):
            raise ValueError(f"task must be one of {', '.join(map(repr, get_args(Task)))}, got {task!r}")
        if upsample not in (None, *get_args(Upsample)):
            raise ValueError(f'upsample must be None, "bilinear" or "nearest", got {upsample!r}')
        if align_corners and upsample != "bilinear":
            raise ValueError(f'align_corners is for upsample="bilinear", got upsample={upsample!r}')
        if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
            raise ValueError(f"threshold must be a probability between 0 and 1, got {threshold!r}")
        classes, labels = _sizes(task, num_classes, num_labels)
        ignored = _ignored(ignore_index)
        if set(range(classes)) <= set(ignored):
            raise ValueError(f"ignore_index={ignore_index!r} leaves none of the {classes} classes to count")
        return cls(
            task=task,
            num_classes=classes,
            num_labels=labels,
            ignore_index=ignored,
            threshold=float(threshold),
            from_logits=bool(from_logits),
            upsample=upsample,
            align_corners=bool(align_corners),
            validate_args=bool(validate_args),
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the counts: (C + 1, C + 1), for multilabel (L, 3, 3)."""
        matrix = (self.num_classes + 1, self.num_classes + 1)
        return matrix if self.num_labels is None else (self.num_labels, *matrix)

    @property
    def bound(self) -> float:
        """The score above which a binary score is positive: the threshold, as a logit for logits."""
        if not self.from_logits:
            return self.threshold
        if self.threshold in (0.0, 1.0):
            return -math.inf if self.threshold == 0 else math.inf
        return math.log(self.threshold) - math.log1p(-self.threshold)

    @property
    def identity(self) -> str:
        """A name, also a Python identifier, that is equal exactly where the rules are."""
        parts = [self.task, str(self.num_labels or self.num_classes)]
        parts += [f"ignore{value}" for value in self.ignore_index]
        if self.task != "multiclass":
            parts += ["logit" * self.from_logits + f"above{self.threshold!r}"]
        parts += [f"{self.upsample}{'_aligned' * self.align_corners}"] if self.upsample else []
        parts += [] if self.validate_args else ["unchecked"]
        return "_".join(parts).replace("-", "m").replace(".", "p")


def _sizes(task: Task, num_classes: int | None, num_labels: int | None) -> tuple[int, int | None]:
    """The number of classes of one matrix, and of labels for a multilabel task."""
    if task == "multilabel":
        if num_classes is not None:
            raise ValueError(f'task="multilabel" takes num_labels, not num_classes, got num_classes={num_classes!r}')
        return 2, _positive("num_labels", num_labels, task)
    if num_labels is not None:
        raise ValueError(f'num_labels is for task="multilabel", got num_labels={num_labels!r} with task={task!r}')
    if task == "binary":
        if num_classes not in (None, 2):
            raise ValueError(f'task="binary" has 2 classes: leave num_classes out, got num_classes={num_classes!r}')
        return 2, None
    return _positive("num_classes", num_classes, task), None


def _positive(name: str, value: int | None, task: Task) -> int:
    if value is None or isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < 1:
        raise ValueError(f"{name} must be an integer of at least 1 for task={task!r}, got {value!r}")
    return operator.index(value)


def _ignored(ignore_index: IgnoreIndex) -> tuple[int, ...]:
    """One or several target values as a sorted tuple."""
    if ignore_index is None:
        return ()
    values = list(ignore_index) if isinstance(ignore_index, Iterable) else [ignore_index]
    try:
        found = sorted({operator.index(value) for value in values})
    except TypeError:
        raise TypeError(f"ignore_index must be an int, several ints or None, got {ignore_index!r}") from None
    if any(isinstance(value, bool) for value in values) or not all(value in _INT64 for value in found):
        raise ValueError(f"ignore_index must hold integers of 64 bits, got {ignore_index!r}")
    return tuple(found)
