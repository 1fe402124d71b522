"""A metric that shows its arguments: in ``help``, in its ``repr``, in errors, and the type of its value to checkers."""

import math
from inspect import Parameter
from typing import TYPE_CHECKING, Any, Generic

from torchmetrics import Metric
from typing_extensions import TypeVar

from segiou.metrics.arguments import DEFAULTS
from segiou.metrics.signatures import Signed

Value = TypeVar("Value", default=Any)

# Their values are functions and groups of processes, which no text builds again.
NOT_SHOWN = frozenset({"process_group", "dist_sync_fn", "distributed_available_fn"})


class SignedMetric(Signed, Metric, Generic[Value]):
    """A metric whose class knows its arguments; ``Value`` is the type that ``compute`` and ``forward`` return."""

    if TYPE_CHECKING:

        def __call__(self, *args: Any, **kwargs: Any) -> Value:
            """Count one batch and return its value."""

        def compute(self) -> Value:
            """The value over all batches and processes."""

    def __getnewargs__(self) -> tuple[()]:
        """Nothing: a copy and a pickle are made without calling ``__init__``."""
        return ()

    def argument(self, name: str) -> Any:
        """The value of an argument that the metric was made with: the attribute of that name.

        A class that keeps an argument elsewhere overrides this. ``repr`` shows what it returns.

        Raises:
            AttributeError: it was not kept.
        """
        return getattr(self, name)

    def is_default(self, name: str, value: Any, default: Any) -> bool:
        """Whether ``repr`` may leave out an argument of this value."""
        return type(value) is type(default) and bool(value == default)

    def extra_repr(self) -> str:
        """The arguments that are not the default: ``eval(repr(metric))`` builds an equal metric."""
        return ", ".join(
            _written(value) if isinstance(value, Metric) else f"{name}={_written(value)}"
            for name, value in self.given_arguments().items()
        )

    def given_arguments(self) -> dict[str, Any]:
        """The arguments that are not the default, by name; those that no text could build again are left out."""
        found: dict[str, Any] = {}
        for name, parameter in self.call_of.signature.parameters.items():
            if name in NOT_SHOWN or parameter.kind is Parameter.VAR_KEYWORD or not _kept(self, name):
                continue
            value = self.argument(name)
            if not self.is_default(name, value, parameter.default):
                found[name] = value
        shared = list(DEFAULTS)  # which come after what is counted, and before what only this metric has
        place = {"metric": -2, "num_classes": -1, **{name: index for index, name in enumerate(shared)}}
        return {name: found[name] for name in sorted(found, key=lambda name: place.get(name, len(shared)))}


def _kept(metric: SignedMetric[Any], name: str) -> bool:
    try:
        metric.argument(name)
    except AttributeError:
        return False
    return True


def _written(value: Any) -> str:
    """A value as Python source."""
    if isinstance(value, float) and not math.isfinite(value):
        return f"float({str(value)!r})"
    return repr(value)
