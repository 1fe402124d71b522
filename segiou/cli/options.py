"""The options of the shell as what they mean: codings of files, arguments of metrics, names and groups from files."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segiou.evaluation.mask_values import Coding
from segiou.evaluation.tally import GivenScores, Scoring
from segiou.labels import LabelSet

OF_PRESET = "preset"


@dataclass(frozen=True)
class Options:
    """What a user asks for, as the shell has it.

    Args:
        labels: the name of a label set, or None.
        num_classes: the number of classes, or None.
        ignore_index: values in label files that are not counted.
        reduce_zero_label: label files hold class ids plus one, and 0 is ignored.
        pred_class_ids: predictions hold class ids and not the raw ids of the label set.
        label_class_ids: labels likewise.
        absent: "skip" or the score of an absent class.
        exclude: ids or names of classes that are left out of means.
        groups: a JSON file of groups, or "preset" for those of the label set.
        names: a file of names, JSON or a line each.
        boundary: whether boundary IoU is measured.
        ci: whether intervals are drawn.
    """

    labels: str | None = None
    num_classes: int | None = None
    ignore_index: Sequence[int] = ()
    reduce_zero_label: bool = False
    pred_class_ids: bool = False
    label_class_ids: bool = False
    absent: str = "skip"
    exclude: Sequence[str] = ()
    groups: str | None = None
    names: Path | None = None
    boundary: bool = False
    ci: bool = False

    @property
    def label_set(self) -> LabelSet | None:
        """The label set, if there is one."""
        return None if self.labels is None else LabelSet.of(self.labels)

    def scoring(self) -> Scoring:
        """What is to be measured.

        Raises:
            ValueError, TypeError, OSError: options that do not fit together, files that cannot be read.
        """
        names = None if self.names is None else names_from(self.names)
        classes = self._classes(names)
        labels = self.label_set
        of_label = Coding.of(
            classes, self.ignore_index, class_ids=self.label_class_ids, reduce_zero_label=self.reduce_zero_label
        )
        of_pred = Coding.of(classes, self.ignore_index, of_label=False, class_ids=self.pred_class_ids)
        groups: Any = None
        if self.groups is not None:
            groups = self.groups == OF_PRESET or _json(Path(self.groups))
        arguments = {
            "num_classes": classes,
            "ignore_index": self._ignored(of_label, labels),
            "class_names": names,
            "groups": groups,
            "absent": self.absent if self.absent == "skip" else _number("--absent", self.absent),
            "exclude": [_id_or_name(item) for item in self.exclude] or None,
        }
        GivenScores(**arguments)  # raises for what does not fit
        return Scoring(arguments, of_pred, of_label, self.boundary, self.ci)

    def facts(self) -> dict[str, Any]:
        """What a reader needs to know of the options, for JSON."""
        names = None if self.names is None else str(self.names)
        return {**vars(self), "names": names, "ignore_index": [*self.ignore_index], "exclude": [*self.exclude]}

    def _classes(self, names: Sequence[str] | None) -> int | LabelSet:
        if (self.labels is None) == (self.num_classes is None and names is None):
            raise ValueError(
                "pass --labels for a data set that is known by name, or --num-classes or --names"
                + ("" if self.labels is None else ", not both")
            )
        labels = self.label_set
        if labels is not None:
            return labels
        if self.pred_class_ids or self.label_class_ids:
            raise ValueError("--pred-class-ids and --label-class-ids are for --labels: without, files hold class ids")
        size = len(names or ()) if self.num_classes is None else self.num_classes
        if size < 1:
            raise ValueError(f"there must be at least one class, got {size}")
        return size

    def _ignored(self, of_label: Coding, labels: LabelSet | None) -> list[int]:
        """The ignored values among class ids: a class none of whose values is counted is one of them."""
        lost = set(range(of_label.num_classes)) - set(of_label.table.values())
        first = int(self.reduce_zero_label)
        values = [value - first for value in self.ignore_index] if labels is None else labels.ignore_index
        return sorted({*lost, *values, *([-1] if self.reduce_zero_label else [])})


def names_from(path: Path) -> list[str]:
    """Names from a file: a JSON list, a JSON mapping of ids to names, or a name on each line."""
    if path.suffix != ".json":
        return [line.strip() for line in _text(path).splitlines() if line.strip()]
    found = _json(path)
    if isinstance(found, dict):
        if set(found) != set(map(str, range(len(found)))):
            raise ValueError(f"{path} must name the ids 0 to {len(found) - 1}, got {', '.join(found)}")
        found = [found[str(place)] for place in range(len(found))]
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise ValueError(f"{path} must hold a list of names, or a mapping of ids to names")
    return found


def _json(path: Path) -> Any:
    try:
        return json.loads(_text(path))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text: {error}") from error


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{option} must be 'skip' or a number between 0 and 1, got {text!r}") from None


def _id_or_name(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text
