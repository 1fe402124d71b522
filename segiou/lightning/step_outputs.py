"""What the steps of a LightningModule return, for the monitor: predictions, targets, and what metrics take beside."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

Stage = Literal["train", "val", "test"]
Outputs = Callable[[Any, Any], tuple[Any, ...]]
STEPS: dict[Stage, str] = {"train": "training_step", "val": "validation_step", "test": "test_step"}


def returned(
    stage: Stage, outputs: Any, batch: Any, extract: Outputs | None, needed: Mapping[str, bool]
) -> tuple[Any, Any, dict[str, Any]]:
    """Predictions, targets, and by name what metrics take beside them.

    Args:
        stage: the stage, for errors.
        outputs: what the step returned.
        batch: what the step was given.
        extract: the user's function of the two; None where the step returns a dict.
        needed: the names of what metrics take, and whether they must have it.

    Raises:
        ValueError: something is not there.
    """
    preds, target, more = _extracted(extract, stage, outputs, batch) if extract else _preds_and_target(stage, outputs)
    return preds, target, _needed(needed, stage, more)


def _extracted(extract: Outputs, stage: Stage, outputs: Any, batch: Any) -> tuple[Any, Any, Mapping[str, Any]]:
    try:
        preds, target, *rest = extract(outputs, batch)
    except Exception as error:  # the user's own code: say where it was called, and with what
        held = f"a dict with {sorted(map(str, outputs))}" if isinstance(outputs, Mapping) else type(outputs).__name__
        raise ValueError(
            f"outputs=function(outputs, batch) -> (preds, target) failed on what {STEPS[stage]} returned, {held}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if len(rest) > 1 or not all(isinstance(more, Mapping) for more in rest):
        got = ", ".join(type(part).__name__ for part in (preds, target, *rest))
        raise ValueError(f"outputs must return (preds, target) or (preds, target, {{name: value}}), got ({got})")
    return preds, target, rest[0] if rest else {}


def _preds_and_target(stage: Stage, outputs: Any) -> tuple[Any, Any, Mapping[str, Any]]:
    if isinstance(outputs, Mapping) and "preds" in outputs and "target" in outputs:
        return outputs["preds"], outputs["target"], outputs
    got = f"a dict with {sorted(map(str, outputs))}" if isinstance(outputs, Mapping) else f"a {type(outputs).__name__}"
    got = "a loss alone" if isinstance(outputs, Mapping) and set(outputs) == {"loss"} else got
    raise ValueError(
        f"{STEPS[stage]} must return a dict with preds and target for SegmentationMonitor, got {got}: return them, "
        f"pass outputs=function(outputs, batch) -> (preds, target), or leave {stage!r} out of stages"
    )


def _needed(needed: Mapping[str, bool], stage: Stage, more: Mapping[str, Any]) -> dict[str, Any]:
    """What the metrics take beside preds and target."""
    missing = [name for name, required in needed.items() if required and name not in more]
    if missing:
        raise ValueError(
            f"{STEPS[stage]} must return {missing[0]} beside preds and target, for a metric that takes it: add it to "
            "the dict, or let outputs return (preds, target, {name: value})"
        )
    return {name: more[name] for name in needed if name in more}
