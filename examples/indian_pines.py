"""Train a small network on a real labelled scene; ``SegmentationMonitor`` logs mIoU and Dice of every epoch.

    pip install -e ".[examples]"
    python examples/indian_pines.py                       # 20 seconds on two CPU cores
    python examples/indian_pines.py --devices 2           # the same on two processes
    python examples/indian_pines.py --evaluate last.ckpt  # only measure; --devices 2 prints the same numbers

Indian Pines is an airborne image of farmland (145 x 145 pixels, 200 spectral bands, 16 classes, half of the
pixels unlabelled) that the package tensorly carries. The scene is cut into blocks: like on a checkerboard, the
network learns from the labels of the black ones and is measured on the white ones. Both kinds are parts of the
same fields, so that the scores are higher than they would be on another scene.

Validation has 69 blocks. For two processes Lightning repeats one of them, to give each equally many, and the
monitor leaves it out again: its scores do not depend on the number of processes.
"""

import argparse
import warnings
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import pytorch_lightning as pl
import torch
import torch.nn.functional as F
from pytorch_lightning.callbacks import Callback, ModelCheckpoint
from pytorch_lightning.loggers import CSVLogger
from pytorch_lightning.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

from segiou.lightning import SegmentationMonitor

# fmt: off
CLASSES = [
    "Alfalfa", "Corn-notill", "Corn-mintill", "Corn", "Grass-pasture", "Grass-trees", "Grass-pasture-mowed",
    "Hay-windrowed", "Oats", "Soybean-notill", "Soybean-mintill", "Soybean-clean", "Wheat", "Woods",
    "Buildings-Grass-Trees-Drives", "Stone-Steel-Towers",
]
# fmt: on
UNLABELLED = 255
CHANNELS = 24  # of the 200 bands, after the principal component analysis
BLOCK = 11  # pixels; with blocks of this size every class is on both sides
MARGIN = 3  # pixels around a block that the network sees: one for each of its layers

HARMLESS = (  # warnings that have been looked into
    ".*does not have many workers.*",  # the scene is in memory, so that worker processes would only cost time
    r".*it is recommended to use `Trainer\(devices=1.*",  # the monitor leaves out the samples that were repeated
    ".*isinstance.treespec, LeafSpec.*",  # Lightning 2.6 with torch 2.13
)

Batch = tuple[Tensor, Tensor]


def load_scene() -> tuple[Tensor, Tensor]:
    """The spectra, float64 ``(145, 145, 200)``, and the labels, ``(145, 145)`` with 0 to 15 or UNLABELLED."""
    with as_file(files("tensorly") / "datasets" / "data") as folder:
        spectra = np.load(folder / "Indian_pines_corrected.npy").astype(np.float64)
        labels = np.load(folder / "Indian_pines_gt.npy").astype(np.int64)
    return torch.from_numpy(spectra), torch.from_numpy(np.where(labels == 0, UNLABELLED, labels - 1))


def principal_components(spectra: Tensor, channels: int) -> Tensor:
    """Whitened principal components, float32 ``(channels, H, W)``.

    They are fitted to the whole scene, white blocks included: that uses no label.
    """
    pixels = spectra.flatten(0, 1)
    pixels = pixels - pixels.mean(0)
    variances, axes = torch.linalg.eigh(pixels.T @ pixels / len(pixels))  # in ascending order
    variances, axes = variances[-channels:].flip(0), axes[:, -channels:].flip(1)
    # An axis may come out either way round. A checkpoint needs it to be the same on every machine.
    axes = axes * axes.gather(0, axes.abs().argmax(0, keepdim=True)).sign()
    components: Tensor = pixels @ axes / variances.sqrt()
    return components.T.reshape(channels, *spectra.shape[:2]).float()


def cut(scene: Tensor, size: int) -> Tensor:
    """Windows of ``size`` pixels, one every BLOCK pixels: ``(C, H, W)`` to ``(rows, columns, C, size, size)``."""
    windows: Tensor = scene.unfold(1, size, BLOCK).unfold(2, size, BLOCK).permute(1, 2, 0, 3, 4)
    return windows


def checkerboard(scene: Tensor, labels: Tensor) -> tuple[TensorDataset, TensorDataset]:
    """The black blocks and the white ones, those without a label left out."""
    more = -labels.shape[0] % BLOCK  # pixels that complete the last blocks
    images = cut(F.pad(scene[None], (MARGIN, MARGIN + more) * 2, mode="reflect")[0], BLOCK + 2 * MARGIN)
    targets = cut(F.pad(labels, (0, more) * 2, value=UNLABELLED)[None], BLOCK)[:, :, 0]
    rows, columns = torch.meshgrid(*map(torch.arange, targets.shape[:2]), indexing="ij")
    labelled = (targets != UNLABELLED).any(-1).any(-1)
    black, white = labelled & ((rows + columns) % 2 == 1), labelled & ((rows + columns) % 2 == 0)
    return TensorDataset(images[black], targets[black]), TensorDataset(images[white], targets[white])


class Pines(pl.LightningModule):
    """Three convolutions. What the steps return is all that the monitor needs."""

    def __init__(self, class_weights: Tensor, learning_rate: float = 3e-3) -> None:
        super().__init__()
        self.learning_rate = learning_rate
        self.register_buffer("class_weights", class_weights)
        self.net = nn.Sequential(  # no padding: each layer takes a pixel off the margin, the block remains
            nn.Conv2d(CHANNELS, 64, 3), nn.GroupNorm(8, 64), nn.ReLU(),
            nn.Conv2d(64, 64, 3), nn.GroupNorm(8, 64), nn.ReLU(),
            nn.Conv2d(64, len(CLASSES), 3),
        )  # fmt: skip

    def training_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        images, target = batch
        for axis in (-1, -2):
            if torch.rand(()) < 0.5:
                images, target = images.flip(axis), target.flip(axis)
        scores = self.net(images)
        loss = F.cross_entropy(scores, target, self.get_buffer("class_weights"), ignore_index=UNLABELLED)
        return {"loss": loss, "preds": scores, "target": target}

    def validation_step(self, batch: Batch, batch_idx: int) -> dict[str, Tensor]:
        images, target = batch
        return {"preds": self.net(images), "target": target}

    test_step = validation_step

    def configure_optimizers(self) -> OptimizerLRScheduler:
        optimizer = torch.optim.AdamW(self.parameters(), lr=self.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, self.learning_rate, total_steps=steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class PrintScores(Callback):
    """Print what the monitor has logged; stands after it in the list of callbacks."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        # Validation has run by now. All processes read the metrics, the first one prints.
        logged = trainer.callback_metrics
        scores = (f"{key} {logged[key]:.4f}" for key in ("train/mIoU", "train/Dice", "val/mIoU", "val/Dice"))
        pl_module.print(f"epoch {trainer.current_epoch:2}  " + "  ".join(scores))


def balanced(target: Tensor) -> Tensor:
    """Weights of the classes by the square root of their rarity: there are 2455 pixels of soybeans and 20 of oats."""
    pixels = torch.bincount(target[target != UNLABELLED], minlength=len(CLASSES)).clamp(min=1)
    weights = pixels.float().rsqrt()
    return weights / weights.mean()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--devices", type=int, default=1, help="number of processes, or of GPUs")
    parser.add_argument("--accelerator", default="cpu", help='"cpu" (the default), "gpu", "auto"')
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluate", type=Path, metavar="CKPT", help="measure this checkpoint, do not train")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    pl.seed_everything(args.seed)
    for harmless in HARMLESS:
        warnings.filterwarnings("ignore", harmless)

    spectra, labels = load_scene()
    black, white = checkerboard(principal_components(spectra, CHANNELS), labels)
    train = DataLoader(black, batch_size=8 // args.devices or 1, shuffle=True)
    val = DataLoader(white, batch_size=16)
    model = Pines(balanced(black.tensors[1]))

    monitor = SegmentationMonitor(num_classes=len(CLASSES), ignore_index=UNLABELLED, class_names=CLASSES)
    checkpoint = ModelCheckpoint(filename="last")
    logger = CSVLogger("logs", name="indian_pines")
    trainer = pl.Trainer(
        max_epochs=args.epochs,
        accelerator=args.accelerator,
        devices=args.devices,
        strategy="ddp" if args.devices > 1 else "auto",
        callbacks=[monitor, PrintScores(), checkpoint],
        logger=logger,
        log_every_n_steps=1,
    )
    if args.evaluate:
        model.load_state_dict(torch.load(args.evaluate, map_location="cpu", weights_only=True)["state_dict"])
    else:
        trainer.fit(model, train, val)
    trainer.test(model, val, verbose=False)  # there is no third set of labels
    scores = trainer.callback_metrics
    if trainer.is_global_zero:
        print(f"validation blocks: mIoU {scores['test/mIoU']:.8f}  Dice {scores['test/Dice']:.8f}")
        print(f"scores in {logger.log_dir}/metrics.csv, confusion matrices in {logger.log_dir}/figures")
        if checkpoint.best_model_path:
            print(f"weights in {checkpoint.best_model_path}")


if __name__ == "__main__":
    main()
