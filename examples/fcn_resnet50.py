"""Mean IoU of torchvision's FCN-ResNet50 inside a LightningModule, with one metric and ``self.log``.

    pip install torchvision   # the one that matches the installed torch
    python examples/fcn_resnet50.py
    python examples/fcn_resnet50.py --weights

It shows that a torchvision segmentation model needs no glue. The model's output is a mapping that holds the
scores as "out", ``MeanIoU`` takes it as it is, and ``self.log`` makes one value an epoch of all batches.

The images and the masks are made up, and the weights are random unless ``--weights`` downloads torchvision's:
the numbers mean nothing. For your own, replace ``MadeUpScenes`` by a dataset of (image, mask) pairs.
"""

import argparse
import sys
import warnings
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version

import torch

# Before the rest, for a torchvision that does not match torch breaks the import of other packages too.
try:
    from torchvision.models.segmentation import FCN_ResNet50_Weights, fcn_resnet50
except (ImportError, RuntimeError, OSError) as error:
    try:
        problem = f"torchvision {version('torchvision')} does not load with torch {torch.__version__} ({error})"
    except PackageNotFoundError:
        problem = f"torchvision is not installed; torch is {torch.__version__}"
    sys.exit(
        f"This example needs the torchvision that matches torch, but {problem}.\n"
        "Which versions belong together: https://github.com/pytorch/vision#installation. Take both from the same\n"
        "place: a torchvision built for CUDA does not load with a torch built for the CPU alone."
    )

import pytorch_lightning as pl
import torch.nn.functional as F
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from segiou import MeanIoU

CLASSES = 21  # Pascal VOC's 20, and the background
UNLABELLED = 255  # Pascal VOC's frame around each object

Batch = tuple[Tensor, Tensor]


class MadeUpScenes(Dataset[Batch]):
    """Images of noise, ``(3, size, size)``, and masks ``(size, size)`` of large squares, some of them unlabelled."""

    def __init__(self, length: int, size: int) -> None:
        self.length, self.size = length, size

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> Batch:
        random = torch.Generator().manual_seed(index)
        image = torch.randn(3, self.size, self.size, generator=random)
        squares = torch.randint(CLASSES + 1, (1, 1, 4, 4), generator=random)
        squares[squares == CLASSES] = UNLABELLED
        mask = F.interpolate(squares.float(), size=(self.size, self.size), mode="nearest")
        return image, mask[0, 0].long()


class FCN(pl.LightningModule):
    """FCN-ResNet50 with a per-pixel cross-entropy, and its mIoU."""

    def __init__(self, weights: bool) -> None:
        super().__init__()
        # Without weights_backbone=None torchvision downloads a backbone even for random weights.
        self.model = fcn_resnet50(
            weights=FCN_ResNet50_Weights.DEFAULT if weights else None, weights_backbone=None, num_classes=CLASSES
        )
        self.miou = MeanIoU(num_classes=CLASSES, ignore_index=UNLABELLED)

    def forward(self, images: Tensor) -> Mapping[str, Tensor]:
        return self.model(images)

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        images, masks = batch
        return F.cross_entropy(self(images)["out"], masks, ignore_index=UNLABELLED)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        images, masks = batch
        self.miou.update(self(images), masks)  # the mapping, as the model returns it
        self.log("val/mIoU", self.miou, prog_bar=True)  # the object: Lightning computes and resets it each epoch

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.01, momentum=0.9)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", action="store_true", help="download torchvision's weights (135 MB)")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--images", type=int, default=8, help="how many images to make up (default: 8)")
    parser.add_argument("--size", type=int, default=128, help="their height and width (default: 128)")
    parser.add_argument("--accelerator", default="auto")
    return parser.parse_args()


def main() -> None:
    args = arguments()
    pl.seed_everything(0)
    warnings.filterwarnings("ignore", ".*does not have many workers.*")  # there is nothing to load
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")  # Lightning 2.6 with torch 2.13
    scenes = MadeUpScenes(args.images, args.size)
    trainer = pl.Trainer(
        max_epochs=args.epochs,
        accelerator=args.accelerator,
        devices=1,
        logger=False,
        enable_checkpointing=False,
    )
    trainer.fit(
        FCN(args.weights),
        train_dataloaders=DataLoader(scenes, batch_size=2, shuffle=True),
        val_dataloaders=DataLoader(scenes, batch_size=2),
    )
    print(f"val/mIoU {trainer.callback_metrics['val/mIoU']:.4f}")


if __name__ == "__main__":
    main()
