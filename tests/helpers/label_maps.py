"""Label maps at random that look like segmentations."""

import torch


def coarse(classes: int, *shape: int, patch: int = 4) -> torch.Tensor:
    """Labels in squares, with a few single pixels in between."""
    *first, height, width = shape
    small = torch.randint(classes, (*first, -(-height // patch), -(-width // patch)))
    full = small.repeat_interleave(patch, -2).repeat_interleave(patch, -1)[..., :height, :width]
    return torch.where(torch.rand(shape) < 0.01, (full + 1) % classes, full)
