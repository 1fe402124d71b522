"""What a user passes, checked and brought to the forms that the kernels take.

The form of the input is decided by the number of axes and the dtype, never by its values. Every error
message about input is in this file.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from segiou.counting.rules import Rules

BAD_PREDS, BAD_TARGET, NAN, NOT_PROBABILITY = range(4)


class Counted(NamedTuple):
    """What a kernel gives back.

    ``counts``: int64 ``(C + 1, C + 1)``, or ``(items, C + 1, C + 1)`` where one matrix per item was asked
    for. ``errors``: int64 ``(4,)``, pixels whose predicted label is outside the classes, whose target
    label is neither a class nor ignored, whose scores hold a nan, whose score is no probability.
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
        sizes = [len(images) if getattr(images, "ndim", 1) else "a single number" for images in (preds, target)]
        if sizes[0] != sizes[1]:
            raise ValueError(f"preds and target must list as many images, got {sizes[0]} and {sizes[1]}")
        for image, labels in zip(preds, target, strict=True):
            yield _batch(tensor("preds", image).unsqueeze(0), tensor("target", labels).unsqueeze(0), rules)
    else:
        yield _batch(tensor("preds", preds), tensor("target", target), rules)


def unwrapped(preds: Any) -> Any:
    """Unwrap a model's output: ``out`` as in torchvision, ``logits`` as in transformers."""
    if isinstance(preds, Tensor | np.ndarray | list) or type(preds) is tuple:
        return preds
    for name in ("out", "logits"):
        if isinstance(preds, Mapping) and name in preds:
            return preds[name]
        if hasattr(preds, name):
            return getattr(preds, name)
    held = f"keys {sorted(map(str, preds))}" if isinstance(preds, Mapping) else f"a {type(preds).__name__}"
    raise TypeError(
        f'preds must be a tensor, an array, a list of them, or hold the scores as "out" or "logits", got {held}'
    )


def tensor(name: str, value: Any) -> Tensor:
    """A tensor that shares the memory of ``value`` where it can."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.is_nested:
            raise TypeError(
                f"{name} must be a dense tensor, got layout {value.layout}: pass {name}.to_dense() or a list"
            )
        return value.detach().resolve_neg()
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: pass {name}.filled(value) and ignore_index=value")
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a tensor, a numpy array or a list of them, got a {type(value).__name__}")
    plain = value.flags.writeable and value.dtype.isnative and min(value.strides, default=0) >= 0
    if not plain or any(stride % value.itemsize for stride in value.strides):
        value = value.astype(value.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(value)
    except TypeError:
        raise TypeError(f"{name} must be an array of numbers, got dtype {value.dtype}") from None


def _batch(preds: Tensor, target: Tensor, rules: Rules) -> Batch:
    if target.is_floating_point() or target.is_complex():
        raise ValueError(
            f"target must hold labels of an integer dtype or bool, got {target.dtype}: "
            "pass target.long() if the values are class ids"
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
        return Batch("labels", preds, target)
    if rules.task == "multiclass":
        one_hot = target.ndim > 1 and target.shape[1] == rules.num_classes
        remedy = 'pass preds of shape (N, C, ...), or integer labels, or task="binary"'
        raise ValueError(
            f"floating preds need a class axis that target has not, got {_shapes(preds, target)} and {preds.dtype}: "
            + ("pass target.argmax(1) if target is one-hot" if one_hot else remedy)
        )
    return Batch("binary", preds, target)


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
        raise ValueError(_misfit(preds, target) + _SCORES_REMEDY)
    return Batch("scores", preds, target)


def _channels_remedy(preds: Tensor, target: Tensor, rules: Rules) -> str:
    classes = rules.num_classes
    if preds.shape[0] == classes and preds.shape[1:] == target.shape:
        return "for one image pass preds[None] and target[None]"
    if preds.ndim > 2 and preds.shape[-1] == classes:
        return "pass preds.movedim(-1, 1)"
    if rules.task == "binary":
        last = preds.shape[-1] == 1
        return "pass preds.squeeze(-1)" if last else "pass the scores of the positive class alone, of target's shape"
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
    channel = target.ndim > 2 and target.shape[1] == 1 and preds.ndim == target.ndim
    if channel and (rules.task == "multiclass" or (rules.task == "binary" and preds.shape[1] == 2)):
        raise ValueError(_misfit(preds, target) + "target must have no channel axis, pass target.squeeze(1)")
    if preds.is_floating_point() and preds.ndim == target.ndim:
        raise ValueError(_misfit(preds, target) + _SCORES_REMEDY)
    raise ValueError(
        _misfit(preds, target)
        + "preds must be labels of target's shape"
        + (" or scores of it" if rules.task == "multilabel" else ", or scores of shape (N, C, ...)")
    )


def _misfit(preds: Tensor, target: Tensor) -> str:
    return f"preds and target do not fit, got {_shapes(preds, target)}: "


def _shapes(preds: Tensor, target: Tensor) -> str:
    return f"preds of shape {tuple(preds.shape)} and target of shape {tuple(target.shape)}"


def has_bad(errors: Sequence[int]) -> bool:
    """Whether a kernel counted values that validation forbids; nan is allowed, and warned of."""
    return bool(errors[BAD_PREDS] or errors[BAD_TARGET] or errors[NOT_PROBABILITY])


def value_error(found: Sequence[Batch], errors: Sequence[int], rules: Rules) -> ValueError:
    """The error for a batch in which a kernel counted bad values; looks again to name them."""
    if errors[BAD_TARGET]:
        return _label_error("target", [b.target for b in found], rules)
    if errors[BAD_PREDS]:
        return _label_error("preds", [b.preds for b in found if b.kind == "labels"], rules)
    scores = [b.preds[~b.preds.isnan()] for b in found if not b.preds.isnan().all()]
    low, high = min(float(s.min()) for s in scores), max(float(s.max()) for s in scores)
    return ValueError(
        NOT_PROBABILITY_TEXT.format(pixels=_pixels(errors[NOT_PROBABILITY]), seen=f", from {low:g} to {high:g}")
    )


def total_error(errors: Sequence[int], rules: Rules) -> ValueError:
    """The error for bad values that an accelerator has only counted."""
    if errors[BAD_TARGET] or errors[BAD_PREDS]:
        return ValueError(
            f"labels must be {_range('target', rules)}, got {_pixels(errors[BAD_TARGET])} of target and "
            f"{_pixels(errors[BAD_PREDS])} of preds outside since the last reset, over all processes: "
            "pass ignore_index for target values to leave out, or validate_args=False"
        )
    return ValueError(
        NOT_PROBABILITY_TEXT.format(pixels=_pixels(errors[NOT_PROBABILITY]), seen=" since the last reset")
    )


NOT_PROBABILITY_TEXT = (
    "scores must be probabilities between 0 and 1, got {pixels} outside{seen}: "
    "pass from_logits=True for logits, or validate_args=False to take them as they are"
)
NAN_TEXT = "{pixels} had nan among their scores; a nan wins the argmax, and in a binary score it is negative"


def nan_text(pixels: int) -> str:
    """The warning about pixels whose scores hold a nan."""
    return NAN_TEXT.format(pixels=_pixels(pixels))


def _label_error(name: str, labels: list[Tensor], rules: Rules) -> ValueError:
    allowed = [*range(rules.num_classes), *(rules.ignore_index if name == "target" else ())]
    pixels: Counter[int] = Counter()
    for label in labels:
        found, numbers = np.unique(label.cpu().numpy(), return_counts=True)
        pixels.update(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
    bad = [(int(value), number) for value, number in pixels.most_common() if int(value) not in allowed]
    shown = ", ".join(f"{value} ({_pixels(number)})" for value, number in bad[:5])
    rest = len(bad) - 5
    more = f" and {rest} other value{'' if rest == 1 else 's'}" if rest > 0 else ""
    remedy = "pass validate_args=False to count such pixels as void: a miss, and no class's false alarm"
    if name == "target":
        remedy = _target_remedy([value for value, _ in bad], rules)
    return ValueError(f"{name} labels must be {_range(name, rules)}, got {shown}{more}: {remedy}")


def _target_remedy(values: list[int], rules: Rules) -> str:
    """What a target with these values outside the classes most likely needs."""
    if rules.task != "multiclass":
        if values == [255]:
            return "pass target > 0 if 255 is the foreground, or ignore_index=255 if it is unlabelled"
        return "map the labels to 0 and 1"
    if rules.num_classes == 1:
        return 'for one foreground class pass task="binary" in place of num_classes=1'
    if len(values) == 1 and (values[0] < 0 or values[0] == 255):
        ignore = [*rules.ignore_index, *values]
        leave = f"pass ignore_index={ignore[0] if len(ignore) == 1 else ignore} to leave them out"
    else:
        more = f"num_classes={max(values) + 1}, " if 0 < max(values) < 2**16 else ""
        leave = f"pass {more}labels that are mapped to the classes, or ignore_index for values to leave out"
    return f"{leave}, or validate_args=False to leave out all outside"


def _range(name: str, rules: Rules) -> str:
    ignored = rules.ignore_index if name == "target" else ()
    return f"0 to {rules.num_classes - 1}" + "".join(f" or {value}" for value in ignored)


def _pixels(number: int) -> str:
    return f"{number:,} pixel{'' if number == 1 else 's'}"
