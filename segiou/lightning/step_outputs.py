"""What the steps of a LightningModule return, for the monitor: predictions, targets, and what metrics take beside."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from segiou.lightning.batch_parts import described

Stage = Literal["train", "val", "test"]
Outputs = Callable[[Any, Any], tuple[Any, ...] | None]
STEPS: dict[Stage, str] = {"train": "training_step", "val": "validation_step", "test": "test_step"}
# the names that people use; preds and target come first, and of the others just one must be there
PREDS_NAMES = (
    "pred",
    "prediction",
    "predictions",
    "logits",
    "scores",
    "probs",
    "y_hat",
    "y_pred",
    "output",
    "outputs",
    "out",
)
TARGET_NAMES = ("targets", "label", "labels", "mask", "masks", "y", "y_true", "ground_truth", "gt")


class StepData(NamedTuple):
    """One batch.

    Attributes:
        preds: predictions.
        target: labels.
        more: by name, what metrics may take beside them.
        in_batch: the labels as the batch holds them, where ``target`` is a copy.
    """

    preds: Any
    target: Any
    more: Mapping[str, Any]
    in_batch: Any = None


class Skipped(NamedTuple):
    """A batch that was left out.

    Attributes:
        why: what the step returned, for the error of an epoch in which every batch was left out.
        remedy: what to do about it.
        meant: whether the step said that it skips the batch, by ``{}``, or ``outputs`` by None.
        error: what ``outputs`` raised, where it was asked.
    """

    why: str
    remedy: str
    meant: bool = False
    error: Exception | None = None


def returned(
    stage: Stage, outputs: Any, batch: Any, extract: Outputs | None, monitor: Callable[[], str]
) -> StepData | Skipped:
    """Take predictions and targets from what a step returned.

    Args:
        stage: the stage, for errors.
        outputs: what the step returned.
        batch: what the step was given.
        extract: the user's function of the two; None where the step returns a dict.
        monitor: gives the monitor that needs nothing of the step, for the error.

    Raises:
        ValueError: something is not there.
    """
    nothing, meant = gave_nothing(stage, outputs), outputs is not None
    if extract is None:
        return (
            Skipped(nothing, _remedy(stage, monitor), meant) if nothing else _preds_and_target(stage, outputs, monitor)
        )
    try:
        return _extracted(extract, stage, outputs, batch)
    except ValueError as error:
        if not nothing:
            raise
        # most likely a batch that the step skipped, which the function was not written for
        remedy = f"let outputs take that, or leave {stage!r} out of stages"
        return Skipped(f"{nothing}, and {error}", remedy, meant, error)


def gave_nothing(stage: Stage, outputs: Any) -> str | None:
    """Say that a step returned None or {}; None where it returned more."""
    if outputs is None or (isinstance(outputs, Mapping) and not outputs):
        # Lightning makes {} of the None of a training step
        return f"{STEPS[stage]} returned {'None' if outputs is None or stage == 'train' else '{}'}"
    return None


def needed_beside(needed: Mapping[str, bool], stage: Stage, more: Mapping[str, Any]) -> dict[str, Any]:
    """What the metrics take beside preds and target.

    Args:
        needed: the names, and whether the metrics must have them.
        stage: the stage, for errors.
        more: what there is.

    Raises:
        ValueError: something that metrics must have is not there.
    """
    missing = [name for name, required in needed.items() if required and name not in more]
    if missing:
        raise ValueError(
            f"{STEPS[stage]} must return {missing[0]} beside preds and target, for a metric that takes it: add it to "
            "the dict, or let outputs return (preds, target, {name: value}), or with model= have it in the batch"
        )
    return {name: more[name] for name in needed if name in more}


def _extracted(extract: Outputs, stage: Stage, outputs: Any, batch: Any) -> StepData | Skipped:
    try:
        found = extract(outputs, batch)
        if found is None:
            remedy = f"let it return (preds, target), or leave {stage!r} out of stages"
            return Skipped("outputs=function(outputs, batch) returned None", remedy, meant=True)
        preds, target, *rest = found
    except Exception as error:  # the user's own code: say where it was called, and with what
        raise ValueError(
            f"outputs=function(outputs, batch) -> (preds, target) failed on what {STEPS[stage]} returned, "
            f"{described(outputs)}: {type(error).__name__}: {error}"
        ) from error
    if len(rest) > 1 or not all(isinstance(more, Mapping) for more in rest):
        got = ", ".join(type(part).__name__ for part in (preds, target, *rest))
        raise ValueError(f"outputs must return (preds, target) or (preds, target, {{name: value}}), got ({got})")
    return StepData(preds, target, rest[0] if rest else {})


def _preds_and_target(stage: Stage, outputs: Any, monitor: Callable[[], str]) -> StepData:
    got = described(outputs)
    if isinstance(outputs, Mapping):
        preds, target = _names(outputs, "preds", PREDS_NAMES), _names(outputs, "target", TARGET_NAMES)
        if len(preds) == len(target) == 1:
            return StepData(outputs[preds[0]], outputs[target[0]], outputs)
        got = "a loss alone" if set(outputs) == {"loss"} else got
        several = [
            f"{names} could each be the {what}"
            for what, names in (("preds", preds), ("target", target))
            if len(names) > 1
        ]
        got = ", of which ".join([got, " and ".join(several)] if several else [got])
    raise ValueError(
        f"{STEPS[stage]} must return a dict with preds and target for SegmentationMonitor, got {got}: "
        + _remedy(stage, monitor)
    )


def _remedy(stage: Stage, monitor: Callable[[], str]) -> str:
    return (
        f"return them, pass {monitor()} to take predictions from the call of a network, "
        f"pass outputs=function(outputs, batch) -> (preds, target), or leave {stage!r} out of stages"
    )


def _names(outputs: Mapping[str, Any], name: str, others: tuple[str, ...]) -> list[str]:
    """The name under which something is in a dict; several where it is not clear which."""
    return [name] if name in outputs else [other for other in others if other in outputs]
