"""The configuration that decides the counts: which pixels count, and as what."""

import functools
import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, get_args

import torch

from segiou.argument_checks import flag, integers, number_in, positive
from segiou.counting.memory import lack_of_memory

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
        from_logits: binary scores are logits, not probabilities; None, numbers that are compared with the
            threshold as they are.
        upsample: how score maps of another size than the target are brought to it.
        align_corners: bilinear: the centres of the corner pixels of both coincide.
        validate_args: whether labels outside the classes are an error.
        label_set: what encodes raw ids as classes, for what an error says; it changes no count.
    """

    task: Task
    num_classes: int
    num_labels: int | None = None
    ignore_index: tuple[int, ...] = ()
    threshold: float = 0.5
    from_logits: bool | None = False
    upsample: Upsample | None = None
    align_corners: bool = False
    validate_args: bool = True
    label_set: str | None = field(default=None, compare=False, repr=False)

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
        label_set: str | None = None,
    ) -> "Rules":
        """Check the arguments and bring them to one form. Raises ValueError or TypeError."""
        if task not in get_args(Task):
            raise ValueError(f"task must be one of {', '.join(map(repr, get_args(Task)))}, got {task!r}")
        if upsample not in (None, *get_args(Upsample)):
            raise ValueError(f'upsample must be None, "bilinear" or "nearest", got {upsample!r}')
        if align_corners and upsample != "bilinear":
            raise ValueError(f'align_corners is for upsample="bilinear", got upsample={upsample!r}')
        above = number_in("threshold", threshold, "a probability between 0 and 1", 0, 1)
        logits = flag("from_logits", from_logits)
        if task == "multiclass" and (above != 0.5 or logits):
            raise ValueError(
                "threshold and from_logits are for binary and multilabel scores: multiclass takes the argmax, "
                f"got threshold={threshold!r} and from_logits={from_logits!r}"
            )
        classes, labels = _sizes(task, num_classes, num_labels)
        _require_memory(classes)
        ignored = _ignored(ignore_index, task, classes)
        return cls(
            task=task,
            num_classes=classes,
            num_labels=labels,
            ignore_index=ignored,
            threshold=above,
            from_logits=logits,
            upsample=upsample,
            align_corners=flag("align_corners", align_corners),
            validate_args=flag("validate_args", validate_args),
            label_set=label_set,
        )

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the counts: (C + 1, C + 1), for multilabel (L, 3, 3)."""
        matrix = (self.num_classes + 1, self.num_classes + 1)
        return matrix if self.num_labels is None else (self.num_labels, *matrix)

    def bound(self, dtype: torch.dtype) -> float:
        """The number of this dtype above which a binary score is positive: the threshold, or its logit.

        Scores of 16 bits compare as they would in float32: the number is then the largest that is not
        above the threshold, for one that rounds up would make no score positive near 1.
        """
        bound = self.threshold
        if self.from_logits and bound in (0.0, 1.0):
            bound = -math.inf if bound == 0 else math.inf
        elif self.from_logits:
            bound = math.log(bound) - math.log1p(-bound)
        return _rounded(bound, dtype)

    @property
    def identity(self) -> str:
        """A name, also a Python identifier, that is equal exactly where the rules are."""
        parts = [self.task, str(self.num_labels or self.num_classes)]
        parts += [f"ignore{value}" for value in self.ignore_index]
        if self.task != "multiclass":
            parts += [{False: "", True: "logit", None: "any"}[self.from_logits] + f"above{self.threshold!r}"]
        parts += [f"{self.upsample}{'_aligned' * self.align_corners}"] if self.upsample else []
        parts += [] if self.validate_args else ["unchecked"]
        return "_".join(parts).replace("-", "m").replace(".", "p")


@functools.lru_cache
def _rounded(bound: float, dtype: torch.dtype) -> float:
    single = torch.tensor(bound, dtype=torch.float32, device="cpu")
    if dtype not in (torch.float16, torch.bfloat16):
        return bound if dtype == torch.float64 else float(single)
    half = single.to(dtype)
    if half.float() > single:
        bits = half.view(torch.int16)
        half = (bits - 1 if half > 0 else bits + 1).to(torch.int16).view(dtype)
    return float(half)


def _sizes(task: Task, num_classes: int | None, num_labels: int | None) -> tuple[int, int | None]:
    """The number of classes of one matrix, and of labels for a multilabel task."""
    if task == "multilabel":
        if num_classes is not None:
            raise ValueError(f'task="multilabel" takes num_labels, not num_classes, got num_classes={num_classes!r}')
        return 2, positive("num_labels", num_labels, f" for task={task!r}")
    if num_labels is not None:
        raise ValueError(f'num_labels is for task="multilabel", got num_labels={num_labels!r} with task={task!r}')
    if task == "binary":
        if num_classes not in (None, 2):
            raise ValueError(f'task="binary" has 2 classes: leave num_classes out, got num_classes={num_classes!r}')
        return 2, None
    return positive("num_classes", num_classes, f" for task={task!r}"), None


def _require_memory(classes: int) -> None:
    side = classes + 1
    lack = lack_of_memory(8 * side**2)
    if lack:
        raise ValueError(
            f"num_classes={classes} needs a matrix of {side:,} x {side:,} counts (int64), which {lack}: "
            "pass fewer classes"
        )


def _ignored(ignore_index: IgnoreIndex, task: Task, classes: int) -> tuple[int, ...]:
    """One or several target values as a sorted tuple."""
    found = tuple(sorted(set(integers("ignore_index", ignore_index))))
    if not all(value in _INT64 for value in found):
        raise ValueError(f"ignore_index must hold integers of 64 bits, got {ignore_index!r}")
    if set(range(classes)) <= set(found):
        raise ValueError(f"ignore_index={ignore_index!r} leaves none of the {classes} classes to count")
    if task != "multiclass" and 1 in found:
        raise ValueError(f"ignore_index={ignore_index!r} leaves no positive class to score for task={task!r}")
    return found
