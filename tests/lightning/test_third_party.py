"""Modules and networks of other projects, as they are."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from segiou import MeanIoU
from segiou.environment.installed import installed
from segiou.lightning import SegmentationMonitor
from tests.helpers.capture_cases import Silent
from tests.helpers.lightning_cases import CLASSES, IGNORED, close, loader, logged, monitor, trainer

pytestmark = pytest.mark.filterwarnings("ignore")  # they warn of much
TORCHGEO = pytest.mark.skipif(not installed("torchgeo"), reason="needs TorchGeo, and a torchvision that matches torch")
SMP = pytest.mark.skipif(
    not installed("segmentation_models_pytorch"),
    reason="needs segmentation_models_pytorch, and a torchvision that matches torch",
)
TRANSFORMERS = pytest.mark.skipif(not installed("transformers"), reason="needs transformers")
TORCHVISION = pytest.mark.skipif(not installed("torchvision"), reason="needs a torchvision that matches torch")
KEYS = {f"{stage}/{name}" for stage in ("train", "val", "test") for name in ("mIoU", "Dice")}


def images(number: int, *, mask: str, image: str) -> list[dict[str, torch.Tensor]]:
    random = torch.Generator().manual_seed(0)
    return [
        {
            image: torch.randn(3, 32, 32, generator=random),
            mask: torch.randint(0, CLASSES, (32, 32), generator=random),
        }
        for _ in range(number)
    ]


@TORCHGEO
def test_torchgeos_task_on_one_process():
    from tests.helpers.torchgeo_cases import expected, measured

    found = measured(devices=1)
    assert found.keys() == KEYS
    for stage in ("val", "test"):
        assert close(found, stage, expected())


@TORCHGEO
def test_torchgeos_task_on_two_processes(tmp_path):
    """Seven images do not divide by two, and each counts once."""
    from tests.helpers.torchgeo_cases import expected, measured

    root = Path(__file__).parents[2]
    settings = {key: value for key, value in os.environ.items() if key not in ("LOCAL_RANK", "WORLD_SIZE")}
    path = os.pathsep.join(filter(None, [str(root), settings.get("PYTHONPATH")]))
    done = subprocess.run(
        [sys.executable, root / "tests" / "helpers" / "torchgeo_cases.py", tmp_path],
        env={**settings, "PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"rank{rank}.json").read_text()) for rank in (0, 1)]
    alone = measured(devices=1)
    assert ranks[0].keys() == alone.keys() == KEYS
    assert ranks[0] == ranks[1]
    for stage in ("val", "test"):
        assert close(ranks[0], stage, expected())


@SMP
@pytest.mark.parametrize("head", [False, True])
def test_a_network_of_segmentation_models_pytorch(head):
    """A binary mask, in a step as in that project's examples; with a head for labels of images it gives two things."""
    import segmentation_models_pytorch as smp

    aux = {"aux_params": {"classes": 2}} if head else {}

    class Example(Silent):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.model = smp.Unet("resnet18", encoder_weights=None, classes=1, **aux)
            self.loss_fn = smp.losses.DiceLoss(smp.losses.BINARY_MODE, from_logits=True)
            self.kept: list[Any] = []

        def forward(self, image: torch.Tensor) -> Any:
            return self.model((image - image.mean()) / image.std())

        def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
            found = self(batch["image"])
            scores = found[0] if head else found
            self.kept.append((scores.detach(), batch["mask"]))
            pred = (scores.sigmoid() > 0.5).long()
            counts = smp.metrics.get_stats(pred, batch["mask"], mode="binary")
            names = dict(zip(("tp", "fp", "fn", "tn"), counts, strict=True))
            return {"loss": self.loss_fn(scores, batch["mask"]), **names}

    data = images(3, image="image", mask="mask")
    data = [{"image": sample["image"], "mask": (sample["mask"][None] > 1).long()} for sample in data]
    preds = {"preds": lambda found: found[0]} if head else {}
    ours = SegmentationMonitor(task="binary", from_logits=True, model="", target="mask", stages="val", **preds)
    model, runner = Example(), trainer(ours)
    runner.validate(model, loader(data, batch_size=2))
    right = sum(int(((scores > 0) & (mask > 0)).sum()) for scores, mask in model.kept)
    either = sum(int(((scores > 0) | (mask > 0)).sum()) for scores, mask in model.kept)
    assert logged(runner)["val/mIoU"] == pytest.approx(right / either, abs=1e-6)


@TRANSFORMERS
def test_segformer_of_transformers():
    """It gives the loss and the scores, a quarter as wide and high as the target."""
    from transformers import SegformerConfig, SegformerForSemanticSegmentation

    config = SegformerConfig(
        num_encoder_blocks=2,
        depths=[1, 1],
        sr_ratios=[2, 1],
        hidden_sizes=[8, 16],
        patch_sizes=[7, 3],
        strides=[4, 2],
        num_attention_heads=[1, 2],
        mlp_ratios=[2, 2],
        decoder_hidden_size=16,
        num_labels=CLASSES,
        semantic_loss_ignore_index=IGNORED,
    )

    class Example(Silent):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.segformer = SegformerForSemanticSegmentation(config)
            self.kept: list[Any] = []

        def step(self, stage: str, batch: Any, batch_idx: int, loader: int = 0) -> Any:
            found = self.segformer(pixel_values=batch["pixel_values"], labels=batch["labels"])
            self.kept.append((stage, found.logits.detach(), batch["labels"]))
            return found.loss

    data = images(5, image="pixel_values", mask="labels")
    model, runner = Example(), trainer(monitor(model="segformer", upsample="bilinear"))
    runner.fit(model, loader(data, batch_size=2), loader(data, batch_size=2))
    for wanted in ("train", "val"):
        alone = MeanIoU(CLASSES, ignore_index=IGNORED)
        for stage, scores, labels in model.kept:
            if stage == wanted:
                alone.update(nn.functional.interpolate(scores, (32, 32), mode="bilinear"), labels)
        assert logged(runner)[f"{wanted}/mIoU"] == float(alone.compute())


@TORCHVISION
def test_a_network_of_torchvision():
    """It gives a mapping."""
    from torchvision.models.segmentation import lraspp_mobilenet_v3_large

    class Example(Silent):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(1)
            self.net = lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=CLASSES)

        def call(self, images: torch.Tensor) -> torch.Tensor:
            return self.net(images)["out"]

    data = [tuple(sample.values()) for sample in images(4, image="image", mask="mask")]
    model, runner = Example(), trainer(monitor(model="net"))
    runner.fit(model, loader(data, batch_size=2), loader(data, batch_size=2))
    assert close(logged(runner), "train", model.naive("train"))
    assert close(logged(runner), "val", model.naive("val"))
