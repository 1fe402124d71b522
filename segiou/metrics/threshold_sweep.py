"""Scores at many thresholds from one pass over the probabilities, and the threshold that scores best."""

import hashlib
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, ClassVar, Literal, NamedTuple, get_args

import torch
from torch import Tensor
from typing_extensions import Unpack

from segiou.argument_checks import number_in
from segiou.counting import Counted, IgnoreIndex, Rules, Upsample
from segiou.counting.thresholds import count_above, table_shape
from segiou.counting.torch_compile import uncompiled
from segiou.labels.class_names import Classes
from segiou.metrics.arguments import TorchmetricsArguments
from segiou.metrics.pixels import PixelMetric
from segiou.scoring import formulas
from segiou.scoring.formulas import Areas

Best = Literal["Dice", "IoU"]
SweepTask = Literal["binary", "multilabel"]


class Sweep(NamedTuple):
    """Scores of the positive class at T thresholds; of each of L labels for multilabel.

    ``thresholds``: ``(T,)``, float64 as they were asked for. ``iou``, ``dice``, ``precision`` and ``recall``:
    float32, ``(T,)`` or ``(L, T)``, nan where 0/0. ``best_threshold``: the threshold of the highest Dice and
    IoU, float64, a scalar or ``(L,)``; ``best``: the score there, float32. Both are nan where the target
    has no positive pixel to find.

    Where several thresholds share the highest score, the best is the middle one of them (of two middle
    ones the higher): it is the farthest from where the score drops, and 0.5 for scores of 0 and 1 alone.
    """

    thresholds: Tensor
    iou: Tensor
    dice: Tensor
    precision: Tensor
    recall: Tensor
    best_threshold: Tensor
    best: Tensor


class ThresholdSweep(PixelMetric[Sweep]):
    """IoU, Dice, precision and recall at T thresholds, from one pass over the scores and 2 (T + 1) counts.

    Each value is exactly that of ``segiou.Dice(task="binary", threshold=t)`` and its relatives. The formulas are
    those of ``segiou.MeanIoU``, ``segiou.Dice``, ``segiou.Precision`` and ``segiou.Recall``, over the whole data set.

    Args:
        task: "binary", or "multilabel": a sweep for each label.
        thresholds: T of at least 2: a number of evenly spaced thresholds from 0 to 1, or the thresholds
            themselves, rising. A pixel is positive where its probability is above the threshold.
        num_labels: L, for multilabel.
        ignore_index: target values whose pixels are not counted; an int or several, negative ones too.
        from_logits: the scores are logits; the thresholds stay probabilities.
        upsample: how score maps of another size than the target are brought to it, "bilinear" or "nearest".
        align_corners: as in ``torch.nn.functional.interpolate``, for "bilinear".
        validate_args: whether target labels beside 0 and 1, and scores that are no probabilities, raise an
            error. If False, such target pixels are ignored and such scores are compared as they are.
        class_names: names of the labels for multilabel, shown in plots.
        best: the score that ``Sweep.best`` gives and ``plot`` marks, "Dice" or "IoU"; the best threshold is
            the same for both.

    Raises:
        ValueError: an argument outside its choices or range, or one that has no meaning for the task.
        TypeError: an argument of another type.

    >>> import torch
    >>> from segiou import ThresholdSweep
    >>> metric = ThresholdSweep(thresholds=[0.25, 0.5, 0.75])
    >>> metric.update(torch.tensor([[0.9, 0.6, 0.4, 0.1]]), torch.tensor([[1, 1, 0, 0]]))
    >>> sweep = metric.compute()
    >>> sweep.dice
    tensor([0.8000, 1.0000, 0.6667])
    >>> float(sweep.best_threshold), float(sweep.best)
    (0.5, 1.0)
    """

    higher_is_better = True
    tasks: ClassVar[tuple[str, ...]] = get_args(SweepTask)

    @uncompiled
    def __init__(
        self,
        task: SweepTask = "binary",
        thresholds: int | Iterable[float] = 101,
        *,
        num_labels: int | None = None,
        ignore_index: IgnoreIndex = None,
        from_logits: bool = False,
        upsample: Upsample | None = None,
        align_corners: bool = False,
        validate_args: bool = True,
        class_names: Sequence[str] | None = None,
        best: Best = "Dice",
        **kwargs: Unpack[TorchmetricsArguments],
    ) -> None:
        if task not in self.tasks:
            raise ValueError(f'task must be "binary" or "multilabel", whose scores have a threshold, got {task!r}')
        if best not in get_args(Best):
            raise ValueError(f'best must be "Dice" or "IoU", got {best!r}')
        rules = Rules.of(
            None,
            task=task,
            num_labels=num_labels,
            ignore_index=ignore_index,
            from_logits=from_logits,
            upsample=upsample,
            align_corners=align_corners,
            validate_args=validate_args,
        )
        rising = _thresholds(thresholds)
        names = Classes.of(class_names, None, rules).names
        super().__init__(rules, _identity(rules, rising), table_shape(rules, rising), **kwargs)
        self.thresholds = rising
        self.class_names = names
        self.best = best

    def argument(self, name: str) -> Any:
        """The value of an argument that the metric was made with."""
        if name == "thresholds":
            even = len(self.thresholds) > 1 and self.thresholds == _thresholds(len(self.thresholds))
            return len(self.thresholds) if even else self.thresholds
        if name == "class_names":
            given = self.class_names != tuple(map(str, range(len(self.class_names))))
            return self.class_names if given else None
        if name == "ignore_index":
            return self.rules.ignore_index or None
        return getattr(self, name) if hasattr(self, name) else getattr(self.rules, name)

    def counted(self, preds: Any, target: Any) -> Counted:
        """The counts of one batch: pixels by target value and by how many thresholds their score is above."""
        return count_above(preds, target, self.rules, self.thresholds)

    def update(self, preds: Any, target: Any) -> None:
        """Count one batch.

        Args:
            preds: floating scores ``(N, ...)`` or ``(N, 1, ...)``, for multilabel ``(N, L, ...)``; a tensor, an
                array, a list of images without the axis N, or a model's output that holds the scores as
                ``out`` or ``logits``.
            target: integer labels 0 and 1 of that shape.

        Raises:
            ValueError: input that does not fit; labels beside 0 and 1 and scores that are no probabilities
                (on an accelerator ``compute`` raises that, so that ``update`` need not wait). The state is
                then as before.
            TypeError: input that is no tensor or array.
        """
        super().update(preds, target)

    def value_of(self, counts: Tensor) -> Sweep:
        """The sweep of counts ``(2, T + 1)``, for multilabel ``(L, 2, T + 1)``."""
        areas = formulas.floating(_areas(counts))
        scores = {"IoU": formulas.iou(areas), "Dice": formulas.dice(areas)}
        thresholds = torch.tensor(self.thresholds, dtype=areas.target.dtype, device=counts.device)
        candidates = scores[self.best].masked_fill(areas.target == 0, torch.nan)
        best = candidates.nan_to_num(-1).amax(-1)
        chosen = thresholds[_middle(candidates == best.unsqueeze(-1))]
        return Sweep(
            thresholds,
            scores["IoU"].float(),
            scores["Dice"].float(),
            formulas.precision(areas).float(),
            formulas.recall(areas).float(),
            chosen.masked_fill(best < 0, torch.nan),
            best.masked_fill(best < 0, torch.nan).float(),
        )

    def plot(self, val: Sweep | None = None, ax: Any = None) -> Any:
        """Plot the four scores over the threshold, and mark the best; a plot for each label for multilabel.

        Args:
            val: a result of ``compute`` or ``forward``; the metric's own state if None.
            ax: a matplotlib axis to draw on, for a binary task; a new figure if None.

        Returns:
            The figure, or None where an axis was given, and the axis, or axes for multilabel.

        Raises:
            ValueError: an axis for several labels.
            ModuleNotFoundError: matplotlib is not installed.
        """
        from segiou.plots import curves, many_curves

        sweep = self.compute() if val is None else val
        lines = {"IoU": sweep.iou, "Dice": sweep.dice, "Precision": sweep.precision, "Recall": sweep.recall}
        labels = self.rules.num_labels
        if labels is None:
            return curves(sweep.thresholds, lines, (self.best, float(sweep.best_threshold), float(sweep.best)), ax)
        if ax is not None:
            raise ValueError(f"ax must be left out for multilabel: each of the {labels} labels has an axis of its own")
        best = self.best, sweep.best_threshold.view(labels), sweep.best.view(labels)
        return many_curves(sweep.thresholds, lines, best, self.class_names)


def _areas(counts: Tensor) -> Areas:
    """Areas of the positive class at each threshold, ``(..., T)``."""
    above = counts.flip(-1).cumsum(-1).flip(-1)  # at k: pixels whose score is above k thresholds or more
    return Areas(
        intersection=above[..., 1, 1:],
        predicted=above[..., 1:].sum(-2),
        target=above[..., 1, :1].expand(above[..., 1, 1:].shape),
    )


def _middle(tied: Tensor) -> Tensor:
    """The index of the middle True of ``(..., T)``, of two middle ones the latter; anything where there is none."""
    rank = tied.cumsum(-1)
    wanted = rank[..., -1:] // 2 + 1
    return (tied & (rank == wanted)).int().argmax(-1)


def _thresholds(thresholds: Any) -> tuple[float, ...]:
    """The thresholds as rising numbers."""
    number = hasattr(thresholds, "__index__") and not getattr(thresholds, "ndim", 0)
    if number and not isinstance(thresholds, bool) and int(thresholds) > 1:
        return tuple(index / (int(thresholds) - 1) for index in range(int(thresholds)))
    given = thresholds.tolist() if hasattr(thresholds, "tolist") else thresholds
    values = tuple(given) if isinstance(given, Iterable) and not isinstance(given, str) else ()
    found = tuple(number_in("thresholds", value, "probabilities between 0 and 1", 0, 1) + 0.0 for value in values)
    if len(found) < 2 or any(low >= high for low, high in pairwise(found)):
        raise ValueError(
            f"thresholds must be a number of at least 2, or two or more rising probabilities, got {thresholds!r}"
        )
    return found


def _identity(rules: Rules, thresholds: tuple[float, ...]) -> str:
    """A name that is equal exactly where the rules and the thresholds are."""
    return f"sweep_{rules.identity}_{hashlib.sha256(repr(thresholds).encode()).hexdigest()[:16]}"
