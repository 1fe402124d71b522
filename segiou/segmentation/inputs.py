"""How torchmetrics.segmentation reads masks: one-hot maps, scores and labels, as the areas of each image."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from segiou.argument_checks import flag, positive
from segiou.counting import Rules, count
from segiou.counting.eager import argmax, signed
from segiou.counting.inputs import BAD_PREDS, BAD_TARGET
from segiou.counting.tensors import tensor
from segiou.counting.torch_compile import uncompiled
from segiou.scoring.formulas import Areas, areas_of

InputFormat = Literal["one-hot", "index", "mixed"]


class ImageAreas(NamedTuple):
    """Areas ``(N, K)`` of the K scored classes of N images, the errors that were counted, and the rules of both."""

    areas: Areas
    errors: Tensor
    rules: Rules


@dataclass(frozen=True)
class Masks:
    """What preds and target are, and which of their classes are scored.

    Args:
        num_classes: C; None takes the channels of the one-hot maps.
        include_background: whether class 0 is scored; a single class always is.
        input_format: "one-hot", both ``(N, C, ...)``: integers or bool of 0 and 1 that may overlap, or floating
            scores, of which the largest counts; "index", both labels ``(N, ...)``; "mixed", one of each.
    """

    num_classes: int | None
    include_background: bool = True
    input_format: InputFormat = "one-hot"

    def __post_init__(self) -> None:
        if self.input_format not in get_args(InputFormat):
            raise ValueError(f'input_format must be "one-hot", "index" or "mixed", got {self.input_format!r}')
        if self.num_classes is None and self.input_format == "index":
            raise ValueError('num_classes must be given for input_format="index", which shows no class axis')
        if self.num_classes is not None:
            object.__setattr__(self, "num_classes", positive("num_classes", self.num_classes))
        flag("include_background", self.include_background)

    @property
    def scored(self) -> tuple[int, ...]:
        """The ids of the classes that are scored; none where their number is not known."""
        every = range(self.num_classes or 0)
        return tuple(every[self.first_of(len(every)) :])

    def first_of(self, classes: int) -> int:
        """The first class that is scored."""
        return 0 if self.include_background or classes == 1 else 1

    @property
    def identity(self) -> str:
        """A name, also a part of a Python identifier, that is equal exactly where these are."""
        classes = "any" if self.num_classes is None else self.num_classes
        return f"{classes}_{self.input_format.replace('-', '')}" + ("" if self.include_background else "_foreground")

    @uncompiled
    @torch.no_grad()
    def areas(self, preds: Any, target: Any) -> ImageAreas:
        """Count the areas of each image.

        Raises:
            ValueError: shapes that do not fit; on the CPU labels outside the classes, and one-hot maps of values
                other than 0 and 1.
            TypeError: input that is no tensor or array.
        """
        preds, target = _single("preds", preds), _single("target", target)
        classes = self._checked(preds, target)
        with_classes = self._with_classes(preds, target)
        for name, masks, has in zip(("preds", "target"), (preds, target), with_classes, strict=True):
            _require_meaning(name, masks, has)
        if with_classes[1] and target.is_floating_point():
            target, with_classes = argmax(target)[0], (with_classes[0], False)
        channels = [
            has and not masks.is_floating_point() for masks, has in zip((preds, target), with_classes, strict=True)
        ]
        if not any(channels):
            rules = Rules.of(classes)
            counted = count(preds, target, rules, per_image=True)
            areas, errors = areas_of(counted.counts), counted.errors
        else:
            rules = Rules.of(None, task="multilabel", num_labels=classes)
            areas, errors = self._overlapping(preds, target, channels, rules)
        first = self.first_of(classes)
        return ImageAreas(areas.map(lambda area: area[:, first:]), errors, rules)

    def _overlapping(self, preds: Tensor, target: Tensor, channels: list[bool], rules: Rules) -> tuple[Areas, Tensor]:
        """The areas where one of both is one-hot maps, whose channels may overlap: a binary problem for each."""
        classes = rules.num_labels or 0
        if not channels[0] and preds.is_floating_point():
            preds = argmax(preds)[0]
        wrong = {}
        if not channels[0]:
            preds, wrong[BAD_PREDS] = _one_hot(preds, classes)
        if not channels[1]:
            target, wrong[BAD_TARGET] = _one_hot(target, classes)
        counts, errors = count(preds, target, rules, per_image=True)
        for place, number in wrong.items():
            errors[place] += number
        if errors.device.type == "cpu":
            for name, place in (("preds", BAD_PREDS), ("target", BAD_TARGET)):
                if pixels := int(errors[place]):
                    raise ValueError(f"{name} labels must be 0 to {classes - 1}, got {pixels:,} pixels outside")
        return areas_of(counts).map(lambda area: area[..., 1]), errors

    def _checked(self, preds: Tensor, target: Tensor) -> int:
        """The number of classes. Raises where the shapes do not fit it, or each other."""
        shapes = f"preds of shape {tuple(preds.shape)} and target of shape {tuple(target.shape)}"
        both = preds, target
        with_classes = self._with_classes(*both)
        if self.input_format == "mixed" and not any(with_classes):
            raise ValueError(
                'input_format="mixed" takes one-hot maps or scores (N, C, ...) and labels (N, ...), got '
                f'{shapes}: pass input_format="one-hot" if both have a class axis, or "index" if none has'
            )
        least = min(masks.ndim - has for masks, has in zip(both, with_classes, strict=True))
        if least < 2 or preds.device != target.device:
            what = "on one device" if preds.device != target.device else "images (N, ...) of one axis or more"
            devices = f", on {preds.device} and {target.device}" if preds.device != target.device else ""
            raise ValueError(f"preds and target must be {what}, got {shapes}{devices}")
        sizes = [m.shape[:1] + m.shape[2:] if has else m.shape for m, has in zip(both, with_classes, strict=True)]
        numbers = {m.shape[1] for m, has in zip(both, with_classes, strict=True) if has}
        if sizes[0] != sizes[1] or len(numbers) > 1:
            raise ValueError(f"preds and target must be of the same images and classes, got {shapes}")
        if not numbers:
            return self.num_classes or 0
        (channels,) = numbers
        if self.num_classes not in (None, channels) or not channels:
            raise ValueError(
                f"one-hot maps and scores must have num_classes={self.num_classes} channels on axis 1, got {shapes}: "
                'pass input_format="index" for labels without a class axis'
            )
        return channels

    def _with_classes(self, preds: Tensor, target: Tensor) -> tuple[bool, bool]:
        """Whether preds, and target, have a class axis."""
        if self.input_format == "mixed":
            return preds.ndim == target.ndim + 1, target.ndim == preds.ndim + 1
        return (True, True) if self.input_format == "one-hot" else (False, False)


def _single(name: str, masks: Any) -> Tensor:
    if isinstance(masks, list | tuple):
        raise TypeError(
            f"{name} must be one tensor, got a {type(masks).__name__}: stack images of one size, and for images of "
            "several sizes pass the lists to segiou.ImagewiseIoU or segiou.ImagewiseDice"
        )
    return tensor(name, masks)


def _require_meaning(name: str, masks: Tensor, has: bool) -> None:
    """Raise for floating labels, and for scores of a single class, whose argmax is that class at every pixel."""
    if masks.is_floating_point() and not has:
        raise ValueError(f"{name} must hold labels of an integer dtype, got {masks.dtype}: pass {name}.long()")
    if masks.is_floating_point() and masks.shape[1] == 1:
        raise ValueError(
            f"{name} must be scores of several classes, got one channel, shape {tuple(masks.shape)}, whose largest is "
            f"always the first: pass {name} > 0.5 for probabilities of one class, or {name} > 0 for logits"
        )


def _one_hot(labels: Tensor, classes: int) -> tuple[Tensor, Tensor]:
    """Labels as one-hot maps, bool ``(N, C, ...)``, and how many are outside the classes, which are in no map."""
    values = signed(labels, classes, ())
    outside = ((values < 0) | (values >= classes)).sum()
    ids = torch.arange(classes, dtype=values.dtype, device=values.device)
    return values.unsqueeze(1) == ids.view(-1, *(1,) * (labels.ndim - 1)), outside
