"""Integer states that are summed over batches, and over processes by one all-reduce.

It keeps torchmetrics' contract where its own way would lose, cast or repeat a count. It does not know what is counted.
"""

import functools
import os
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from copy import deepcopy
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.distributed import gather_all_tensors
from torchmetrics.utilities.exceptions import TorchMetricsUserError
from typing_extensions import Unpack

from segiou.counting.torch_compile import uncompiled
from segiou.metrics.arguments import DEFAULTS, TORCHMETRICS, TorchmetricsArguments
from segiou.metrics.collectives import all_reduced, gathered
from segiou.metrics.signatures import wrong_name
from segiou.metrics.signed_metric import SignedMetric, Value

if TYPE_CHECKING:
    from typing_extensions import Self

OTHER_CONFIGURATION = (
    "it was made with other arguments (number of classes, ignore_index, task, threshold or validate_args): "
    "build the metric with the same ones"
)

# Held while states are replaced, a few microseconds, so that several threads may update one metric. It belongs to no
# metric, for a lock can be neither copied nor pickled.
_adding = threading.RLock()


def _renew_lock() -> None:
    """A forked child has none of the threads that may have held the lock."""
    global _adding
    _adding = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


class SummedStates(SignedMetric[Value]):
    """A metric whose states are int64 sums, or kept rows; a subclass says what a batch adds to them.

    Equal configurations must give equal state names and different ones different names: MetricCollection
    shares the states of metrics by them, and a checkpoint is held to them.
    """

    __jit_unused_properties__: ClassVar[list[str]] = [*Metric.__jit_unused_properties__, "key"]
    is_differentiable = False
    full_state_update = False

    _rows: dict[str, tuple[tuple[int, ...], torch.dtype]] = {}  # noqa: RUF012  # replaced, never changed
    _captured: bool = False  # by a CUDA graph, which adds to the very tensors that it has seen

    def __init__(self, **kwargs: Unpack[TorchmetricsArguments]) -> None:
        for name in kwargs.keys() - {*TORCHMETRICS}:  # handed on by a subclass that takes any **kwargs
            raise wrong_name(type(self).__name__, name, dict(kwargs)[name], {*self.call_of.names, *DEFAULTS})
        super().__init__(**kwargs)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Keep the properties of a subclass from torch.jit, which would compile them."""
        super().__init_subclass__(**kwargs)
        own = (name for name, value in vars(cls).items() if isinstance(value, property))
        cls.__jit_unused_properties__ = [*cls.__jit_unused_properties__, *own]

    @property
    def key(self) -> str:
        """The name in logs."""
        return type(self).__name__

    def clone(self) -> "Self":
        """A copy with a state of its own."""
        return deepcopy(self)

    def batch_states(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """What one batch adds to each state: a tensor, or a list of rows. Raises on bad input, and changes nothing."""
        raise NotImplementedError

    def add_rows(self, name: str, shape: tuple[int, ...], dtype: torch.dtype) -> None:
        """Add a state that keeps rows: a list of tensors ``(n, *shape)``, gathered from all processes by ``sync``."""
        self.add_state(name, [], "cat")
        self._rows = {**self._rows, name: (shape, dtype)}

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Count one batch."""
        self._require_unsynced()
        self._add(self.batch_states(*args, **kwargs))

    @torch.jit.unused
    @uncompiled
    def forward(self, *args: Any, **kwargs: Any) -> Value:
        """Count one batch and return its value alone; the batch is counted once."""
        self._require_unsynced()
        batch = self.batch_states(*args, **kwargs)
        with _adding:
            kept, updates = self._copy_of_references(), self._update_count
            try:
                self._set(batch)
                self._computed, self._update_count, self._to_sync = None, 1, self.dist_sync_on_step
                value = self.compute()
                self._forward_cache = value  # type: ignore[assignment]  # torchmetrics declares no type for it
            finally:
                self._set(kept)
                self._computed, self._update_count, self._to_sync = None, updates, self.sync_on_compute
            self._add(batch)
            self._update_count = updates + 1
        return value

    def _require_unsynced(self, what: str = "this batch") -> None:
        if self._is_synced:
            raise TorchMetricsUserError(f"the metric is synced and unsync would drop {what}: call unsync() first")

    def _copy_of_references(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self._defaults}

    def _sums(self) -> dict[str, Tensor]:
        return {name: getattr(self, name) for name in self._defaults if name not in self._rows}

    def _set(self, attributes: dict[str, Any]) -> None:
        """Set attributes that are no parameters, buffers or modules, and so cost no look-up of these in ``Module``."""
        self.__dict__.update(attributes)

    def _add(self, batch: dict[str, Any]) -> None:
        # not in place: the members of a MetricCollection share their states, and each is given every batch
        if self.device.type == "cuda" and torch.cuda.is_current_stream_capturing():
            if self._rows:
                raise RuntimeError(f"{type(self).__name__} keeps rows here and cannot be captured in a CUDA graph")
            self._captured = True
        with _adding:
            for name, added in batch.items():
                state = getattr(self, name)
                self.__dict__[name] = state.add_(added) if self._captured else state + added

    def reset(self) -> None:
        """Forget all batches."""
        sums = self._sums()
        for name in self._rows:
            setattr(self, name, [])  # torchmetrics would clear the very list, which others may share
        super().reset()
        if self._captured:
            self._set({name: state.zero_() for name, state in sums.items()})

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
        own = {name: self._stacked(name) for name in self._rows}
        if isinstance(incoming_state, dict):
            lists = {name: _listed(incoming_state[name]) for name in self._rows}
            incoming_state = {**incoming_state, **lists}
        super().merge_state(incoming_state)
        for name, rows in own.items():  # torchmetrics puts its own rows last
            setattr(self, name, [rows, *_listed(incoming[name])])
        self._computed = None
        self._update_count += incoming_state.update_count if isinstance(incoming_state, Metric) else 1

    def _sync_dist(
        self, dist_sync_fn: Callable[..., Any] = gather_all_tensors, process_group: Any | None = None
    ) -> None:
        """Sum over the processes by one all-reduce, gather rows; a user's ``dist_sync_fn`` goes to torchmetrics."""
        if dist_sync_fn is not gather_all_tensors:
            for name in self._rows:
                setattr(self, name, [self._stacked(name)])
            super()._sync_dist(dist_sync_fn, process_group)
            return
        sums, group = self._sums(), process_group or self.process_group
        self._set(dict(zip(sums, all_reduced(list(sums.values()), group), strict=True)))
        self._gather_rows(group)

    def _gather_rows(self, group: Any | None) -> None:
        for name in self._rows:
            setattr(self, name, gathered(self._stacked(name), group))

    def _stacked(self, name: str) -> Tensor:
        """The rows of a state as one tensor."""
        state = getattr(self, name)
        shape, dtype = self._rows[name]
        rows = state if isinstance(state, Tensor) else torch.cat(state) if state else None
        return torch.empty((0, *shape), dtype=dtype, device=self.device) if rows is None else rows

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
        """As torchmetrics', but an update is counted, and the cached value dropped, after it has succeeded."""

        @functools.wraps(update)
        def counted(*args: Any, **kwargs: Any) -> None:
            update(*args, **kwargs)  # what is counted is detached first, so that this needs no ``torch.no_grad``
            with _adding:
                self._set({"_computed": None, "_update_count": self._update_count + 1})
            if self.compute_on_cpu:
                self._move_list_states_to_cpu()

        return uncompiled(counted)

    def _apply(  # type: ignore[override]  # torchmetrics puts an argument between
        self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = "", recurse: bool = True
    ) -> "SummedStates":
        """Move the states as ``fn`` does, and never cast them: counts stay integers, and the defaults zeros."""
        super()._apply(fn, exclude_state=[*exclude_state, *self._defaults])
        for name, state in self._copy_of_references().items():
            default = self._defaults[name]
            if isinstance(default, Tensor):
                self._defaults[name] = torch.zeros_like(_moved(fn, default))
            setattr(self, name, _moved(fn, state) if isinstance(state, Tensor) else [_moved(fn, row) for row in state])
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
                several = [state] if isinstance(state, Tensor) else state
                copied = [part.detach().to(self.device, copy=True) for part in several]
                setattr(self, name, copied if name in self._rows else copied[0])
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
        if name in self._rows:
            shape, dtype = self._rows[name]
            fits = all(row.dtype == dtype and tuple(row.shape[1:]) == shape for row in _listed(state))
            wanted = f"tensors (n, {', '.join(map(str, shape))}) of {dtype}"
            return None if fits else f"state {name!r} must be {wanted}: {OTHER_CONFIGURATION}"
        shape = tuple(getattr(self, name).shape)
        if not isinstance(state, Tensor):
            return f"state {name!r} must be a tensor, got a {type(state).__name__}"
        if state.dtype == torch.int64 and tuple(state.shape) == shape:
            return None
        got = f"{state.dtype} of shape {tuple(state.shape)}"
        return f"state {name!r} must be int64 of shape {shape}, got {got}: {OTHER_CONFIGURATION}"


def _listed(rows: Any) -> list[Tensor]:
    return [rows] if isinstance(rows, Tensor) else list(rows)


def _moved(fn: Callable[[Tensor], Tensor], state: Tensor) -> Tensor:
    moved = fn(state)
    if state.is_meta and not moved.is_meta:
        return torch.zeros_like(moved, dtype=state.dtype)  # to_empty gives memory as it comes
    return moved if moved.dtype == state.dtype else state.to(moved.device)
