"""A tiny segmentation module, tiny data, and the naive values that the monitor's are held to."""

from typing import Any

import lightning.pytorch
import pytest
import pytorch_lightning
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset

from segiou.lightning import SegmentationMonitor
from tests.helpers import oracle

CLASSES, IGNORED = 4, 255
NAMES = ("ground", "road", "[tree]", ":car:")  # of which rich would eat the last two
PIXELS = 6 * 5  # of one sample
OF_LIGHTNING = [  # what Lightning and torch warn of themselves
    pytest.mark.filterwarnings(f"ignore:{text}")
    for text in (
        r".*isinstance\(treespec, LeafSpec\)",
        ".*does not have many workers",
    )
]
PACKAGES = [pytorch_lightning, lightning.pytorch]


def samples(number: int, seed: int = 0) -> TensorDataset:
    """Images, and targets with ignored pixels; the later samples have other classes than the first."""
    random = torch.Generator().manual_seed(seed)
    images = torch.randn(number, 3, 6, 5, generator=random)
    target = torch.randint(0, CLASSES, (number, 6, 5), generator=random)
    target = torch.minimum(target, torch.arange(number).view(-1, 1, 1))
    target[torch.rand(target.shape, generator=random) < 0.1] = IGNORED
    return TensorDataset(images, target)


def loader(data: int | Dataset[Any] = 7, batch_size: int = 3, **options: Any) -> DataLoader[Any]:
    return DataLoader(samples(data) if isinstance(data, int) else data, batch_size, **options)


class Steps:
    """What the module does, for the ``LightningModule`` of either package; it keeps what every batch has given."""

    def __init__(self, lr: float = 0.0, seed: int = 5) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)  # the same weights in every process
            self.net = nn.Conv2d(3, CLASSES, 3, padding=1)
        self.lr = lr
        self.seen: dict[tuple[str, int], dict[int, tuple[Any, Any]]] = {}

    def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
        images, target = batch
        scores = self.net(images)
        self.seen.setdefault((stage, loader), {})[batch_idx] = scores.detach(), target
        loss = nn.functional.cross_entropy(scores.float(), target, ignore_index=IGNORED)
        return {"loss": loss, "preds": scores, "target": target}

    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.step("train", batch, batch_idx)

    def validation_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        return self.step("val", batch, batch_idx, dataloader_idx)

    def test_step(self, batch: Any, batch_idx: int, dataloader_idx: int = 0) -> Any:
        return self.step("test", batch, batch_idx, dataloader_idx)

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.lr)

    def naive(self, stage: str, loader: int = 0) -> dict[str, float]:
        """The values over all batches of the latest epoch."""
        return naive(self.seen[stage, loader].values())


class Tiny(Steps, pytorch_lightning.LightningModule):
    """The module that most tests train."""


class TinyOfLightning(Steps, lightning.pytorch.LightningModule):
    """The same for the other package."""


def naive(batches: Any) -> dict[str, float]:
    """mIoU and Dice over all pixels of the batches, one by one."""
    batches = list(batches)
    preds = [label for scores, _ in batches for label in oracle.argmax(scores)]
    target = [label for _, labels in batches for label in oracle.pixels(labels)]
    counts = oracle.matrix(preds, target, CLASSES, (IGNORED,))
    return {"mIoU": oracle.macro(oracle.iou, counts), "Dice": oracle.macro(oracle.dice, counts)}


def naive_of(module: Steps, data: Dataset[Any]) -> dict[str, float]:
    """The values of a module over a data set, sample by sample, without Lightning."""
    with torch.no_grad():
        return naive([(module.net(image[None]), target) for image, target in data])


def trainer(*callbacks: Any, package: Any = pytorch_lightning, **options: Any) -> Any:
    """A trainer without noise."""
    quiet = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "log_every_n_steps": 1,
        "num_sanity_val_steps": 0,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return package.Trainer(callbacks=list(callbacks), **{**quiet, **options})


def logged(trainer: Any) -> dict[str, float]:
    """What the callbacks of a trainer can read, losses of the trainer's own aside."""
    return {key: float(value) for key, value in trainer.callback_metrics.items()}


def close(got: dict[str, float], stage: str, expected: dict[str, float], suffix: str = "") -> bool:
    """Whether the logged values are the expected ones, up to the rounding to float32."""
    return all(abs(got[f"{stage}/{key}{suffix}"] - value) < 1e-6 for key, value in expected.items())


def monitor(**options: Any) -> SegmentationMonitor:
    """The monitor of these cases."""
    return SegmentationMonitor(CLASSES, ignore_index=IGNORED, **options)
