"""What SegmentationMonitor costs: seconds of a batch and of an epoch end, with TensorBoard, least of several epochs.

    python examples/monitor_overhead.py

A batch is of 4 images of 64 x 64 with scores of 3 classes, small on purpose: what is left is not counting.
"""

import tempfile
import time
import warnings

import torch
from pytorch_lightning import Callback, LightningModule, Trainer
from pytorch_lightning.loggers import TensorBoardLogger
from torch import Tensor
from torch.utils.data import DataLoader, TensorDataset

from segiou.lightning import SegmentationMonitor

BATCHES, EPOCHS, CLASSES = 100, 6, 3


class Module(LightningModule):
    """Returns what the monitor reads, and computes nearly nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.nn.Parameter(torch.ones(()))

    def training_step(self, batch: list[Tensor], batch_idx: int) -> dict[str, Tensor]:
        """Scale the images: they are the scores."""
        scores = batch[0] * self.scale
        return {"loss": scores.mean(), "preds": scores, "target": batch[1]}

    validation_step = training_step

    def configure_optimizers(self) -> torch.optim.Optimizer:
        """Train nothing."""
        return torch.optim.SGD(self.parameters(), 0.0)


class Timed(Callback):
    """Adds up the processor time of the monitor's hooks, by hook and epoch."""

    def __init__(self, monitor: Callback) -> None:
        self.seconds: dict[str, list[float]] = {}
        for hook in ("train_batch_end", "validation_batch_end", "train_epoch_end", "validation_epoch_end", "fit_end"):
            self._time(monitor, f"on_{hook}")
        self._time(monitor, "on_validation_end")

    def _time(self, monitor: Callback, name: str) -> None:
        hook = getattr(monitor, name)

        def timed(*args: object) -> None:
            start = time.process_time()
            hook(*args)
            self.seconds.setdefault(name, []).append(time.process_time() - start)

        setattr(monitor, name, timed)


def main() -> None:
    """Print the least milliseconds of each hook, without and with samples."""
    warnings.filterwarnings("ignore")
    random = torch.Generator().manual_seed(0)
    images = torch.randn(4 * BATCHES, CLASSES, 64, 64, generator=random)
    target = torch.randint(0, CLASSES, (4 * BATCHES, 64, 64), generator=random)
    loader = DataLoader(TensorDataset(images, target), batch_size=4)
    for options in ({}, {"samples": 4}):
        monitor = SegmentationMonitor(CLASSES, **options)
        timed = Timed(monitor)
        with tempfile.TemporaryDirectory() as folder:
            quiet = {"enable_progress_bar": False, "enable_model_summary": False, "enable_checkpointing": False}
            logger = TensorBoardLogger(folder)
            quiet |= {"accelerator": "cpu", "num_sanity_val_steps": 0}
            Trainer(max_epochs=EPOCHS, logger=logger, callbacks=[monitor], **quiet).fit(Module(), loader, loader)
        print(options or "scores and figure")
        for hook, seconds in timed.seconds.items():
            print(f"  {hook} {min(seconds) * 1e3:.3f} ms, mean {sum(seconds) / len(seconds) * 1e3:.3f} ms")


if __name__ == "__main__":
    main()
