"""Measure a segmentation model with plain torch, on one process or on several, with the same result.

    python examples/plain_ddp.py
    torchrun --nproc-per-node 2 examples/plain_ddp.py

Both print the same numbers. Two things make that so. Each process takes every n-th image, and no image is
repeated to make the shares equal, as a DistributedSampler would do. And a metric keeps integer counts, which
``compute()`` sums over the processes: one all-reduce for ``MeanIoU``, one for all of ``SegmentationMetrics``.
"""

import os

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, Subset

from segiou import MeanIoU, SegmentationMetrics

CLASSES = {"water": (0.1, 0.2, 0.7), "forest": (0.1, 0.5, 0.1), "field": (0.6, 0.6, 0.2), "road": (0.4, 0.4, 0.4)}
IGNORED = 255


class Landscapes(Dataset[tuple[Tensor, Tensor]]):
    """Made-up aerial images: squares of one class in that class's colour, with noise, in a frame without labels."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        # Seeded by its index, an image is the same on whichever process makes it.
        random = torch.Generator().manual_seed(index)
        labels = torch.randint(len(CLASSES), (8, 8), generator=random)
        target = labels.repeat_interleave(8, 0).repeat_interleave(8, 1)
        image = torch.tensor(list(CLASSES.values()))[target].permute(2, 0, 1)
        image = image + 0.25 * torch.randn(image.shape, generator=random)
        return image, F.pad(target[2:-2, 2:-2], (2, 2, 2, 2), value=IGNORED)


class NearestColour(nn.Module):
    """A stand-in for a trained network: smooth, then score each class by how near its colour is."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("colours", torch.tensor(list(CLASSES.values())))

    def forward(self, images: Tensor) -> Tensor:
        smooth = F.avg_pool2d(images, 3, stride=1, padding=1)
        colours = self.get_buffer("colours")[None, :, :, None, None]
        return -(smooth[:, None] - colours).square().sum(2)  # (N, C, H, W)


@torch.inference_mode()
def evaluate(rank: int, world_size: int, device: torch.device) -> dict[str, Tensor]:
    """The scores of all seven images; each process looks at its own share only."""
    dataset = Landscapes(7)
    share = Subset(dataset, range(rank, len(dataset), world_size))  # 4 images and 3, on 2 processes
    model = NearestColour().to(device)
    miou = MeanIoU(len(CLASSES), ignore_index=IGNORED).to(device)
    metrics = SegmentationMetrics(len(CLASSES), ignore_index=IGNORED, class_names=list(CLASSES), per_class=True)
    metrics.to(device)

    for images, target in DataLoader(share, batch_size=2):
        scores, target = model(images.to(device)), target.to(device)
        miou.update(scores, target)
        metrics.update(scores, target)

    # Every process has to call compute(), for they all take part in the sum; each gets the same result.
    return {"MeanIoU": miou.compute(), **metrics.compute()}


def main() -> None:
    world_size, rank = int(os.environ.get("WORLD_SIZE", 1)), int(os.environ.get("RANK", 0))  # set by torchrun
    on_gpu = torch.cuda.device_count() >= world_size
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))) if on_gpu else torch.device("cpu")
    if world_size > 1:
        dist.init_process_group("nccl" if on_gpu else "gloo")
    scores = evaluate(rank, world_size, device)
    if rank == 0:
        for name, score in scores.items():
            print(f"{name:<22}{score.item():.6f}")
    if world_size > 1:
        dist.destroy_process_group()


if __name__ == "__main__":
    main()
