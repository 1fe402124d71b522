"""Ways to evaluate seven samples in a loop of one's own, with the README's own code: a module, Fabric, Accelerate.

On two processes the loaders repeat a sample. Started by torchrun with a folder, where each process writes what every
way has measured.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from accelerate import Accelerator
from lightning.fabric import Fabric
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from segiou import MeanIoU
from tests.helpers.lightning_cases import samples, trainer
from tests.helpers.readme import block_with, run

CLASSES, SIZES = 21, (1, 2, 3)  # as in the README; sizes of a batch
PROCESSES = int(os.environ.get("WORLD_SIZE", 1))  # torchrun sets it


def data() -> TensorDataset:
    """Seven samples, so that one is repeated; the first, which is that one, is like no other."""
    return samples(7)


def network() -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(5)  # the same weights in every process
        return nn.Conv2d(3, CLASSES, 3, padding=1).eval()


def names(**more: Any) -> dict[str, Any]:
    """What the README's blocks have to do with, and the function that one of them defines."""
    found = {"pl": pl, "MeanIoU": MeanIoU, **more}
    run(block_with("def update("), found)
    return found


def module(counts_repeats: bool) -> pl.LightningModule:
    """The README's module, as it is or with the README's ``update`` in its step."""
    known = names()
    run(block_with("class Segmenter"), known)

    class Segmenter(known["Segmenter"]):
        """Trained in no way, for the weights to stay what they are."""

        def training_step(self, batch: Any, batch_idx: int) -> Any:
            return self.net(batch[0]).sum()

        def configure_optimizers(self) -> Any:
            return torch.optim.SGD(self.parameters(), 0.0)

    class LeavingOut(Segmenter):
        """Counts no sample that is repeated."""

        def validation_step(self, batch: Any, batch_idx: int) -> None:
            images, masks = batch
            loader, ranks = self.trainer.val_dataloaders, (self.global_rank, self.trainer.world_size)
            known["update"](self.val_miou, self.net(images), masks, batch_idx, loader, *ranks)
            self.log("val/mIoU", self.val_miou)

    return Segmenter(network()) if counts_repeats else LeavingOut(network())


def validated(size: int, counts_repeats: bool) -> float:
    runner = trainer(devices=PROCESSES)
    (logged,) = runner.validate(module(counts_repeats), DataLoader(data(), size), verbose=False)
    return logged["val/mIoU"]


def fitted(size: int, counts_repeats: bool) -> float:
    runner = trainer(devices=PROCESSES)
    runner.fit(module(counts_repeats), DataLoader(data(), size), DataLoader(data(), size))
    return float(runner.callback_metrics["val/mIoU"])


def by_fabric(size: int, counts_repeats: bool) -> float:
    fabric = Fabric(accelerator="cpu", devices=PROCESSES)
    fabric.launch()
    model, loader = fabric.setup(network()), fabric.setup_dataloaders(DataLoader(data(), size))
    metric, update = MeanIoU(CLASSES, ignore_index=255), names()["update"]
    for batch_idx, (images, masks) in enumerate(loader):
        if counts_repeats:
            metric.update(model(images), masks)
        else:
            update(metric, model(images), masks, batch_idx, loader, fabric.global_rank, fabric.world_size)
    return float(metric.compute())


def by_accelerate(size: int, counts_repeats: bool) -> float:
    accelerator = Accelerator(cpu=True)
    model, loader = accelerator.prepare(network(), DataLoader(data(), size))
    if counts_repeats:
        metric = MeanIoU(CLASSES, ignore_index=255)
        for images, masks in loader:
            metric.update(model(images), masks)
        return float(metric.compute())
    known = names(model=model, loader=loader, accelerator=accelerator)
    run(block_with("gather_for_metrics"), known)
    return float(known["miou"].compute())


WAYS = {"validate": validated, "fit": fitted, "Fabric": by_fabric, "Accelerate": by_accelerate}


def measured() -> dict[str, list[float]]:
    """For each way the values by size of a batch: first without what the README adds, then with it."""
    return {
        f"{name}{', repeats counted' if counts_repeats else ''}": [way(size, counts_repeats) for size in SIZES]
        for name, way in WAYS.items()
        for counts_repeats in (True, False)
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    found = measured()
    (Path(sys.argv[1]) / f"rank{torch.distributed.get_rank()}.json").write_text(json.dumps(found))
    torch.distributed.destroy_process_group()
