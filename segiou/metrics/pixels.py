"""What a metric that counts pixels by ``Rules`` needs beside its value: a state of counts, and one of their errors."""

from typing import Any, ClassVar

import torch
from torch import Tensor
from torchmetrics.utilities import rank_zero_warn
from typing_extensions import Unpack

from segiou.counting import Counted, Rules
from segiou.counting.inputs import NAN
from segiou.counting.value_errors import has_bad, nan_text, total_error
from segiou.metrics.arguments import TorchmetricsArguments
from segiou.metrics.given_counts import counted_or_given
from segiou.metrics.signed_metric import Value
from segiou.metrics.state import SummedStates
from segiou.metrics.syncing import synced_as_computed


class PixelMetric(SummedStates[Value]):
    """Counts pixels into one int64 tensor; a subclass says how, in ``counted``, and overrides ``value_of``.

    Args:
        rules: what counts, and as what.
        identity: a name, equal exactly where the counts of every batch are.
        shape: shape of the counts.
    """

    __jit_ignored_attributes__: ClassVar[list[str]] = ["device", "rules"]

    errors: Tensor

    def __init__(
        self, rules: Rules, identity: str, shape: tuple[int, ...], **kwargs: Unpack[TorchmetricsArguments]
    ) -> None:
        super().__init__(**kwargs)
        self.rules = rules
        self._state_name = identity
        self._warned_of_nan = False
        self.add_state(identity, torch.zeros(shape, dtype=torch.int64), "sum")
        self.add_state("errors", torch.zeros(4, dtype=torch.int64), "sum")

    def counted(self, preds: Any, target: Any) -> Counted:
        """Count one batch. Raises on bad input."""
        raise NotImplementedError

    def value_of(self, counts: Tensor) -> Value:
        """The metric's value for counts."""
        raise NotImplementedError

    @property
    def counts(self) -> Tensor:
        """The pixels counted since the last reset."""
        counts: Tensor = getattr(self, self._state_name)
        return counts

    def synced(self) -> tuple[Tensor, Tensor]:
        """The counts and their errors over all processes, by one all-reduce; the state stays local."""
        with synced_as_computed(self):
            return self.counts.clone(), self.errors.clone()

    def batch_states(self, preds: Any, target: Any) -> dict[str, Tensor]:
        """The counts of one batch, and its errors."""
        counts, errors = here(counted_or_given(self, preds, target), self.errors.device)
        return {self._state_name: counts, "errors": errors}

    def compute(self) -> Value:
        """The value over all batches since the last reset, and over all processes.

        Raises:
            ValueError: bad labels or scores that were counted on an accelerator.
        """
        self.check(self.errors)
        return self.value_of(self.counts)

    def check(self, errors: Tensor) -> None:
        """Raise for bad values that were counted, and warn of nan scores, once until ``reset``."""
        found = errors.tolist()
        if self.rules.validate_args and has_bad(found):
            raise total_error(found, self.rules)
        if found[NAN] and not self._warned_of_nan:
            rank_zero_warn(nan_text(found[NAN]), UserWarning, stacklevel=3)
            self._warned_of_nan = True

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self._warned_of_nan = False


def here(counted: Counted, device: torch.device) -> Counted:
    """Counts that are on the device of a metric. Raises ValueError where they are on another."""
    if counted.counts.device == device:
        return counted
    if counted.counts.device.type == "cpu" and not counted.counts.any():  # an empty list has no device
        return Counted(*(torch.zeros_like(part, device=device) for part in counted))
    raise ValueError(
        f"the metric must be on the device of its input, got a metric on {device} and preds and target on "
        f"{counted.counts.device}: call metric.to({str(counted.counts.device)!r}) first"
    )


def value_of_batch(metric: PixelMetric[Value], preds: Any, target: Any) -> Value:
    """The value of one batch; the metric keeps nothing of it. Raises for bad labels on every device."""
    counts, errors = metric.counted(preds, target)
    metric.check(errors)
    return metric.value_of(counts)
