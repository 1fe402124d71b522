"""What to do about values in mask files that mean nothing: only what leads to the right score is said.

A remedy that is right in one case and wrong in another says in which case it is right.
"""

from collections.abc import Container, Mapping
from dataclasses import dataclass

import numpy as np

from segiou.evaluation.masks import Mask
from segiou.labels import LabelSet

MOST = 5  # values that are named
MOST_CLASSES = 10  # that are written out


@dataclass(frozen=True)
class Remedies:
    """What to do about the files of one folder.

    Args:
        classes: the number of classes, or the label set.
        of_label: whether they are labels.
        class_ids: whether they are read as class ids of the set.
        ids: the class of each value as the user has given them, or None.
    """

    classes: int | LabelSet
    of_label: bool
    class_ids: bool
    ids: Mapping[int, int] | None

    @property
    def kind(self) -> str:
        """What options of this folder begin with."""
        return "label" if self.of_label else "pred"

    def of_values(self, mask: Mask, known: Container[int]) -> str:
        """What to do about a mask that holds other values than those that are known."""
        values = set(np.unique(mask.values).tolist())
        unknown = sorted(value for value in values if value not in known)
        if isinstance(self.classes, LabelSet):
            return self._of_set(self.classes, values, unknown, mask.nodata)
        if self.ids is None and values <= {0, 255}:
            both = f"--foreground 255 (of both folders) or --{self.kind}-ids 0:0,255:1 (of this one)"
            if self.classes <= 2:
                return f"pass {both} if 255 is the foreground"
            return f"if 255 is the foreground of two classes, pass {both}" + self._left_out(unknown, mask.nodata, "; ")
        return self._of_numbers(self.classes, values, unknown) + self._left_out(unknown, mask.nodata, ", ")

    def _of_numbers(self, size: int, values: set[int], unknown: list[int]) -> str:
        if self.ids is not None:
            if values <= set(range(size)) and size <= MOST_CLASSES:
                same = ",".join(f"{number}:{number}" for number in range(size))
                return (
                    f"pass --{self.kind}-ids {same} if these are class ids, or --num-classes {size} alone if those of "
                    "both folders are"
                )
            return f"add them to --{self.kind}-ids if they are of a class"
        if unknown != [size]:
            return f"pass --{self.kind}-ids to say which class each value is"
        found = f"pass --num-classes {size + 1} if {size} is a class"
        if self.of_label:
            found += ", --reduce-zero-label if 1 is the first class and 0 no label"
        elif 0 not in values:
            found += ", --pred-ids 1:0,2:1 and so on if 1 is the first class"
        return found

    def of_missing(self, mask: Mask) -> str:
        """The error of a mask some of whose pixels are not a number."""
        pixels = 0 if mask.missing is None else int(mask.missing.sum())
        what = "NaN" if mask.nodata is None or mask.nodata == mask.nodata else "NaN or the nodata value of the file"
        means = "are not to be scored" if self.of_label else "are of no class, which makes them misses"
        return (
            f"values must be whole numbers, got {what} in {pixels:,} pixel{'' if pixels == 1 else 's'}: "
            f"pass --ignore-index nan if they {means}"
        )

    def of_colours(self) -> str:
        """The error of colours where there is no palette."""
        if isinstance(self.classes, LabelSet):
            return (
                f"labels are expected, got colours, and {self.classes.name!r} has no colours: pass a label file with a "
                f"palette as --labels, or save one class id a pixel"
            )
        return (
            "labels are expected, got colours: pass --labels for a set whose palette they are of, or save "
            "one class id a pixel"
        )

    def of_unknown_colours(self) -> str:
        """What to do about colours that the palette does not have."""
        return (
            "pass a label file as --labels whose palette has them, or its ignored_colours if they are not to be "
            "scored (`segiou labels NAME --json` prints one to start from)"
        )

    def _of_set(self, labels: LabelSet, values: set[int], unknown: list[int], nodata: float | None) -> str:
        own = {*range(labels.num_classes), *labels.ignore_index}
        other = "pass a label file as --labels that has them"
        if self.class_ids and values <= set(labels.ids):
            return f"leave --{self.kind}-class-ids out if these are raw ids, or {other}"
        if not self.class_ids and values <= own:  # to ignore 255 of class ids would be to read the others as raw ids
            return f"pass --{self.kind}-class-ids if these are class ids, or {other}"
        return other + self._left_out(unknown, nodata, ", ")

    def _left_out(self, unknown: list[int], nodata: float | None, between: str) -> str:
        """That values may be left out: of labels they are not scored, of predictions they are misses."""
        if len(unknown) > MOST:
            return f"{between}or save masks whose edges are not smoothed if these values are no classes"
        shown = " ".join(f"--ignore-index {value}" for value in unknown)
        declared = ", as the file declares" if nodata in unknown else ""
        if self.of_label:
            return f"{between}or {shown} if these pixels are not to be scored{declared}"
        return f"{between}or {shown} if these pixels are of no class, which makes them misses{declared}"
