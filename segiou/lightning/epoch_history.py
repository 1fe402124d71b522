"""The scores of the epochs that the monitor has seen, for the curves of its report."""

import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from segiou.lightning.loggers import Result


class EpochHistory:
    """mIoU and Dice of training and validation over epochs, and of validation the IoU of each class.

    Where an epoch has several validations the last one counts. Epochs that this process did not see have no value.
    """

    def __init__(self) -> None:
        self._values: dict[str, dict[int, float]] = {}

    def note(self, result: Result, own: Mapping[str, Tensor], epoch: int) -> None:
        """Keep the scores of one epoch and one loader; ``own`` are the monitor's, by name."""
        loader = result.suffix.replace("/", " ")
        values = {f"{result.stage} {name}{loader}": float(value) for name, value in own.items()}
        if result.stage == "val":
            scores = result.table.columns["IoU"].scores
            values |= {f"IoU/{name}{loader}": each.value for name, each in zip(result.table.names, scores, strict=True)}
        for name, value in values.items():
            self._values.setdefault(name, {})[epoch] = value

    def curves(self) -> dict[str, Sequence[float]]:
        """A value for each epoch by name, nan where there was none; classes are ``IoU/<name>``."""
        epochs = 1 + max((epoch for values in self._values.values() for epoch in values), default=-1)
        return {name: [values.get(epoch, math.nan) for epoch in range(epochs)] for name, values in self._values.items()}
