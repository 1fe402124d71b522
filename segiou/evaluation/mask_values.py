"""What the values in mask files mean, and the counts of a prediction and its label.

Values are counted as they are stored, and the counts are translated, not the pixels: a table of 256 x 256 counts
is small beside an image. Only values that do not fit into 8 bits are translated first.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from segiou.counting import Rules, count
from segiou.evaluation.mask_files import Array, Colours, MaskError
from segiou.labels import LabelSet
from segiou.labels.checks import KEYS
from segiou.labels.tables import as_tensor, look_up, narrow

BYTE = 256


@dataclass(frozen=True)
class Coding:
    """What the values in one kind of files mean.

    Args:
        num_classes: C.
        table: the class id of each value, C for values of no class: ignored in a label, void in a prediction.
        rule: what an error says that values must be.
        remedy: what it says to do.
        colours: the set whose palette colour images are of, or None.
    """

    num_classes: int
    table: Mapping[int, int]
    rule: str
    remedy: str
    colours: LabelSet | None = None

    @classmethod
    def of(
        cls,
        classes: int | LabelSet,
        ignore_index: Iterable[int] = (),
        *,
        of_label: bool = True,
        class_ids: bool = False,
        reduce_zero_label: bool = False,
    ) -> "Coding":
        """The coding of label files, or of predictions.

        Args:
            classes: the number of classes, or the set whose raw ids the files hold.
            ignore_index: values of labels that are ignored, beside those of the set. A prediction may hold them too:
                where they are no class, it is then of none.
            of_label: whether the files are labels.
            class_ids: the files hold class ids and ignored values, not the raw ids of the set.
            reduce_zero_label: 0 is ignored, and k is class k - 1.

        Raises:
            ValueError: ``reduce_zero_label`` with a set, or an ignored value out of range.
        """
        ignored = tuple(ignore_index)
        if not all(value in KEYS for value in ignored):
            raise ValueError(f"ignored values must be between {KEYS[0]} and {KEYS[-1]}, got {ignored}")
        kind = "label" if of_label else "pred"
        if isinstance(classes, LabelSet):
            if reduce_zero_label:
                raise ValueError(f"{classes.name!r} says itself whether 0 is ignored: leave --reduce-zero-label out")
            size, labels = classes.num_classes, classes
            own = dict.fromkeys(classes.ignore_index, size) | {c: c for c in range(size)} if class_ids else classes.ids
            table = {value: min(c, size) if c not in classes.ignore_index else size for value, c in own.items()}
            rule = f"values must be {'class' if class_ids else 'raw'} ids of {classes.name!r}"
            remedy = "" if class_ids else f"pass --{kind}-class-ids if these are class ids, "
        else:
            size, labels = classes, None
            first = int(reduce_zero_label)
            table = {c + first: c for c in range(size)} | ({0: size} if reduce_zero_label else {})
            rule = f"values must be {first} to {size - 1 + first}" + "".join(f" or {v}" for v in ignored)
            remedy = ""
        for value in ignored:
            table[value] = size if of_label else table.get(value, size)
        return cls(size, table, rule, f"{remedy}pass --ignore-index for values to leave out", labels)

    def classes(self, path: Path, mask: Array) -> Tensor:
        """The classes of a mask's pixels: ids, C for pixels of none; uint8 where they fit, else int64.

        Raises:
            MaskError: values or colours that mean nothing here.
        """
        dtype = narrow([self.num_classes])
        try:
            if not isinstance(mask, Colours):
                return look_up(as_tensor("values", mask), self.table, dtype, None, self.rule, self.remedy)
            if self.colours is None:
                raise ValueError(
                    "labels are expected, got colours: pass --labels for a set whose palette they are of, or save "
                    "one class id a pixel"
                )
            found = as_tensor("values", self.colours.from_palette(np.asarray(mask)))
        except ValueError as error:
            raise MaskError(path, str(error)) from error
        void = torch.isin(found, torch.tensor(self.colours.ignore_index))
        return found.to(dtype).masked_fill(void, self.num_classes)

    @cached_property
    def of_bytes(self) -> Tensor:
        """The class of each value of 8 bits, C for none and C + 1 for values that are not in the table: ``(256,)``."""
        return torch.tensor([self.table.get(value, self.num_classes + 1) for value in range(BYTE)])


def require_same_size(pred_path: Path, pred: Array, label_path: Path, label: Array) -> None:
    """Raise a MaskError where a prediction and its label are not of one size."""
    sizes = ["x".join(map(str, m.shape[:2] if isinstance(m, Colours) else m.shape)) for m in (pred, label)]
    if sizes[0] != sizes[1]:
        raise MaskError(pred_path, f"is {sizes[0]}, and its label {label_path} is {sizes[1]}: masks are not resized")


def count_bytes(pred: Array, label: Array, of_pred: Coding, of_label: Coding) -> Tensor | None:
    """The counts ``(C + 1, C + 1)`` of two masks of one size; None where they are to be translated first."""
    if any(isinstance(mask, Colours) or mask.dtype != np.uint8 for mask in (pred, label)):
        return None
    size = of_label.num_classes + 2
    stored = count(pred[None], label[None], Rules.of(BYTE)).counts[:BYTE, :BYTE]
    rows = torch.zeros(size, BYTE, dtype=torch.int64).index_add_(0, of_label.of_bytes, stored)
    counts = torch.zeros(size, size, dtype=torch.int64).index_add_(1, of_pred.of_bytes, rows)
    return None if counts[-1].any() or counts[:, -1].any() else counts[:-1, :-1]


def count_classes(pred: Tensor, label: Tensor, num_classes: int) -> Tensor:
    """The counts ``(C + 1, C + 1)`` of classes as ``Coding.classes`` gives them."""
    return count(pred[None], label[None], Rules.of(num_classes + 1)).counts[:-1, :-1]
