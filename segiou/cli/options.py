"""The options of the shell as what they mean: codings of files, arguments of metrics, names and groups from files."""

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segiou.cli.value_ids import class_ids_of, pairs_of
from segiou.labels import LabelSet
from segiou.labels.label_files import is_label_file, once

if TYPE_CHECKING:
    from segiou.evaluation.tally import Scoring

OF_PRESET = "preset"


@dataclass(frozen=True)
class Options:
    """What a user asks for, as the shell has it.

    Args:
        labels: the name of a label set, or a file of one, or None.
        num_classes: the number of classes, or None.
        ignore_index: values in label files that are not counted; "nan" stands for pixels without a number.
        reduce_zero_label: label files hold class ids plus one, and 0 is ignored.
        pred_class_ids: predictions hold class ids and not the raw ids of the label set.
        label_class_ids: labels likewise.
        absent: "skip" or the score of an absent class.
        exclude: ids or names of classes, or names of groups, that are left out of means.
        groups: a JSON file of groups, or "preset" for those of the label set.
        names: a file of names, JSON or a line each.
        boundary: whether boundary IoU is measured.
        ci: whether intervals are drawn.
        ids: which class each value is, such as "0:0,255:1", or None where values are class ids.
        pred_ids: likewise of predictions alone, in place of ``ids``.
        label_ids: likewise of labels alone.
        foreground: the value of class 1, where 0 is class 0 and there is no other.
        max_pixels: of a mask, or None.
    """

    labels: str | None = None
    num_classes: int | None = None
    ignore_index: Sequence[int | str] = ()
    reduce_zero_label: bool = False
    pred_class_ids: bool = False
    label_class_ids: bool = False
    absent: str = "skip"
    exclude: Sequence[str] = ()
    groups: str | None = None
    names: Path | None = None
    boundary: bool = False
    ci: bool = False
    ids: str | None = None
    pred_ids: str | None = None
    label_ids: str | None = None
    foreground: int | None = None
    max_pixels: int | None = None

    def scoring(self) -> "Scoring":
        """What is to be measured.

        Raises:
            ValueError, TypeError, OSError: options that do not fit together, files that cannot be read.
        """
        from segiou.evaluation.mask_values import Coding
        from segiou.evaluation.tally import Scoring, require_memory

        names = None if self.names is None else names_from(self.names)
        ignored, missing = self._ignored()
        of_files = self._pairs()
        classes = self._classes(names, of_files)
        pred_ids, label_ids = (class_ids_of(*each, classes, names) if each else None for each in of_files)
        self._require_one_meaning(label_ids, ignored)
        of_label = Coding.of(
            classes, ignored, class_ids=self.label_class_ids, reduce_zero_label=self.reduce_zero_label, ids=label_ids,
            missing=missing,
        )  # fmt: skip
        of_pred = Coding.of(
            classes, ignored, of_label=False, class_ids=self.pred_class_ids, ids=pred_ids, missing=missing
        )
        require_memory(of_label.num_classes)
        arguments = {
            "num_classes": classes,
            "ignore_index": self._ignored_classes(of_label.table, classes, ignored),
            "class_names": names,
            "absent": self.absent if self.absent == "skip" else _number("--absent", self.absent),
        }
        of_classes, of_groups = self._views(arguments)
        scoring = Scoring(of_classes, of_pred, of_label, self.boundary, self.ci, of_groups, self.max_pixels)
        scoring.require_valid()
        return scoring

    def facts(self) -> dict[str, Any]:
        """What a reader needs to know of the options, for JSON."""
        found = {**vars(self), "names": None if self.names is None else str(self.names)}
        found["groups_from"] = found.pop("groups")  # "groups" are the scores
        ignored = [value if str(value).lower() == "nan" else int(value) for value in self.ignore_index]
        return {**found, "ignore_index": ignored, "exclude": [*self.exclude]}

    @property
    def files(self) -> list[Path]:
        """The files that are read beside the masks."""
        groups = None if self.groups in (None, OF_PRESET) else self.groups
        labels = self.labels if self.labels is not None and is_label_file(self.labels) else None
        return [Path(path) for path in (labels, groups, self.names) if path is not None]

    def _ignored(self) -> tuple[list[int], bool]:
        """The ignored values, and whether pixels without a number are ignored too."""
        values, missing = [], False
        for text in map(str, self.ignore_index):
            if text.lower() == "nan":
                missing = True
                continue
            try:
                values.append(int(text))
            except ValueError:
                raise ValueError(f"--ignore-index must be a whole number or nan, got {text!r}") from None
        return values, missing

    def _pairs(self) -> list[tuple[str, dict[int, str]] | None]:
        """The values of predictions and of labels with their classes as texts, and the option; None for class ids."""
        if self.foreground is not None and self.ids is not None:
            raise ValueError("--foreground and --ids say the same of both folders: pass one of them")
        both = None if self.ids is None else ("--ids", self.ids)
        if self.foreground is not None:
            if self.foreground == 0:
                raise ValueError("--foreground is the value of class 1 beside 0: pass --ids VALUE:0,0:1 where 0 is it")
            both = "--foreground", f"0:0,{self.foreground}:1"
        own = (("--pred-ids", self.pred_ids), ("--label-ids", self.label_ids))
        chosen = [(option, text) if text is not None else both for option, text in own]
        if any(chosen) and self.labels is not None:
            raise ValueError("--ids and --foreground are for --num-classes or --names: --labels says what values mean")
        if chosen[1] is not None and self.reduce_zero_label:
            raise ValueError(f"--reduce-zero-label and {chosen[1][0]} say both what LABEL holds: pass one of them")
        return [None if each is None else (each[0], pairs_of(*each)) for each in chosen]

    def _classes(
        self, names: Sequence[str] | None, of_files: Sequence[tuple[str, dict[int, str]] | None]
    ) -> int | LabelSet:
        known = self.num_classes is not None or names is not None or any(of_files)
        if (self.labels is None) == (not known):
            raise ValueError(
                "pass --labels for a data set that is known by name or in a file, or --num-classes or --names"
                + (", or --foreground or --ids" if self.labels is None else ", not both")
            )
        if self.labels is not None:
            return LabelSet.load(self.labels) if is_label_file(self.labels) else LabelSet.of(self.labels)
        if self.pred_class_ids or self.label_class_ids:
            raise ValueError("--pred-class-ids and --label-class-ids are for --labels: without, files hold class ids")
        size = len(names) if names is not None else self.num_classes
        size = self.num_classes if self.num_classes is not None else size
        if size is None:
            size = _highest(of_files) + 1
        if self.foreground is not None and size != 2:
            raise ValueError(f"--foreground is for 2 classes, got {size}: pass --ids for more")
        if size < 1:
            raise ValueError(f"there must be at least one class, got {size}")
        return size

    def _require_one_meaning(self, ids: Mapping[int, int] | None, ignored: Sequence[int]) -> None:
        for value in ignored:
            if ids is not None and value in ids:
                raise ValueError(
                    f"{value} in LABEL is class {ids[value]} by its ids, and not scored by --ignore-index: pass one"
                )

    def _ignored_classes(self, table: Mapping[int, int], classes: int | LabelSet, ignored: Sequence[int]) -> list[int]:
        """The ignored values among class ids: a class none of whose values is counted is one of them."""
        size = classes if isinstance(classes, int) else classes.num_classes
        if self.foreground is not None or self.ids is not None or self.label_ids is not None:
            return sorted(value for value in ignored if not 0 <= value < size)  # others are no class ids
        lost = set(range(size)) - set(table.values())
        first = int(self.reduce_zero_label)
        values = [v - first for v in ignored] if isinstance(classes, int) else classes.ignore_index
        return sorted({*lost, *values, *([-1] if self.reduce_zero_label else [])})

    def _views(self, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any] | None]:
        """The arguments of metrics of classes and of groups, each with what is left out of its means."""
        exclude = [_id_or_name(item) for item in self.exclude]
        if self.groups is None:
            return {**arguments, "exclude": exclude or None}, None
        if self.groups != OF_PRESET and not Path(self.groups).exists():
            raise ValueError(
                f"--groups must be {OF_PRESET} or a JSON file of groups, got {self.groups!r}: no such file"
            )
        groups: Any = self.groups == OF_PRESET or _json(Path(self.groups))
        if groups is not True and not isinstance(groups, dict):
            raise ValueError(f"{self.groups} must map names of groups to classes")
        labels = arguments["num_classes"]
        of_groups = labels.groups if groups is True and isinstance(labels, LabelSet) else groups
        names = set(of_groups) if isinstance(of_groups, Mapping) else set()
        own = {*(arguments["class_names"] or ()), *(labels.names if isinstance(labels, LabelSet) else ())}
        of_classes = [item for item in exclude if item not in names or item in own]
        in_groups = [item for item in exclude if item in names]
        return {**arguments, "exclude": of_classes or None}, {
            **arguments, "groups": groups, "exclude": in_groups or None
        }  # fmt: skip


def _highest(of_files: Sequence[tuple[str, dict[int, str]] | None]) -> int:
    """The highest class id that is given, where all up to it are."""
    texts = {text for each in of_files if each for text in each[1].values()}
    odd = sorted(text for text in texts if not re.fullmatch(r"[0-9]{1,9}", text))
    if odd:
        raise ValueError(f"classes must be ids where there is no --names, got {odd[0]!r}")
    given = {int(text) for text in texts}
    absent = sorted(set(range(max(given) + 1)) - given)
    if absent:
        raise ValueError(f"no value is of class {absent[0]}: pass --num-classes for how many there are")
    return max(given)


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
        return json.loads(_text(path), object_pairs_hook=once)
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is no JSON: {error}") from error
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")  # some editors begin a text with a byte order mark
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is no text: {error}") from error


def _number(option: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isnan(number):
        raise ValueError(f"{option} must be 'skip' or a number between 0 and 1, got {text!r}")
    return number


def _id_or_name(text: str) -> int | str:
    return int(text) if text.lstrip("-").isdigit() else text
