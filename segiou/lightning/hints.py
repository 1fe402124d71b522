"""How a user's own module and batch would be named in the arguments of the monitor, for errors."""

from typing import Any

from torch import nn
from torchmetrics import Metric, MetricCollection

from segiou.lightning.batch_parts import target_of

SHOWN = 5  # submodules that an error names


def networks(module: nn.Module) -> str:
    """The names that ``model`` could have: submodules with parameters, and "" where the module has a forward."""
    return " or ".join(map(repr, _networks(module)[:SHOWN]))


def capturing(module: nn.Module, batch: Any, num_classes: Any) -> str:
    """The monitor that measures a module without a change to it."""
    classes = "" if num_classes is None else f"{num_classes!r}, "
    target = target_of(batch)
    shown = "function(batch)" if target is None else repr(target)
    return f"SegmentationMonitor({classes}model={_networks(module)[0]!r}, target={shown})"


def _networks(module: nn.Module) -> list[str]:
    children = [
        name
        for name, child in module.named_children()
        if not isinstance(child, Metric | MetricCollection) and any(True for _ in child.parameters())
    ]
    kind: Any = type(module)
    lightning: Any = next(base for base in kind.__mro__ if base.__name__ == "LightningModule")
    own_forward = [] if kind.forward is lightning.forward else [""]
    if len(children) == 1:
        return children + own_forward
    return own_forward + children or [""]
