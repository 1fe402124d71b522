"""Predictions from the call of a network inside the steps of a LightningModule, which stays as it is.

During a step, and only then, the ``forward`` of one module is one that remembers what it returned. A forward hook alone
would not do: it fires twice on the root module under DDP, and not at all for ``self.forward(x)``. Where the module has
hooks of its own, which may return something else, one of ours sees what they have left.
"""

import functools
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor, nn

from segiou.counting.tensors import unwrapped
from segiou.lightning.batch_parts import Part, checked_part, copied, described, part, target_of
from segiou.lightning.changed_in_place import same_signs, signs_of
from segiou.lightning.hints import networks
from segiou.lightning.step_outputs import STEPS, Skipped, Stage, StepData, gave_nothing
from segiou.lightning.watched_steps import unwatch, watch

Calls = Literal["first", "last"]
FORWARD_HOOKS = nn.modules.module._global_forward_hooks  # those of all modules, which have no public name


class Before(NamedTuple):
    """What was taken from a batch before its step: the target, the same as it is in the batch, and other parts."""

    target: Any
    in_batch: Any
    more: Mapping[str, Any]


class Call(NamedTuple):
    """What a call gave: predictions and the signs by which a later change is seen; or what the call returned itself."""

    preds: Any
    signs: Sequence[Any] = ()
    raw: bool = False


class CapturedCalls:
    """Takes predictions from a network's calls, and targets from the batch.

    Args:
        model: the name of a submodule, "" for the LightningModule itself.
        target: a key or index of the batch, or a function of it; None for the usual ones.
        preds: a function of what the call gave; None where that is the scores, or holds them as ``out``,
            ``logits`` or ``output``.
        calls: which call counts where a step has several, "first" or "last".
        of_bools: whether bool targets are likely, as they are not of more than two classes.
    """

    def __init__(
        self,
        model: str,
        target: Part | None = None,
        preds: Callable[[Any], Any] | None = None,
        calls: Calls | None = None,
        *,
        of_bools: bool = True,
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
        self.of_bools = of_bools
        self._needed: Sequence[str] = ()
        self._watched: tuple[Any, Sequence[Stage]] | None = None
        self._module: Any = None
        self._remembering: tuple[Callable[..., Any], Callable[..., Any]] | None = None
        self._before: tuple[Any, Before] | None = None  # the batch whose step has begun, and what was taken from it
        self._steps = 0
        self._forget()

    def _forget(self) -> None:
        self._stage: Stage | None = None  # that of the step which runs
        self._depth = self._number = 0
        self._call: Call | None = None
        self._failed: ValueError | None = None
        self._hook: Any = None
        self._preds: Any = None

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

    # ---- in a step

    @contextmanager
    def _during(self, stage: Stage, batch: Any) -> Iterator[None]:
        """Take the target, which some steps change or remove, and remember the calls."""
        if not hasattr(batch, "__next__") and not (self._before and self._before[0] is batch):
            self._before = batch, self._taken_before(batch)  # not of an iterator, which has yet to give its batch
        network = self._network(stage)
        found = vars(network).get("forward")
        remembering = self._remembering_forward(network)
        self._forget()
        self._stage, self._steps = stage, self._steps + 1
        vars(network)["forward"] = remembering  # past __setattr__, which a compiled module redirects
        try:
            yield
        finally:
            self._stage = None
            if self._hook:
                self._hook.remove()
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
        which = target_of(batch, of_bools=self.of_bools) if self.target is None else self.target
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
            self._remember(network, given, args, kwargs)
            return given

        self._remembering = (inner, forward)
        return forward

    def _remember(self, network: nn.Module, given: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._depth or self._stage is None:
            return  # a call inside a call, or a call outside the step
        compiling = torch.compiler.is_compiling()
        if not compiling and torch._C._current_graph_task_id() != -1:
            return  # activation checkpointing calls again in the backward pass
        self._number += 1
        if self._number > 1 and self.calls != "last":
            return
        if compiling:
            self._call = Call(given.detach() if isinstance(given, Tensor) else given, raw=True)
            return
        self._choose(given)
        if network._forward_hooks or FORWARD_HOOKS:
            self._see_hooked(network, args, kwargs)

    def _see_hooked(self, network: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Take what the hooks of the network make of this call, if it is one that has hooks and not ``forward(x)``."""
        given = [*args, *kwargs.values()]

        def hook(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            seen = [*args, *kwargs.values()]
            if len(seen) == len(given) and all(map(operator.is_, seen, given)):
                self._choose(output)

        if self._hook:
            self._hook.remove()
        self._hook = network.register_forward_hook(hook, with_kwargs=True)

    def _choose(self, given: Any) -> None:
        """Make predictions of what a call gave; what fails is said after the step, which may catch errors."""
        try:
            preds = self._predictions(given)
            self._call, self._failed = Call(preds, signs_of(preds, self._steps)), None
        except ValueError as error:
            self._failed = error

    def _read(self, stage: Stage) -> None:
        """Look whether the predictions are still there, so that nothing else is kept after the step."""
        call, self._call = self._call, None
        if self._failed:
            raise self._failed
        if call is None:
            return
        if call.raw:
            self._stage = stage
            call = Call(self._predictions(call.preds))
            self._stage = None
        elif not same_signs(call.signs, signs_of(call.preds, self._steps)):
            raise ValueError(
                f"{STEPS[stage]} changes in place what model={self.model!r} returned, so that the predictions are not "
                "there any more when the step ends: let it work on a copy (x.sigmoid() in place of x.sigmoid_()), or "
                "name a module after which nothing is changed"
            )
        self._preds = call.preds

    def _predictions(self, given: Any) -> Any:
        step = STEPS[self._stage] if self._stage else "the step"
        try:
            with torch.no_grad():
                preds = unwrapped(given if self.preds is None else self.preds(given))
        except Exception as error:  # the user's own code: say where it was called, and with what
            what = "no predictions were found in" if self.preds is None else "preds=function failed on"
            raise ValueError(
                f"{what} what model={self.model!r} returned in {step}, {described(given)}: "
                f"{type(error).__name__}: {error}; pass preds=function(returned) -> scores or labels"
            ) from error
        before = self._before[1] if self._before else None
        if self.preds is None and isinstance(preds, tuple | list) and not _lists_images(preds, before):
            raise ValueError(
                f"model={self.model!r} returned {described(preds)} in {step}, of which not all are "
                "predictions: say which with preds=function, such as preds=lambda returned: returned[0]"
            )
        if isinstance(preds, tuple | list):
            return [each.detach() if isinstance(each, Tensor) else each for each in preds]
        return preds.detach() if isinstance(preds, Tensor) else preds

    # ---- after a step

    def taken(self, stage: Stage, outputs: Any, batch: Any) -> StepData | Skipped:
        """What a step has predicted, its target, and by name what metrics take beside them; then forget it.

        Raises:
            ValueError: the network was not called once.
        """
        before, self._before = self._before, None
        number, preds = self._number, self._preds
        self._forget()
        nothing = gave_nothing(stage, outputs)
        if not number and nothing and (outputs is not None or stage == "train"):  # as a step says that it skips a batch
            return Skipped(nothing, self._wrong_number(stage, number), meant=True)
        if number != 1 and (not number or self.calls is None):
            raise ValueError(self._wrong_number(stage, number))
        seen = before[1] if before else self._taken_before(batch)
        more = {**seen.more, **(outputs if isinstance(outputs, Mapping) else {})}
        return StepData(preds, seen.target, more, seen.in_batch)

    def _wrong_number(self, stage: Stage, number: int) -> str:
        said = f"{STEPS[stage]} called model={self.model!r} {number} times: "
        if number:
            return (
                f'{said}pass calls="last" or calls="first" to say which call has the predictions, or return preds and '
                "target from the step, without model="
            )
        return f"{said}pass the name of what it calls, {networks(self._module)}, or leave {stage!r} out of stages"


def _lists_images(preds: Sequence[Any], before: Before | None) -> bool:
    return before is None or (isinstance(before.target, tuple | list) and len(before.target) == len(preds))
