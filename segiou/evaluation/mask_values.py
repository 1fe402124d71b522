"""What the values in mask files mean, and the counts of a prediction and its label.

Values are counted as they are stored, and the counts are translated, not the pixels: a table of 256 x 256 counts
is small beside an image. Only values that do not fit into 8 bits are translated first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
import torch
from torch import Tensor

from segiou.counting import Rules, count
from segiou.evaluation.masks import Array, Mask, MaskError
from segiou.evaluation.remedies import Remedies
from segiou.labels import LabelSet
from segiou.labels.checks import KEYS
from segiou.labels.lookup_tables import as_tensor, look_up, narrow, packed, unpacked

BYTE = 256
OF_BYTES = Rules.of(BYTE - 1, validate_args=False)  # 255 counts as no class: numbers of 8 bits are counted faster


@dataclass(frozen=True)
class Coding:
    """What the values in one kind of files mean.

    Args:
        num_classes: C.
        table: the class id of each value, C for values of no class: ignored in a label, void in a prediction.
        rule: what an error says that values must be.
        remedies: what it says to do.
        colours: the set whose palette colour images are of, or None.
        missing: whether pixels without a number (NaN) are of no class; they are an error where not.
    """

    num_classes: int
    table: Mapping[int, int]
    rule: str
    remedies: Remedies
    colours: LabelSet | None = None
    missing: bool = False

    @classmethod
    def of(
        cls,
        classes: int | LabelSet,
        ignore_index: Iterable[int] = (),
        *,
        of_label: bool = True,
        class_ids: bool = False,
        reduce_zero_label: bool = False,
        ids: Mapping[int, int] | None = None,
        missing: bool = False,
    ) -> "Coding":
        """The coding of label files, or of predictions.

        Args:
            classes: the number of classes, or the set whose raw ids the files hold.
            ignore_index: values of labels that are ignored, beside those of the set. A prediction may hold them too:
                where they are no class, it is then of none.
            of_label: whether the files are labels.
            class_ids: the files hold class ids and ignored values, not the raw ids of the set.
            reduce_zero_label: 0 is ignored, and k is class k - 1.
            ids: the class id of each value; None where values are class ids.
            missing: whether pixels without a number (NaN) are ignored.

        Raises:
            ValueError: ``reduce_zero_label`` with a set, or an ignored value out of range.
        """
        ignored = tuple(ignore_index)
        if not all(value in KEYS for value in ignored):
            raise ValueError(f"ignored values must be between {KEYS[0]} and {KEYS[-1]}, got {ignored}")
        labels = classes if isinstance(classes, LabelSet) else None
        size = classes if isinstance(classes, int) else classes.num_classes
        if labels is not None and reduce_zero_label:
            raise ValueError(f"{labels.name!r} says itself whether 0 is ignored: leave --reduce-zero-label out")
        table, rule = _of_set(labels, class_ids) if labels else _of_numbers(size, ids, reduce_zero_label)
        rule += "" if labels else "".join(f" or {value}" for value in ignored)
        for value in ignored:
            table[value] = size if of_label else table.get(value, size)
        return cls(size, table, rule, Remedies(classes, of_label, class_ids, ids), labels, missing)

    def classes(self, mask: Mask) -> Tensor:
        """The classes of a mask's pixels: ids, C for pixels of none; uint8 where they fit, else int64.

        Raises:
            MaskError: values or colours that mean nothing here.
        """
        dtype = narrow([self.num_classes])
        try:
            if mask.colours:
                return self._of_colours(mask).to(dtype)
            if mask.missing is None:
                values = as_tensor("values", mask.values)
                remedy = partial(self.remedies.of_values, mask, self.table)
                return look_up(values, self.table, dtype, None, self.rule, remedy)
            if not self.missing:
                raise ValueError(self.remedies.of_missing(mask))
            rest = replace(mask, values=np.where(mask.missing, next(iter(self.table)), mask.values), missing=None)
            return self.classes(rest).masked_fill(torch.from_numpy(mask.missing), self.num_classes)
        except MaskError:
            raise
        except ValueError as error:
            raise MaskError(mask.path, str(error)) from error

    def labels_of(self, mask: Mask) -> Mask:
        """The mask with grey colours (R = G = B) as the labels that they are, unless the palette has them.

        Raises:
            MaskError: greys that mean one thing as colours of the palette and another as labels.
        """
        if not mask.colours or not _is_grey(mask.values):
            return mask
        labels = replace(mask, values=np.ascontiguousarray(mask.values[..., 0]), colours=False)
        if self.colours is None or self.colours.palette is None:
            return labels
        greys = np.unique(labels.values).tolist()
        as_colours = {grey: self._colour_table.get(packed(grey, grey, grey)) for grey in greys}
        as_labels = {grey: self.table.get(grey) for grey in greys}
        if None in as_colours.values():
            return mask if None in as_labels.values() else labels
        if None not in as_labels.values() and as_labels != as_colours:
            grey = next(grey for grey in greys if as_labels[grey] != as_colours[grey])
            raise MaskError(
                mask.path,
                f"is grey in three channels, and {grey} means one thing as a colour of {self.colours.name!r} and "
                "another as a label: save labels in one channel",
            )
        return mask

    def _of_colours(self, mask: Mask) -> Tensor:
        if self.colours is None or self.colours.palette is None:
            raise ValueError(self.remedies.of_colours())
        numbers = packed(*as_tensor("values", mask.values).int().unbind(-1))
        rule = f"rgb must hold colours of {self.colours.name!r}"
        remedy = self.remedies.of_unknown_colours
        return look_up(numbers, self._colour_table, torch.int64, None, rule, remedy, lambda n: str(unpacked(n)))

    @cached_property
    def _colour_table(self) -> dict[int, int]:
        """The class of each colour of the palette, as one number each."""
        if self.colours is None:
            return {}
        table = {packed(*colour): self.num_classes for colour in self.colours.ignored_colours}
        for number, colour in enumerate(self.colours.palette or ()):
            table[packed(*colour)] = self.num_classes if number in self.colours.ignore_index else number
        return table

    @property
    def ignored(self) -> list[int | str]:
        """The values in files that are of no class, "nan" for pixels without a number."""
        values = sorted(value for value, meaning in self.table.items() if meaning == self.num_classes)
        return [*values, *["nan"] * self.missing]

    @cached_property
    def of_bytes(self) -> Tensor:
        """The class of each value of 8 bits, C for none and C + 1 for values that are not in the table: ``(256,)``."""
        return torch.tensor([self.table.get(value, self.num_classes + 1) for value in range(BYTE)])


def _of_set(labels: LabelSet, class_ids: bool) -> tuple[dict[int, int], str]:
    """The class of each value by a label set, C for ignored ones, and the rule that errors name."""
    size = labels.num_classes
    own = {value: value for value in (*labels.ignore_index, *range(size))} if class_ids else labels.ids
    table = {value: size if meaning in labels.ignore_index else meaning for value, meaning in own.items()}
    return table, f"values must be {'class' if class_ids else 'raw'} ids of {labels.name!r}"


def _of_numbers(size: int, ids: Mapping[int, int] | None, reduce_zero_label: bool) -> tuple[dict[int, int], str]:
    """Likewise where there is no label set: by the ids that are given, or class ids."""
    if ids is not None:
        return dict(ids), f"values must be {', '.join(map(str, ids))}"
    first = int(reduce_zero_label)
    table = {number + first: number for number in range(size)} | ({0: size} if reduce_zero_label else {})
    return table, f"values must be {first} to {size - 1 + first}"


def _is_grey(colours: Array) -> bool:
    red, green, blue = (colours[..., channel] for channel in range(3))
    return bool((red == green).all() and (green == blue).all())


def require_same_size(pred: Mask, label: Mask) -> None:
    """Raise a MaskError where a prediction and its label are not of one size."""
    if pred.shape != label.shape:
        sizes = ["x".join(map(str, mask.shape)) for mask in (pred, label)]
        remedy = "masks are not resized"
        axis = {pred.shape[:-1]: -1, pred.shape[1:]: 0}.get(label.shape)
        if axis is not None:
            classes = pred.shape[axis]
            how = f"argmax({axis}) of scores or one-hot maps" if classes > 1 else f"without the axis {axis} of length 1"
            remedy = f"save one class id a pixel, {how}"
        raise MaskError(pred.path, f"is {sizes[0]}, and its label {label.path} is {sizes[1]}: {remedy}")


def count_bytes(pred: Mask, label: Mask, of_pred: Coding, of_label: Coding) -> Tensor | None:
    """The counts ``(C + 1, C + 1)`` of two masks of one size; None where they are to be translated first."""
    if any(mask.colours or mask.missing is not None or mask.values.dtype != np.uint8 for mask in (pred, label)):
        return None
    size = of_label.num_classes + 2
    stored = count(pred.values[None], label.values[None], OF_BYTES).counts
    rows = torch.zeros(size, BYTE, dtype=torch.int64).index_add_(0, of_label.of_bytes, stored)
    counts = torch.zeros(size, size, dtype=torch.int64).index_add_(1, of_pred.of_bytes, rows)
    return None if counts[-1].any() or counts[:, -1].any() else counts[:-1, :-1]


def count_classes(pred: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """The counts ``(C + 1, C + 1)`` of classes as ``Coding.classes`` gives them."""
    return count(pred[None], label[None], Rules.of(num_classes + 1)).counts[:-1, :-1]
