"""What a user passes, checked and brought to the forms that the kernels take.

The form of the input is decided by the number of axes and the dtype, never by its values; where the values show that
it was meant otherwise, that is an error. Errors about single labels and scores are in ``value_errors``.
"""

from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor

from segiou.counting.one_hot import is_one_hot, require_labels
from segiou.counting.rules import Rules
from segiou.counting.tensors import tensor, unwrapped

BAD_PREDS, BAD_TARGET, NAN, NOT_PROBABILITY = range(4)


class Counted(NamedTuple):
    """What a kernel gives back.

    ``counts``: int64 ``(C + 1, C + 1)``, or ``(items, C + 1, C + 1)`` where one matrix per item was asked
    for. ``errors``: int64 ``(4,)``, pixels that count and whose predicted label is outside the classes, whose
    target label is neither a class nor ignored, whose scores hold a nan, whose score is no probability.
    """

    counts: Tensor
    errors: Tensor


class Batch(NamedTuple):
    """Canonical input, and the kernel function that counts it.

    "labels": integers, ``preds`` and ``target`` of one shape. "scores": ``preds`` has the classes on axis
    1. "binary": ``preds`` are floating scores of the positive class, of the target's shape. "scores" and
    "binary" may have another spatial size than the target where ``Rules.upsample`` is set.
    """

    kind: Literal["labels", "scores", "binary"]
    preds: Tensor
    target: Tensor


def batches(preds: Any, target: Any, rules: Rules) -> Iterator[Batch]:
    """The canonical batches of one call: one, or for a list of images one per image."""
    preds = unwrapped(preds)
    if isinstance(preds, list | tuple) or isinstance(target, list | tuple):
        sizes = [_length(images) for images in (preds, target)]
        if _are_outputs(preds, target):
            raise ValueError(
                f"preds must be one tensor of scores or labels for target of shape {tuple(target.shape)}, got a "
                f"{type(preds).__name__} of {len(preds)} tensors with a batch axis each: pass the one that holds the "
                "scores, such as preds[0]"
            )
        if sizes[0] != sizes[1] or not isinstance(sizes[0], int):
            raise ValueError(f"preds and target must list as many images, got {sizes[0]} and {sizes[1]}")
        for image, labels in zip(preds, target, strict=True):
            yield _batch(tensor("preds", image).unsqueeze(0), tensor("target", labels).unsqueeze(0), rules)
    else:
        yield _batch(tensor("preds", preds), tensor("target", target), rules)


def _are_outputs(preds: Any, target: Any) -> bool:
    """Whether ``preds`` are the outputs of a model, such as several scales, beside a whole batch of labels."""
    if not isinstance(preds, list | tuple) or isinstance(target, list | tuple) or not preds:
        return False
    axes: int = target.ndim if hasattr(target, "ndim") else 0
    tensors = [output for output in preds if hasattr(output, "ndim")]
    return axes > 0 and any(output.ndim >= axes and len(output) == len(target) for output in tensors)


def _length(images: Any) -> int | str:
    """How many images a list, or a tensor or array in its place, holds; else what it is."""
    if isinstance(images, list | tuple) or len(getattr(images, "shape", ())):
        return len(images)
    return "a single number" if hasattr(images, "shape") else f"one {type(images).__name__}"


def _batch(preds: Tensor, target: Tensor, rules: Rules) -> Batch:
    if target.is_floating_point() or target.is_complex():
        raise ValueError(
            f"target must hold labels of an integer dtype or bool, got {target.dtype}: {_float_remedy(target)}"
        )
    if preds.is_complex():
        raise ValueError(f"preds must be real scores or integer labels, got {preds.dtype}")
    if preds.is_floating_point() and preds.dtype.itemsize == 1:
        preds = preds.float()  # exact, and torch has no arithmetic in 8 bits
    if preds.device != target.device:
        raise ValueError(
            f"preds and target must be on one device, got preds on {preds.device} and target on {target.device}: "
            f"pass target.to({str(preds.device)!r})"
        )
    if target.ndim == 0:
        raise ValueError(f"target must have at least one axis, got {_shapes(preds, target)}")
    if rules.task == "multilabel":
        return _multilabel(preds, target, rules)
    if rules.task == "binary":
        preds, target = _squeezed(preds, target)
    if preds.ndim == target.ndim + 1:
        return _class_scores(preds, target, rules)
    _require_same_shape(preds, target, rules)
    if not preds.is_floating_point():
        require_labels(preds, target, rules)
        return Batch("labels", preds, target)
    if rules.task == "multiclass":
        raise ValueError(
            f"floating preds need a class axis that target has not, got {_shapes(preds, target)} and {preds.dtype}: "
            + _class_axis_remedy(target, rules)
        )
    return Batch("binary", preds, target)


def _float_remedy(target: Tensor) -> str:
    if target.is_complex() or bool((target != target.round()).any()):
        return "pass target > 0.5 if it is a soft mask of one class"
    return "pass target.long() if the values are class ids"


def _class_axis_remedy(target: Tensor, rules: Rules) -> str:
    """What to do where scores have no class axis, or target has one too."""
    if rules.num_classes == 1:
        return 'for the scores of one foreground class pass task="binary" in place of num_classes=1'
    if target.ndim < 2 or target.shape[1] != rules.num_classes:
        return 'pass preds of shape (N, C, ...), or integer labels, or task="binary"'
    if is_one_hot(target):
        return "pass target.long().argmax(1) if target is one-hot"
    labels = f'task="multilabel" and num_labels={rules.num_classes}'
    return f"pass {labels} if classes may overlap, or target of shape (N, ...)"


def _squeezed(preds: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """Drop the channel axis of 1: of both, or of the one that has it where the other has not."""
    if preds.ndim == target.ndim >= 4 and preds.shape[1] == target.shape[1] == 1:
        return preds.squeeze(1), target.squeeze(1)
    if preds.ndim == target.ndim + 1 and preds.shape[1] == 1:
        return preds.squeeze(1), target
    if target.ndim == preds.ndim + 1 and target.shape[1] == 1:
        return preds, target.squeeze(1)
    return preds, target


def _class_scores(preds: Tensor, target: Tensor, rules: Rules) -> Batch:
    if preds.shape[1] != rules.num_classes:
        raise ValueError(
            f"preds must have {rules.num_classes} channels on axis 1 (num_classes={rules.num_classes}), "
            f"got {_shapes(preds, target)}: {_channels_remedy(preds, target, rules)}"
        )
    if preds.shape[:1] + preds.shape[2:] != target.shape and not _resizable(preds[:, 0], target, rules):
        raise ValueError(_misfit(preds, target) + _size_remedy(preds, target, rules))
    if rules.task == "binary" and rules.threshold != 0.5 and preds.is_floating_point():
        return Batch("binary", _positive_score(preds, rules), target)
    return Batch("scores", preds, target)


def _positive_score(preds: Tensor, rules: Rules) -> Tensor:
    """The score of channel 1 of two: its probability, or for logits the logit of its softmax."""
    if not rules.from_logits:
        return preds[:, 1]
    wide = preds.double() if preds.dtype == torch.float64 else preds.float()
    return wide[:, 1] - wide[:, 0]


def _channels_remedy(preds: Tensor, target: Tensor, rules: Rules) -> str:
    classes = rules.num_classes
    if preds.shape[0] == classes and preds.shape[1:] == target.shape:
        return "for one image pass preds[None] and target[None]"
    if preds.ndim > 2 and preds.shape[-1] == classes:
        return "pass preds.movedim(-1, 1)"
    if rules.task == "binary":
        last = preds.shape[-1] == 1
        return "pass preds.squeeze(-1)" if last else "pass the scores of the positive class alone, of target's shape"
    if preds.shape[1] == 1 and not preds.is_floating_point():
        return "pass preds.squeeze(1) if these are labels"
    if preds.shape[1] == 1:
        return 'for the scores of one foreground class pass task="binary"'
    return f"pass num_classes={preds.shape[1]} if these are all classes"


def _resizable(preds: Tensor, target: Tensor, rules: Rules) -> bool:
    """Whether score maps of another size may be brought to the target's: all but the last two axes agree."""
    if rules.upsample is None or not preds.is_floating_point() or preds.ndim != target.ndim:
        return False
    axes = 4 if rules.task == "multilabel" else 3
    full = all(preds.shape[-2:]) or not target.numel()
    return target.ndim == axes and preds.shape[:-2] == target.shape[:-2] and full


def _multilabel(preds: Tensor, target: Tensor, rules: Rules) -> Batch:
    _require_same_shape(preds, target, rules)
    if target.ndim < 2 or target.shape[1] != rules.num_labels:
        raise ValueError(
            f"preds and target must have {rules.num_labels} labels on axis 1 (num_labels={rules.num_labels}), "
            f"got {_shapes(preds, target)}"
        )
    return Batch("binary" if preds.is_floating_point() else "labels", preds, target)


_SCORES_REMEDY = (
    'pass upsample="bilinear" if floating score maps (N, C, h, w) are of another size than target (N, H, W), '
    "or resize one of them first"
)


def _require_same_shape(preds: Tensor, target: Tensor, rules: Rules) -> None:
    if preds.shape == target.shape or _resizable(preds, target, rules):
        return
    if preds.shape[0] != target.shape[0]:
        raise ValueError(_misfit(preds, target) + _size_remedy(preds, target, rules))
    channel = target.ndim > 2 and target.shape[1] == 1 and preds.ndim == target.ndim
    channel |= target.ndim > 2 and preds.shape == target.shape[:1] + target.shape[2:] and target.shape[1] == 1
    if channel and (rules.task == "multiclass" or (rules.task == "binary" and preds.shape[1] == 2)):
        raise ValueError(_misfit(preds, target) + "target must have no channel axis, pass target.squeeze(1)")
    if preds.is_floating_point() and preds.ndim == target.ndim:
        raise ValueError(_misfit(preds, target) + _size_remedy(preds, target, rules))
    raise ValueError(
        _misfit(preds, target)
        + "preds must be labels of target's shape"
        + (" or scores of it" if rules.task == "multilabel" else ", or scores of shape (N, C, ...)")
    )


def _size_remedy(preds: Tensor, target: Tensor, rules: Rules) -> str:
    """What to do where scores and target are of different sizes."""
    if preds.shape[0] != target.shape[0]:
        return f"pass the predictions of the same images, there are {preds.shape[0]} and {target.shape[0]} of them"
    return _SCORES_REMEDY


def _misfit(preds: Tensor, target: Tensor) -> str:
    return f"preds and target do not fit, got {_shapes(preds, target)}: "


def _shapes(preds: Tensor, target: Tensor) -> str:
    return f"preds of shape {tuple(preds.shape)} and target of shape {tuple(target.shape)}"
