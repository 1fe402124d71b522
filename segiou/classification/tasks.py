"""How torchmetrics reads the arguments and the scores of a classification metric."""

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad

from segiou.counting import Counted, Rules, count
from segiou.counting.eager import signed
from segiou.counting.inputs import NAN, batches
from segiou.counting.tensors import tensor
from segiou.labels import LabelSet
from segiou.metrics.base_metric import Value
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric

SLICE = 1 << 16
"""About as many pixels are looked at together; logits mostly show in the first."""

MIXED_TEXT = (
    "scores must be all probabilities or all logits, got {probabilities} with scores between 0 and 1 only and "
    "{logits} with others since the last reset: pass from_logits=True if all are logits, or from_logits=False if "
    "all are probabilities"
)
TASKS_TEXT = "task must be one of 'multiclass', 'binary', 'multilabel'"


def arguments_of(task: Any, threshold: float, num_classes: Any, num_labels: int | None) -> dict[str, Any]:
    """The arguments that the task has a use for; as in torchmetrics the others may be anything.

    The first may also be segiou's own: the number of classes, or a label set.
    """
    name = task.lower() if isinstance(task, str) else task
    if name == "binary":
        return {"task": "binary", "threshold": threshold}
    if name == "multilabel":
        return {"task": "multilabel", "num_labels": num_labels, "threshold": threshold}
    if name != "multiclass" and num_classes is not None:
        raise ValueError(f"{TASKS_TEXT}, got {task!r} with num_classes={num_classes!r}")
    if isinstance(task, str) and name != "multiclass":
        try:
            LabelSet.of(task)
        except ValueError:
            names = ", ".join(map(repr, LabelSet.presets()))
            raise ValueError(f"{TASKS_TEXT}, or the name of a label set, one of {names}, got {task!r}") from None
    return {"task": "multiclass", "num_classes": num_classes if name == "multiclass" else task}


class TaskMetric(ConfusionMatrixMetric[Value]):
    """Counts binary and multilabel scores as torchmetrics does: a batch with a score outside 0 to 1 is of logits.

    ``from_logits`` True or False says what the scores are, None leaves it to each batch. Batches that were read as
    probabilities, and as logits, are then counted behind the errors, and ``compute`` refuses a mixture. A target of
    floating whole numbers is taken for labels, as there; other numbers are an error.
    """

    def __init__(self, *, task: Any, from_logits: bool | None, **kwargs: Any) -> None:
        super().__init__(task=task, from_logits=False if from_logits is None else from_logits, **kwargs)
        self.from_logits = from_logits
        self.by_values = from_logits is None and task != "multiclass"
        if self.by_values:
            self.add_state("errors", torch.zeros(6, dtype=torch.int64), "sum")

    def state_text_of_its_own(self) -> list[str]:
        """See ``ConfusionMatrixMetric.state_text``."""
        return [*super().state_text_of_its_own(), *["from_logits=None"] * self.by_values]

    def counted(self, preds: Any, target: Any, per_image: bool = False) -> Counted:
        """The counts of a batch, which is read by its values where nothing says what its scores are."""
        target = whole_labels(target, self.rules)
        if not self.by_values:
            return super().counted(preds, target, per_image)
        found = [batch for batch in batches(preds, target, self.rules) if batch.kind == "binary"]
        if not found:
            counts, errors = super().counted(preds, target, per_image)
            return Counted(counts, pad(errors, (0, 2)))
        logits = torch.stack([has_logits(batch.preds, batch.target, self.rules) for batch in found]).any()

        def read(from_logits: bool | None) -> Counted:
            return count(preds, target, replace(self.rules, from_logits=from_logits), per_image)

        if answers_at_once(logits):
            counts, errors = read(True if logits else None)
        else:
            counts, errors = (torch.where(logits, a, b) for a, b in zip(read(True), read(None), strict=True))
        seen = counts[..., :-1, :].sum() > errors[NAN]  # a batch without a valid score could be either
        return Counted(counts, torch.cat([errors, torch.stack([seen & ~logits, logits])]))

    def check(self, errors: Tensor) -> None:
        """Raise for bad labels, and for probabilities in one batch and logits in another."""
        super().check(errors)
        probabilities, logits = errors[4:].tolist() if self.by_values else (0, 0)
        if probabilities and logits:
            numbers = {"probabilities": probabilities, "logits": logits}
            raise ValueError(MIXED_TEXT.format(**{name: f"{n} batch{'es' * (n > 1)}" for name, n in numbers.items()}))


def whole_labels(target: Any, rules: Rules) -> Any:
    """A floating target as int64 labels, and all else as it is.

    Raises:
        ValueError: on the CPU, a number that is not whole; elsewhere it becomes a label outside the classes, which is
            counted as an error.
    """
    if isinstance(target, list | tuple):
        return [whole_labels(labels, rules) for labels in target]
    floating = isinstance(target, Tensor) and target.is_floating_point()
    if not floating and not (isinstance(target, np.ndarray) and np.issubdtype(target.dtype, np.floating)):
        return target
    values = tensor("target", target)
    labels = values.long()
    wrong = labels.to(values.dtype) != values  # nan too
    if answers_at_once(values) and wrong.any():
        number = int(wrong.sum())
        raise ValueError(
            f"target must hold whole numbers, got {number:,} pixel{'s' * (number > 1)} of other values, such as "
            f"{float(values[wrong][0]):g}: pass target > 0.5 if it is a soft mask of one class"
        )
    outside = next(value for value in range(-1, -2 - len(rules.ignore_index), -1) if value not in rules.ignore_index)
    return torch.where(wrong, outside, labels)


def answers_at_once(values: Tensor) -> bool:
    """Whether Python may look at values; for an accelerator it would wait, so there a batch is counted both ways."""
    return values.device.type == "cpu"


def has_logits(scores: Tensor, target: Tensor, rules: Rules) -> Tensor:
    """Whether a pixel that counts has a score outside 0 to 1, a bool on the device of the scores; nan is none."""
    if not answers_at_once(scores):
        return _outside(scores, target, rules).any()
    step = max(1, SLICE // max(1, target[:1].numel()))
    parts = (slice(start, start + step) for start in range(0, len(target), step))
    found = any(not _within(scores[part]) and bool(_outside(scores[part], target[part], rules).any()) for part in parts)
    return torch.tensor(found, device="cpu")


def _within(scores: Tensor) -> bool:
    """Whether all scores are probabilities, in one pass; False where there is a nan."""
    if not scores.numel():
        return True
    low, high = scores.aminmax()
    return bool(low >= 0) and bool(high <= 1)


def _outside(scores: Tensor, target: Tensor, rules: Rules) -> Tensor:
    """Where a score is outside 0 to 1 and the target is not ignored."""
    outside = (scores < 0) | (scores > 1)
    if scores.shape == target.shape:
        labels = signed(target, 2, rules.ignore_index)
        held = torch.iinfo(labels.dtype)  # a value beyond it would wrap in the comparison
        for value in rules.ignore_index:
            if held.min <= value <= held.max:
                outside &= labels != value
    return outside
