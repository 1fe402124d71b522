"""Runs what the monitor needs around every step of a LightningModule, without touching the module."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from typing import Any

from segiou.lightning.step_outputs import STEPS, Stage

Around = Callable[[Stage, Any], AbstractContextManager[None]]


class WatchedStep:
    """A step of a trainer's strategy that runs inside contexts.

    The strategy is what Lightning calls for a step, outside any wrapper (DDP, a compiled step) that the module
    has. Several monitors share one ``WatchedStep``, so that they can leave in any order.

    Args:
        stage: the stage of the step.
        step: the method of the strategy.
    """

    def __init__(self, stage: Stage, step: Callable[..., Any]) -> None:
        self.stage = stage
        self.step = step
        self.around: list[Around] = []

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the step; its first argument is the batch."""
        batch = next(iter((*args, *kwargs.values())), None)
        with ExitStack() as contexts:
            for around in self.around:
                contexts.enter_context(around(self.stage, batch))
            return self.step(*args, **kwargs)


def watch(strategy: Any, stage: Stage, around: Around) -> None:
    """Run each step of a stage inside ``around(stage, batch)``."""
    watched = vars(strategy).get(STEPS[stage])
    if not isinstance(watched, WatchedStep):
        watched = WatchedStep(stage, getattr(strategy, STEPS[stage]))
        setattr(strategy, STEPS[stage], watched)
    watched.around.append(around)


def unwatch(strategy: Any, stage: Stage, around: Around) -> None:
    """Undo ``watch``; nothing happens where it was not called."""
    watched = vars(strategy).get(STEPS[stage])
    if isinstance(watched, WatchedStep) and around in watched.around:
        watched.around.remove(around)
        if not watched.around:
            delattr(strategy, STEPS[stage])
