"""Train a small SegFormer on a real image with the Trainer of transformers, and have it log mIoU.

    pip install -e ".[transformers]" pillow && pip install --no-deps stardist
    python examples/segformer.py
    torchrun --nproc-per-node 2 examples/segformer.py

The image shows 125 nuclei of cells by fluorescence microscopy, 512 x 512 pixels, with a hand-drawn mask of each. It is
of the 2018 Data Science Bowl (Caicedo et al. 2019, "Nucleus segmentation across imaging experiments", Nature Methods
16) and comes with the package stardist, of which only the image and its mask are read. The upper part is trained on, in
random crops, and the lower part is measured, in tiles of 64 x 64. The weights are random at the start, and nothing else
is downloaded.

A SegFormer gives logits of half the size here, a quarter of it usually. ``compute_metrics`` brings them to the size of
the labels while it counts, one batch after another. With ``--output FOLDER`` the weights of each epoch are kept, and
``--evaluate FOLDER/checkpoint-160`` prints the same scores on one process and on two.
"""

import argparse
import os
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from transformers import (
    PrinterCallback,
    SegformerConfig,
    SegformerForSemanticSegmentation,
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging

from segiou.transformers import compute_metrics

CLASSES = ["background", "nucleus", "border"]
BORDER = 2  # pixels at the border of a nucleus that are a class of their own, so that nuclei that touch come apart
TRAINED = 320  # rows
SIZE = 64


def load_scene() -> tuple[Tensor, Tensor]:
    """The image, float32 ``(1, 512, 512)``, and its labels, int64 ``(512, 512)``."""
    try:
        package = distribution("stardist")
    except PackageNotFoundError:
        raise SystemExit("the image is in the package stardist: pip install --no-deps stardist") from None
    files = (package.locate_file(f"stardist/data/images/{name}2d.tif") for name in ("img", "mask"))
    brightness, nuclei = (torch.from_numpy(np.array(Image.open(Path(str(file)))).astype(np.float32)) for file in files)
    image = (brightness / brightness.median()).log1p()  # some nuclei are ten times as bright as others
    around = {"kernel_size": 2 * BORDER + 1, "stride": 1, "padding": BORDER}
    border = F.max_pool2d(nuclei[None], **around) != -F.max_pool2d(-nuclei[None], **around)
    labels = (nuclei > 0).long() * (1 + border[0].long())
    return (image - image.mean())[None], labels


class Crops(Dataset[dict[str, Tensor]]):
    """Random crops of a scene, flipped and turned; each is made of its number."""

    def __init__(self, image: Tensor, labels: Tensor, length: int) -> None:
        self.image, self.labels, self.length = image, labels, length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng(index)
        y, x = (int(random.integers(side - SIZE + 1)) for side in self.labels.shape)
        turns, flip = int(random.integers(4)), [-1] if random.random() < 0.5 else []
        window = (..., slice(y, y + SIZE), slice(x, x + SIZE))
        parts = {"pixel_values": self.image[window], "labels": self.labels[window]}
        return {name: torch.rot90(part, turns, (-2, -1)).flip(flip) for name, part in parts.items()}


class Tiles(Dataset[dict[str, Tensor]]):
    """A scene in tiles, side by side."""

    def __init__(self, image: Tensor, labels: Tensor) -> None:
        self.images = image.unfold(1, SIZE, SIZE).unfold(2, SIZE, SIZE).flatten(1, 2).movedim(1, 0)
        self.labels = labels.unfold(0, SIZE, SIZE).unfold(1, SIZE, SIZE).flatten(0, 1)

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {"pixel_values": self.images[index], "labels": self.labels[index]}


class PrintScores(TrainerCallback):
    """Print a line for each evaluation, on the first process."""

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: dict[str, float], **kwargs: Any) -> None:
        if state.is_world_process_zero:
            epoch = f"epoch {state.epoch:.0f}  " if state.epoch else ""
            scores = "  ".join(f"{name} {metrics[f'eval_{name}']:.4f}" for name in ("mIoU", "Dice", "PixelAccuracy"))
            print(f"{epoch}{scores}", flush=True)


def small_segformer() -> SegformerForSemanticSegmentation:
    config = SegformerConfig(
        num_channels=1,
        num_labels=len(CLASSES),
        depths=[1, 1, 1, 1],
        hidden_sizes=[16, 32, 48, 64],
        strides=[2, 2, 2, 2],
        decoder_hidden_size=64,
    )
    return SegformerForSemanticSegmentation(config)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--quick", action="store_true", help="32 crops an epoch, where it has 320")
    parser.add_argument("--output", type=Path, help="folder for the weights of each epoch; none is kept without it")
    parser.add_argument("--evaluate", type=Path, metavar="CHECKPOINT", help="measure these weights, do not train")
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


def trainer_of(model: SegformerForSemanticSegmentation, args: argparse.Namespace, folder: str) -> Trainer:
    image, labels = load_scene()
    on_cpu = not torch.cuda.is_available()
    settings = TrainingArguments(
        folder,
        num_train_epochs=args.epochs,
        per_device_train_batch_size=16 // int(os.environ.get("WORLD_SIZE", 1)),
        per_device_eval_batch_size=8,
        learning_rate=3e-3,
        warmup_steps=10,
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        batch_eval_metrics=True,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_only_model=True,
        metric_for_best_model="eval_mIoU",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        seed=args.seed,
    )
    trainer = Trainer(
        model,
        settings,
        train_dataset=Crops(image[:, :TRAINED], labels[:TRAINED], 32 if args.quick else 320),
        eval_dataset=Tiles(image[:, TRAINED:], labels[TRAINED:]),
        compute_metrics=compute_metrics(len(CLASSES), class_names=CLASSES, per_class=True),
        callbacks=[PrintScores()],
    )
    trainer.remove_callback(PrinterCallback)  # it prints all that is logged
    return trainer


def print_classes(scores: dict[str, float]) -> None:
    for name in CLASSES:
        print(f"  IoU/{name:<10}  {scores[f'eval_IoU/{name}']:.4f}")


def train(trainer: Trainer, keeps: bool) -> None:
    trainer.train()
    evaluations = [entry for entry in trainer.state.log_history if "eval_mIoU" in entry]
    best = max(evaluations, key=lambda entry: entry["eval_mIoU"])
    if trainer.is_world_process_zero():
        print(f"best epoch {best['epoch']:.0f}  mIoU {best['eval_mIoU']:.4f}")
        print_classes(best)
        if keeps:
            print(f"weights in {trainer.state.best_model_checkpoint}")


def measure(trainer: Trainer) -> None:
    scores = trainer.evaluate()
    if trainer.is_world_process_zero():
        print_classes(scores)


def main() -> None:
    args = arguments()
    logging.disable_progress_bar()
    set_seed(args.seed)
    with tempfile.TemporaryDirectory() as temporary:
        folder = str(args.output or temporary)
        if args.evaluate:
            measure(trainer_of(SegformerForSemanticSegmentation.from_pretrained(args.evaluate), args, folder))
        else:
            train(trainer_of(small_segformer(), args, folder), keeps=args.output is not None)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main()
