"""Integer states that are summed over batches, and over processes by one all-reduce.

Everything here is about torchmetrics' contract, where its own way would lose, cast, repeat or misattribute
a count. Nothing here knows what is counted.
"""

import functools
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors
from torchmetrics.utilities.exceptions import TorchMetricsUserError

from segiou.compiling import uncompiled

if TYPE_CHECKING:
    from typing_extensions import Self

OTHER_CONFIGURATION = (
    "it was made with other arguments (number of classes, ignore_index, task, threshold or validate_args): "
    "build the metric with the same ones"
)


class SummedStates(Metric):
    """A metric whose states are all int64 and "sum"-reduced; a subclass says what a batch adds to them.

    Equal configurations must give equal state names and different ones different names: MetricCollection
    shares the states of metrics by them, and a checkpoint is held to them.
    """

    is_differentiable = False
    full_state_update = False

    _captured: bool = False  # by a CUDA graph, which adds to the very tensors that it has seen

    def clone(self) -> "Self":
        """A copy with a state of its own."""
        return deepcopy(self)

    def batch_states(self, preds: Any, target: Any) -> dict[str, Tensor]:
        """What one batch adds to each state. Raises on bad input, and changes nothing."""
        raise NotImplementedError

    def update(self, preds: Any, target: Any) -> None:
        """Count one batch."""
        self._require_unsynced()
        self._add(self.batch_states(preds, target))

    @torch.jit.unused
    @uncompiled
    def forward(self, preds: Any, target: Any) -> Any:
        """Count one batch and return its value alone; the batch is counted once."""
        self._require_unsynced()
        batch = self.batch_states(preds, target)
        kept, updates = self._copy_of_references(), self._update_count
        try:
            self._set(batch)
            self._computed, self._update_count, self._to_sync = None, 1, self.dist_sync_on_step
            self._forward_cache = self.compute()
        finally:
            self._set(kept)
            self._computed, self._update_count, self._to_sync = None, updates, self.sync_on_compute
        self._add(batch)
        self._update_count = updates + 1
        return self._forward_cache

    def _require_unsynced(self, what: str = "this batch") -> None:
        if self._is_synced:
            raise TorchMetricsUserError(f"the metric is synced and unsync would drop {what}: call unsync() first")

    def _copy_of_references(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self._defaults}

    def _set(self, states: dict[str, Tensor]) -> None:
        for name, state in states.items():
            setattr(self, name, state)

    def _add(self, batch: dict[str, Tensor]) -> None:
        # not in place: the members of a MetricCollection share their tensors, and each is given every batch
        if any(added.is_cuda for added in batch.values()) and torch.cuda.is_current_stream_capturing():
            self._captured = True
        for name, added in batch.items():
            state = getattr(self, name)
            setattr(self, name, state.add_(added) if self._captured else state + added)

    def reset(self) -> None:
        """Forget all batches."""
        states = self._copy_of_references()
        super().reset()
        if self._captured:
            self._set({name: state.zero_() for name, state in states.items()})

    def merge_state(self, incoming_state: dict[str, Any] | Metric) -> None:
        """Add the states of a metric of equal configuration, or of its ``metric_state``.

        Raises:
            ValueError: another class, another configuration, or states that do not fit.
            TorchMetricsUserError: one of the two is synced.
            RuntimeError: ``dist_sync_on_step`` is set.
        """
        self._require_unsynced("merged counts")
        if isinstance(incoming_state, SummedStates):
            incoming_state._require_unsynced("its local counts")
        incoming = incoming_state.metric_state if isinstance(incoming_state, Metric) else incoming_state
        if isinstance(incoming, dict):
            problems = self._problems(incoming)
            if problems:
                raise ValueError(f"merge_state: {problems[0]}")
        super().merge_state(incoming_state)
        self._computed = None
        self._update_count += incoming_state.update_count if isinstance(incoming_state, Metric) else 1

    def _sync_dist(
        self, dist_sync_fn: Callable[..., Any] = gather_all_tensors, process_group: Any | None = None
    ) -> None:
        """Sum all states over the processes by one all-reduce; a user's own ``dist_sync_fn`` goes to torchmetrics."""
        if dist_sync_fn is not gather_all_tensors:
            super()._sync_dist(dist_sync_fn, process_group)
            return
        states = self._copy_of_references()
        buffer = torch.cat([state.flatten() for state in states.values()])  # a copy: other metrics may share the states
        torch.distributed.all_reduce(buffer, group=process_group or self.process_group)
        parts = torch.split(buffer, [state.numel() for state in states.values()])
        self._set({name: part.view_as(state) for (name, state), part in zip(states.items(), parts, strict=True)})

    @contextmanager
    def sync_context(self, *args: Any, should_unsync: bool = True, **kwargs: Any) -> Generator[None, None, None]:
        """As torchmetrics', and an error inside leaves the metric unsynced, its local states as they were."""
        self.sync(*args, **kwargs)
        try:
            yield
        except BaseException:
            should_unsync = True
            raise
        finally:
            self.unsync(should_unsync=self._is_synced and should_unsync)

    def _wrap_update(self, update: Callable[..., None]) -> Callable[..., None]:
        """As torchmetrics', and an update that fails is not counted as one."""
        wrapped = super()._wrap_update(update)

        @functools.wraps(update)
        def guarded(*args: Any, **kwargs: Any) -> None:
            before = self._update_count, self._computed
            try:
                wrapped(*args, **kwargs)
            except BaseException:
                self._update_count, self._computed = before
                raise

        return uncompiled(guarded)

    def _apply(  # type: ignore[override]  # torchmetrics puts an argument between
        self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "", recurse: bool = True
    ) -> "SummedStates":
        """Move the states as ``fn`` does, and never cast them: counts stay integers, and the defaults zeros."""
        super()._apply(fn, exclude_state=[*exclude_state, *self._defaults])
        for name, default in self._defaults.items():
            assert isinstance(default, Tensor)
            self._defaults[name] = torch.zeros_like(_moved(fn, default))
            setattr(self, name, _moved(fn, getattr(self, name)))
        return self

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load the states if they are of this configuration; else say what they are, and load none."""
        found = {key[len(prefix) :]: state_dict[key] for key in list(state_dict) if key.startswith(prefix)}
        own = {name: state for name, state in found.items() if "." not in name}
        problems = self._problems(own) if own else []
        if own and self._is_synced:
            problems.append("the metric is synced and unsync would drop what is loaded: call unsync() first")
        error_msgs.extend(f"{type(self).__name__}: {problem}" for problem in problems)
        for name in self._defaults:
            state = state_dict.pop(prefix + name, None)
            if state is not None and not problems:
                setattr(self, name, state.detach().to(self.device, copy=True))
                self._computed = None
                self._update_count = max(self._update_count, 1)  # there is something to compute
        args = (local_metadata, strict, missing_keys, unexpected_keys, error_msgs)
        super()._load_from_state_dict(state_dict, prefix, *args)

    def _problems(self, states: dict[str, Any]) -> list[str]:
        """Why saved or given states do not fit; nothing if each is there and as it must be."""
        if set(states) != set(self._defaults):
            own, got = ", ".join(map(repr, self._defaults)), ", ".join(map(repr, states))
            return [f"the states are {own}, got {got}: {OTHER_CONFIGURATION}"]
        return [problem for name, state in states.items() if (problem := self._misfit(name, state))]

    def _misfit(self, name: str, state: Any) -> str | None:
        """Why a state does not fit, or None."""
        shape = tuple(getattr(self, name).shape)
        if not isinstance(state, Tensor):
            return f"state {name!r} must be a tensor, got a {type(state).__name__}"
        if state.dtype == torch.int64 and tuple(state.shape) == shape:
            return None
        got = f"{state.dtype} of shape {tuple(state.shape)}"
        return f"state {name!r} must be int64 of shape {shape}, got {got}: {OTHER_CONFIGURATION}"


def _moved(fn: Callable[[Tensor], Tensor], state: Tensor) -> Tensor:
    moved = fn(state)
    if state.is_meta and not moved.is_meta:
        return torch.zeros_like(moved, dtype=state.dtype)  # to_empty gives memory as it comes
    return moved if moved.dtype == state.dtype else state.to(moved.device)
