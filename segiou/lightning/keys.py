"""The keys that a monitor logs under, and what else on the trainer logs under them."""

from collections.abc import Mapping, Set
from typing import Any

from torch import Tensor
from torchmetrics.utilities import rank_zero_warn


class LoggedKeys:
    """Forms the keys of one monitor, and finds values under them that are not the monitor's.

    Args:
        prefix: what each key begins with.
        stages: the stages that are measured.
        names: the names that values are logged under in each stage.

    Raises:
        TypeError: a prefix that is no string.
    """

    def __init__(self, prefix: str, stages: tuple[str, ...], names: Set[str]) -> None:
        if not isinstance(prefix, str):
            raise TypeError(f'prefix must be a string, such as "coarse/", got {prefix!r}')
        self.prefix = prefix
        self._all = {self.key(stage, name) for stage in stages for name in names}
        self._logged: dict[str, float] = {}

    def key(self, stage: str, name: str, suffix: str = "") -> str:
        """The key of a value."""
        return f"{self.prefix}{stage}/{name}{suffix}"

    def require_different(self, other: "LoggedKeys") -> None:
        """Raise ValueError where another monitor logs under a key of this one: Lightning would average the two."""
        both = sorted(self._all & other._all)
        if both:
            raise ValueError(
                f"two SegmentationMonitors of one trainer would both log {both[0]}: give one of them a prefix, such as "
                'prefix="coarse/", or other stages'
            )

    def log(self, key: str, value: Tensor, module: Any, *, prog_bar: bool) -> None:
        """Log a value that is final and equal on every rank."""
        module.log(
            key,
            value,
            prog_bar=prog_bar,
            on_step=False,
            on_epoch=True,
            sync_dist=True,  # with rank_zero_only: do not reduce it and do not warn
            rank_zero_only=True,
            add_dataloader_idx=False,
            batch_size=1,
        )
        self._logged[key] = float(value)

    def warn_of_twin(self, key: str, metrics: Mapping[str, Tensor]) -> None:
        """Say so if the module logs a key of ours: Lightning would average or replace without a word."""
        if key not in metrics:
            return
        value, ours = float(metrics[key]), self._logged.get(key)
        if ours is None or not (value == ours or (value != value and ours != ours)):
            self._logged[key] = value
            rank_zero_warn(
                f"{key} is logged by SegmentationMonitor and by something else as well, and Lightning mixes the two: "
                'log one of them under another name, or give the monitor a prefix, such as prefix="pixels/"',
                UserWarning,
            )
