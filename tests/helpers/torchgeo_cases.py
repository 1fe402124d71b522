"""TorchGeo's SemanticSegmentationTask on random images, on one process or two, and the naive values.

As a script: ``torchgeo_cases.py FOLDER`` runs on two processes; each writes ``rank<r>.json``.
"""

import json
import sys
import warnings
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning.pytorch
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch.utils.data import DataLoader, Dataset
from torchgeo.trainers import SemanticSegmentationTask

from segiou.lightning import SegmentationMonitor
from tests.helpers.lightning_cases import naive

CLASSES = 4  # as the naive loop has them
IMAGES = 7


class Images(Dataset[dict[str, torch.Tensor]]):
    """Batches as TorchGeo's data sets give them."""

    def __len__(self) -> int:
        return IMAGES

    def __getitem__(self, index: int) -> dict[str, torch.Tensor]:
        random = torch.Generator().manual_seed(index)
        image = torch.randn(3, 32, 32, generator=random)
        return {"image": image, "mask": torch.randint(0, CLASSES, (32, 32), generator=random)}


def task() -> SemanticSegmentationTask:
    """The task as it is, with a small network and without a learning rate."""
    torch.manual_seed(3)
    return SemanticSegmentationTask(
        model="fcn", in_channels=3, task="multiclass", num_classes=CLASSES, num_filters=4, lr=0.0
    )


def measured(**options: Any) -> dict[str, float]:
    """What the monitor logs in a training with validation, and in a test."""
    quiet = {"accelerator": "cpu", "logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    trainer = lightning.pytorch.Trainer(
        callbacks=[SegmentationMonitor(CLASSES, model="", target="mask")],
        max_epochs=1,
        num_sanity_val_steps=1,
        enable_model_summary=False,
        **quiet,
        **options,
    )
    module, loader = task(), DataLoader(Images(), batch_size=2)
    trainer.fit(module, loader, loader)
    found = {key: float(value) for key, value in trainer.callback_metrics.items()}
    trainer.test(module, loader, verbose=False)
    found |= {key: float(value) for key, value in trainer.callback_metrics.items()}
    return {key: value for key, value in found.items() if "/" in key}


def expected() -> dict[str, float]:
    """The values of the task's network over all images, each once, counted pixel by pixel."""
    module = task().eval()
    with torch.no_grad():
        samples = map(Images().__getitem__, range(IMAGES))
        return naive((module(sample["image"][None]), sample["mask"]) for sample in samples)


def main(folder: Path) -> None:
    """Run on two processes."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    strategy = DDPStrategy(process_group_backend="gloo", timeout=timedelta(seconds=120))
    logged = measured(devices=2, strategy=strategy)
    (folder / f"rank{torch.distributed.get_rank()}.json").write_text(json.dumps(logged))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
