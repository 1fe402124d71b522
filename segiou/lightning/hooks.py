"""The hooks of Lightning that the monitor listens to, and which of its own steps each calls."""

# ruff: noqa: D102 (the hooks are described by Lightning)

import importlib
from abc import abstractmethod
from typing import Any

from segiou.environment.installed import installed
from segiou.lightning.step_outputs import Stage


def callbacks() -> tuple[type, ...]:
    """The ``Callback`` of each installed namespace."""
    names = filter(installed, ("pytorch_lightning", "lightning.pytorch"))
    return tuple(importlib.import_module(name).Callback for name in names)


class Hooks:
    """Calls the steps of the monitor, which are those at the end, from the hooks of each stage."""

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._stop()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._finish(trainer)
        self._stop()

    def on_fit_end(self, trainer: Any, pl_module: Any) -> None:
        self._finish(trainer)

    def on_train_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._start("train", trainer, pl_module)

    def on_validation_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._start("val", trainer, pl_module)

    def on_test_epoch_start(self, trainer: Any, pl_module: Any) -> None:
        self._start("test", trainer, pl_module)

    def on_train_batch_end(self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        self._start_resumed(trainer, pl_module, batch_idx)
        self._count("train", trainer, pl_module, outputs, batch, batch_idx, 0)

    def on_validation_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._count("val", trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)

    def on_test_batch_end(
        self, trainer: Any, pl_module: Any, outputs: Any, batch: Any, batch_idx: int, dataloader_idx: int = 0
    ) -> None:
        self._count("test", trainer, pl_module, outputs, batch, batch_idx, dataloader_idx)

    def on_train_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._log("train", trainer, pl_module)
        self._publish("train", trainer)

    def on_validation_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._log("val", trainer, pl_module)

    def on_test_epoch_end(self, trainer: Any, pl_module: Any) -> None:
        self._log("test", trainer, pl_module)

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        self._publish("val", trainer)

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        self._tell(trainer, pl_module)

    # ---- the steps

    @abstractmethod
    def _start(self, stage: Stage, trainer: Any, pl_module: Any, *, resumed: bool = False) -> None:
        """Begin the epoch of a stage."""

    @abstractmethod
    def _start_resumed(self, trainer: Any, pl_module: Any, batch_idx: int) -> None:
        """Begin the training epoch at its first batch here, where it was resumed and no hook has begun it."""

    @abstractmethod
    def _count(
        self, stage: Stage, trainer: Any, module: Any, outputs: Any, batch: Any, batch_idx: int, loader: int
    ) -> None:
        """Count a batch."""

    @abstractmethod
    def _log(self, stage: Stage, trainer: Any, pl_module: Any) -> None:
        """Log the values of the epoch, on every rank."""

    @abstractmethod
    def _publish(self, stage: Stage, trainer: Any) -> None:
        """Give the loggers what they show beside."""

    @abstractmethod
    def _tell(self, trainer: Any, pl_module: Any) -> None:
        """Print the table of test, and write the report."""

    @abstractmethod
    def _finish(self, trainer: Any) -> None:
        """Show what was put off until the end of ``fit``, before Lightning closes the loggers."""

    @abstractmethod
    def _stop(self) -> None:
        """Leave the module as it was found."""
