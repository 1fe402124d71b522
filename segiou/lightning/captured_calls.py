"""Predictions from the call of a network inside the steps of a LightningModule, which stays as it is.

During a step, and only then, the ``forward`` of one module is one that remembers what it returned. A forward hook would
not do: it fires twice on the root module under DDP, and not at all for ``self.forward(x)``.
"""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from segiou.counting.tensors import SCORES_NAMES, unwrapped
from segiou.lightning.batch_parts import Part, checked_part, copied, described, part, target_of
from segiou.lightning.hints import networks
from segiou.lightning.step_outputs import STEPS, Skipped, Stage, StepData, gave_nothing
from segiou.lightning.watched_steps import unwatch, watch

Calls = Literal["first", "last"]
SAMPLED = 16  # places along each axis of scores where a change is looked for


class Before(NamedTuple):
    """What was taken from a batch before its step: the target, the same as it is in the batch, and other parts."""

    target: Any
    in_batch: Any
    more: Mapping[str, Any]


class CapturedCalls:
    """Takes predictions from a network's calls, and targets from the batch.

    Args:
        model: the name of a submodule, "" for the LightningModule itself.
        target: a key or index of the batch, or a function of it; None for the usual ones.
        preds: a function of what the call gave; None where that is the scores, or holds them as ``out``,
            ``logits`` or ``output``.
        calls: which call counts where a step has several, "first" or "last".
    """

    def __init__(
        self,
        model: str,
        target: Part | None = None,
        preds: Callable[[Any], Any] | None = None,
        calls: Calls | None = None,
    ) -> None:
        if not isinstance(model, str):
            raise TypeError(f'model must be the name of a submodule, or "" for the module itself, got {model!r}')
        if preds is not None and not callable(preds):
            raise TypeError(f"preds must be a function of what the model returns, got {preds!r}")
        if calls is not None and calls not in get_args(Calls):
            raise ValueError(f'calls must be "first" or "last", got {calls!r}')
        self.model = model
        self.target = target if target is None else checked_part("target", target)
        self.preds = preds
        self.calls = calls
        self._needed: Sequence[str] = ()
        self._watched: tuple[Any, Sequence[Stage]] | None = None
        self._module: Any = None
        self._remembering: tuple[Callable[..., Any], Callable[..., Any]] | None = None
        self._compare = False
        self._before: Before | None = None
        self._forget()

    def _forget(self) -> None:
        self._running = False
        self._depth = self._number = 0
        self._given: Any = None
        self._sample: Tensor | None = None

    # ---- from the start of a run to its end

    def start(self, strategy: Any, module: Any, stages: Sequence[Stage], needed: Sequence[str]) -> None:
        """Watch the steps of a run; ``needed`` names what metrics take beside preds and target."""
        self.stop()
        self._watched, self._module, self._needed = (strategy, stages), module, needed
        for stage in stages:
            watch(strategy, stage, self._during)

    def stop(self) -> None:
        """Leave the steps alone."""
        if self._watched:
            strategy, stages = self._watched
            for stage in stages:
                unwatch(strategy, stage, self._during)
        self._watched = self._module = self._before = self._remembering = None
        self._forget()

    def start_epoch(self) -> None:
        """Look in the next step whether what the network gives is changed in place."""
        self._compare = True

    # ---- in a step

    @contextmanager
    def _during(self, stage: Stage, batch: Any) -> Iterator[None]:
        """Take the target, which some steps change or remove, and remember the calls."""
        if self._before is None and not hasattr(batch, "__next__"):  # an iterator has yet to give its batch
            self._before = self._taken_before(batch)
        network = self._network(stage)
        found = vars(network).get("forward")
        remembering = self._remembering_forward(network)
        self._forget()
        self._running = True
        vars(network)["forward"] = remembering  # past __setattr__, which a compiled module redirects
        try:
            yield
        finally:
            self._running = False
            if vars(network).get("forward") is remembering:
                if found is None:
                    del vars(network)["forward"]
                else:
                    vars(network)["forward"] = found
        self._read(stage)

    def _network(self, stage: Stage) -> nn.Module:
        try:
            network: nn.Module = self._module.get_submodule(self.model)
        except AttributeError:
            raise ValueError(
                f"{type(self._module).__name__} has no submodule model={self.model!r} that {STEPS[stage]} could call: "
                f"pass one of its own, {networks(self._module)}"
            ) from None
        return network

    def _taken_before(self, batch: Any) -> Before:
        which = target_of(batch) if self.target is None else self.target
        if which is None:
            raise ValueError(
                f"target=None finds no target in a batch that is {described(batch)}: pass its key or index, or a "
                "function of the batch"
            )
        target = part(batch, which, "target")
        more = {name: batch[name] for name in self._needed if isinstance(batch, Mapping) and name in batch}
        return Before(copied(target), target, more)

    def _remembering_forward(self, network: nn.Module) -> Callable[..., Any]:
        """The network's forward that remembers what it returned; the same in every step, or it is compiled anew."""
        inner = network.forward
        if self._remembering and self._remembering[0] == inner:
            return self._remembering[1]

        @functools.wraps(inner, updated=())  # the marks of torch.compile would make it skip this function
        def forward(*args: Any, **kwargs: Any) -> Any:
            self._depth += 1
            try:
                given = inner(*args, **kwargs)
            finally:
                self._depth -= 1
            self._remember(given)
            return given

        self._remembering = (inner, forward)
        return forward

    def _remember(self, given: Any) -> None:
        if self._depth or not self._running:
            return  # a call inside a call, or a call outside the step
        compiling = torch.compiler.is_compiling()
        if not compiling and torch._C._current_graph_task_id() != -1:
            return  # activation checkpointing calls again in the backward pass
        self._number += 1
        if self._number == 1 or self.calls == "last":
            self._given = given.detach() if isinstance(given, Tensor) else given
            if self._compare and not compiling:
                self._sample = _sampled(given)

    def _read(self, stage: Stage) -> None:
        """Make predictions of what was given, so that nothing else of it is kept after the step."""
        if not self._number:
            return
        given, self._given = self._given, None
        sample, self._sample = self._sample, None
        if sample is not None and not torch.equal(sample, _sampled(given)):  # type: ignore[arg-type]
            raise ValueError(
                f"{STEPS[stage]} changes in place what model={self.model!r} returned, so that the predictions are not "
                "there any more when the step ends: let it work on a copy (x.sigmoid() in place of x.sigmoid_()), or "
                "name a module after which nothing is changed"
            )
        self._compare = False
        self._given = self._predictions(stage, given)

    def _predictions(self, stage: Stage, given: Any) -> Any:
        try:
            with torch.no_grad():
                preds = unwrapped(given if self.preds is None else self.preds(given))
        except Exception as error:  # the user's own code: say where it was called, and with what
            what = "no predictions were found in" if self.preds is None else "preds=function failed on"
            raise ValueError(
                f"{what} what model={self.model!r} returned in {STEPS[stage]}, {described(given)}: "
                f"{type(error).__name__}: {error}; pass preds=function(returned) -> scores or labels"
            ) from error
        if self.preds is None and isinstance(preds, tuple | list) and not _lists_images(preds, self._before):
            raise ValueError(
                f"model={self.model!r} returned {described(preds)} in {STEPS[stage]}, of which not all are "
                "predictions: say which with preds=function, such as preds=lambda returned: returned[0]"
            )
        return preds.detach() if isinstance(preds, Tensor) else preds

    # ---- after a step

    def taken(self, stage: Stage, outputs: Any, batch: Any) -> StepData | Skipped:
        """What a step has predicted, its target, and by name what metrics take beside them; then forget it.

        Raises:
            ValueError: the network was not called once.
        """
        before, self._before = self._before, None
        number, preds = self._number, self._given
        self._forget()
        nothing = gave_nothing(stage, outputs)
        if not number and nothing and (outputs is not None or stage == "train"):  # as a step says that it skips a batch
            return Skipped(nothing, self._wrong_number(stage, number), meant=True)
        if number != 1 and (not number or self.calls is None):
            raise ValueError(self._wrong_number(stage, number))
        before = before or self._taken_before(batch)
        more = {**before.more, **(outputs if isinstance(outputs, Mapping) else {})}
        return StepData(preds, before.target, more, before.in_batch)

    def _wrong_number(self, stage: Stage, number: int) -> str:
        said = f"{STEPS[stage]} called model={self.model!r} {number} times: "
        if number:
            return (
                f'{said}pass calls="last" or calls="first" to say which call has the predictions, or return preds and '
                "target from the step, without model="
            )
        return f"{said}pass the name of what it calls, {networks(self._module)}, or leave {stage!r} out of stages"


def _sampled(given: Any) -> Tensor | None:
    """Copy some of the scores, with nan as a number that is equal to itself; None where they are no tensor."""
    for name in SCORES_NAMES:
        given = given[name] if isinstance(given, Mapping) and name in given else given
    if not isinstance(given, Tensor):
        return None
    steps = (slice(None, None, max(1, size // SAMPLED)) for size in given.shape)
    return given.detach()[tuple(steps)].clone().nan_to_num()


def _lists_images(preds: Sequence[Any], before: Before | None) -> bool:
    return before is None or (isinstance(before.target, tuple | list) and len(before.target) == len(preds))
