"""Values that no kernel may take for classes or scores: the errors that name them, and what to do."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from segiou.counting.inputs import BAD_PREDS, BAD_TARGET, NOT_PROBABILITY, Batch
from segiou.counting.rules import Rules


def has_bad(errors: Sequence[int]) -> bool:
    """Whether a kernel counted values that validation forbids; nan is allowed, and warned of."""
    return bool(errors[BAD_PREDS] or errors[BAD_TARGET] or errors[NOT_PROBABILITY])


def value_error(found: Sequence[Batch], errors: Sequence[int], rules: Rules) -> ValueError:
    """The error for a batch in which a kernel counted bad values; looks again to name them."""
    if errors[BAD_TARGET]:
        return _label_error("target", [_array(b.target) for b in found], rules)
    if errors[BAD_PREDS]:
        counted = [(b.preds, _counts(b.target, rules)) for b in found if b.kind == "labels"]
        return _label_error("preds", [_array(preds)[_array(kept)] for preds, kept in counted], rules)
    wide = [b.preds.double() for b in found]
    scores = [each[~each.isnan()] for each in wide if not each.isnan().all()]
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


def _array(values: Tensor) -> NDArray[Any]:
    return values.cpu().numpy()


def _label_error(name: str, labels: list[NDArray[Any]], rules: Rules) -> ValueError:
    allowed = [*range(rules.num_classes), *(rules.ignore_index if name == "target" else ())]
    pixels: Counter[int] = Counter()
    for label in labels:
        found, numbers = np.unique(label, return_counts=True)
        pixels.update(dict(zip(found.tolist(), numbers.tolist(), strict=True)))
    bad = [(int(value), number) for value, number in pixels.most_common() if int(value) not in allowed]
    shown = ", ".join(f"{value} ({_pixels(number)})" for value, number in bad[:5])
    rest = len(bad) - 5
    more = f" and {rest} other value{'' if rest == 1 else 's'}" if rest > 0 else ""
    values = [value for value, _ in bad]
    if values == [255] and rules.num_classes <= 2 and not pixels[1]:
        remedy = f"pass {name} > 0 if 255 is the foreground"
        if name == "target":
            remedy += ", or ignore_index=255 if it is unlabelled"
        if rules.num_classes == 1:
            remedy += ', with task="binary" in place of num_classes=1'
    elif rules.label_set:
        remedy = f"encode raw ids first, pass {rules.label_set}.encode({name})"
    elif name == "target":
        remedy = _target_remedy(values, rules)
    else:
        remedy = "pass validate_args=False to count such pixels as void: a miss, and no class's false alarm"
    return ValueError(f"{name} labels must be {_range(name, rules)}, got {shown}{more}: {remedy}")


def _counts(target: Tensor, rules: Rules) -> Tensor:
    """Where a target label is a class that is not ignored."""
    labels = target.long()
    kept = (labels >= 0) & (labels < rules.num_classes)
    for value in rules.ignore_index:
        kept &= labels != value
    return kept


def _target_remedy(values: list[int], rules: Rules) -> str:
    """What a target with these values outside the classes most likely needs."""
    if rules.task != "multiclass":
        return "pass ignore_index=255 to leave it out" if values == [255] else "map the labels to 0 and 1"
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
