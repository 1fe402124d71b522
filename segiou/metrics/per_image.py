"""Metrics of single images: what to count for each image, and by which id an image is known."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor
from torchmetrics.utilities import rank_zero_warn
from typing_extensions import Unpack

from segiou.metrics.arguments import TorchmetricsArguments
from segiou.metrics.confusion_matrix import ConfusionMatrixMetric
from segiou.metrics.given_counts import counted_or_given
from segiou.metrics.pixels import here
from segiou.metrics.signed_metric import Value
from segiou.metrics.state import SummedStates
from segiou.scoring.formulas import Areas

Ids = Sequence[int | str] | Tensor


class PerImageMetric(SummedStates[Value]):
    """A metric made of the areas of single images; ``metric`` says what is counted and how it is scored.

    Args:
        metric: a metric whose value follows from areas, such as ``MeanIoU(21)``; its arguments are used, its
            own counts are not touched.

    Raises:
        TypeError: ``metric`` is none.
    """

    higher_is_better = True
    plot_lower_bound = 0.0
    plot_upper_bound = 1.0

    __jit_ignored_attributes__: ClassVar[list[str]] = ["device", "_metric"]

    errors: Tensor

    def __init__(self, metric: ConfusionMatrixMetric, **kwargs: Unpack[TorchmetricsArguments]) -> None:
        if not isinstance(metric, ConfusionMatrixMetric) or not metric.has_areas:
            raise TypeError(
                f"{type(self).__name__} takes a metric that follows from areas, such as MeanIoU(21), "
                f"got {type(metric).__name__}"
            )
        super().__init__(**kwargs)
        own = metric.clone()  # the user may go on counting with the one that was given
        own.reset()
        self._metric = (own,)  # in a tuple, so that its states are none of this one's
        self.add_state("errors", torch.zeros(metric.errors.shape, dtype=torch.int64), "sum")

    @property
    def metric(self) -> ConfusionMatrixMetric:
        """The metric that says what is counted and how it is scored."""
        return self._metric[0]

    @property
    def key(self) -> str:
        """The name in logs."""
        return self.metric.key

    @property
    def identity(self) -> str:
        """A name that is equal where the metrics are, for states that hold scores or areas of theirs."""
        text = f"{type(self.metric).__name__}({self.metric.state_text})"
        return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()

    @property
    def area_shape(self) -> tuple[int, ...]:
        """Shape of the three areas of one image: ``(3, C)``, for multilabel ``(3, L, 2)``."""
        nothing = torch.zeros(self.metric.confmat.shape, dtype=torch.int64, device="cpu")
        return (3, *self.metric.areas(nothing).target.shape)

    def areas_of_images(self, preds: Any, target: Any) -> tuple[Tensor, Tensor]:
        """The areas of N images, ``(N, 3, C)``, for multilabel ``(N, 3, L, 2)``; and the errors."""
        counts, errors = here(counted_or_given(self.metric, preds, target, per_image=True), self.errors.device)
        return torch.stack(self.metric.areas(counts), 1), errors

    def argument(self, name: str) -> Any:
        """The value of an argument, that of the inner metric where it was handed on to it."""
        return getattr(self, name) if hasattr(self, name) else self.metric.argument(name)

    def is_default(self, name: str, value: Any, default: Any) -> bool:
        """Whether ``repr`` may leave out an argument."""
        return self.metric.is_default(name, value, default)

    def reset(self) -> None:
        """Forget all batches."""
        super().reset()
        self.metric.reset()  # it may have warned of nan scores


def areas_from(stacked: Tensor, axis: int) -> Areas:
    """Areas whose three parts lie on one axis."""
    return Areas(*stacked.unbind(axis))


def checked_ids(ids: Ids, images: int) -> list[int | str]:
    """The ids of images as a list.

    Raises:
        ValueError: another number of ids than of images.
        TypeError: an id that is no int or str.
    """
    listed = ids.tolist() if hasattr(ids, "tolist") else list(ids) if isinstance(ids, Iterable) else ids
    if isinstance(ids, str | bytes | set) or not isinstance(listed, list):
        raise TypeError(f"ids must be one int or str for each image, in their order, got {ids!r}")
    listed = [int(name) if isinstance(name, np.integer) else name for name in listed]
    wrong = [name for name in listed if not isinstance(name, int | str) or isinstance(name, bool)]
    if wrong:
        raise TypeError(
            f"ids must be one int or str for each image, got {wrong[0]!r} of type {type(wrong[0]).__name__}"
        )
    if len(listed) != images:
        raise ValueError(f"ids must be one for each image, got {len(listed)} ids and {images} images")
    return listed


def encoded(ids: Ids | None, images: int) -> bytes:
    """Ids of images, checked, as a line of JSON each; null where there is none."""
    listed = [None] * images if ids is None else checked_ids(ids, images)
    return b"".join(json.dumps(name).encode() + b"\n" for name in listed)


def decoded(ids: Tensor) -> list[int | str | None]:
    """The ids of images that ``encoded`` gave as bytes."""
    lines = bytes(ids.cpu().numpy()).splitlines()
    return [json.loads(line) for line in lines]


def first_of_each_id(ids: list[int | str | None], areas: Tensor) -> tuple[list[int | str | None], Tensor]:
    """Ids and areas without the images whose id came before; a warning where such an image has other areas."""
    first: dict[int | str, int] = {}
    keep = [i for i, name in enumerate(ids) if name is None or first.setdefault(name, i) == i]
    again = [(i, first[name]) for i, name in enumerate(ids) if name is not None and first[name] != i]
    if again:
        places, firsts = zip(*again, strict=True)
        differ = (areas[list(places)] != areas[list(firsts)]).flatten(1).any(1)
        if differ.any():
            named = ids[places[int(differ.nonzero()[0])]]
            rank_zero_warn(
                f"{int(differ.sum())} images came again under an id that was seen before, with other pixels, and "
                f"only the first counts, for example {named!r}: call reset() between epochs, and give each image "
                "an id of its own",
                UserWarning,
            )
    return [ids[i] for i in keep], areas[keep]
