"""Metrics of single images: what to count for each image, and by which id an image is known."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from segiou.formulas import Areas
from segiou.metric import ScoreMetric
from segiou.pixels import here
from segiou.state import SummedStates

Ids = Sequence[int | str] | Tensor
TORCHMETRICS = (
    "compute_on_cpu",
    "compute_with_cache",
    "dist_sync_fn",
    "dist_sync_on_step",
    "distributed_available_fn",
    "process_group",
    "sync_on_compute",
)


class OfImages(SummedStates):
    """A metric made of the areas of single images; ``metric`` says what is counted and how it is scored.

    Args:
        metric: a score, such as ``MeanIoU(21)``; its arguments are used, its own counts are not touched.
        kwargs: torchmetrics' own, such as ``process_group``.

    Raises:
        TypeError: ``metric`` is no metric of one score.
    """

    higher_is_better = True
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    __jit_ignored_attributes__: ClassVar[list[str]] = ["device", "_metric"]

    errors: Tensor

    def __init__(self, metric: ScoreMetric, **kwargs: Any) -> None:
        if not isinstance(metric, ScoreMetric):
            raise TypeError(
                f"{type(self).__name__} takes a metric of one score, such as MeanIoU(21), got {type(metric).__name__}"
            )
        super().__init__(**kwargs)
        self._metric = (metric,)  # in a tuple, so that its states are none of this one's
        self.add_state("errors", torch.zeros(4, dtype=torch.int64), "sum")

    @property
    def metric(self) -> ScoreMetric:
        """The metric that says what is counted and how it is scored."""
        return self._metric[0]

    @property
    def identity(self) -> str:
        """A name that is equal where the metrics are, for states that hold scores or areas of theirs."""
        return hashlib.blake2b(repr(self.metric).encode(), digest_size=8).hexdigest()

    @property
    def area_shape(self) -> tuple[int, ...]:
        """Shape of the three areas of one image: ``(3, C)``, for multilabel ``(3, L, 2)``."""
        nothing = torch.zeros(self.metric.confmat.shape, dtype=torch.int64, device="cpu")
        return (3, *self.metric.areas(nothing).target.shape)

    def areas_of_images(self, preds: Any, target: Any) -> tuple[Tensor, Tensor]:
        """The areas of N images, ``(N, 3, C)``, for multilabel ``(N, 3, L, 2)``; and the errors."""
        counts, errors = here(self.metric.counted(preds, target, per_image=True), self.errors.device)
        return torch.stack(self.metric.areas(counts), 1), errors

    def extra_repr(self) -> str:
        """The metric."""
        return repr(self.metric)

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self.metric.reset()  # it may have warned of nan scores


def areas_from(stacked: Tensor, axis: int) -> Areas:
    """Areas whose three parts lie on one axis."""
    return Areas(*stacked.unbind(axis))


def encoded(ids: Ids | None, images: int) -> bytes:
    """Ids of images, checked, as a line of JSON each; null where there is none.

    Raises:
        ValueError: another number of ids than of images.
        TypeError: an id that is no int or str.
    """
    if ids is None:
        return b"null\n" * images
    if isinstance(ids, str | bytes) or not isinstance(ids, Iterable):
        raise TypeError(f"ids must be one int or str for each image, got {ids!r}")
    listed = ids.tolist() if hasattr(ids, "tolist") else list(ids)
    listed = [listed] if not isinstance(listed, list) else listed
    wrong = [name for name in listed if not isinstance(name, int | str) or isinstance(name, bool)]
    if wrong:
        raise TypeError(
            f"ids must be one int or str for each image, got {wrong[0]!r} of type {type(wrong[0]).__name__}"
        )
    if len(listed) != images:
        raise ValueError(f"ids must be one for each image, got {len(listed)} ids and {images} images")
    return b"".join(json.dumps(name).encode() + b"\n" for name in listed)


def decoded(ids: Tensor) -> list[int | str | None]:
    """The ids of images that ``encoded`` gave as bytes."""
    lines = bytes(ids.cpu().numpy()).splitlines()
    return [json.loads(line) for line in lines]


def own_arguments(kwargs: dict[str, Any]) -> dict[str, Any]:
    """Take the arguments that are torchmetrics' own out of ``kwargs``."""
    return {name: kwargs.pop(name) for name in TORCHMETRICS if name in kwargs}
