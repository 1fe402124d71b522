"""The classes of a metric by name: what is scored, in which groups, and what averages leave out."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from segiou.argument_checks import integers, nearest
from segiou.counting.rules import IgnoreIndex, Rules
from segiou.labels.checks import Colour, groups_of
from segiou.labels.label_set import LabelSet

Groups = Mapping[str, Iterable[int | str]]


NumClasses = int | str | LabelSet | None


def of_label_set(
    num_classes: NumClasses, ignore_index: IgnoreIndex, class_names: Sequence[str] | None, groups: Groups | bool | None
) -> tuple[int | None, IgnoreIndex, Sequence[str] | None, Groups | None]:
    """The four arguments, those that were left out as the label set says where ``num_classes`` is one, or its name."""
    if not isinstance(num_classes, str | LabelSet):
        if isinstance(groups, bool):
            raise ValueError(f"groups={groups} is for a label set that has groups, got num_classes={num_classes!r}")
        return num_classes, ignore_index, class_names, groups
    labels = LabelSet.of(num_classes)
    if groups is True and not labels.groups:
        raise ValueError(f"groups=True is for a label set that has groups, and {labels.name!r} has none")
    return (
        labels.num_classes,
        labels.ignore_index if ignore_index is None else ignore_index,
        labels.class_names if class_names is None else class_names,
        labels.groups if groups is True else groups or None,
    )


def encoder_of(num_classes: NumClasses) -> str | None:
    """What a user calls to make class ids of raw ids; None where there is no label set, or they are the same."""
    if not isinstance(num_classes, str | LabelSet):
        return None
    labels = LabelSet.of(num_classes)
    if all(raw == label for raw, label in labels.ids.items()):
        return None
    return f"LabelSet.of({labels.name!r})" if labels.name in LabelSet.presets() else f"the LabelSet {labels.name!r}"


def palette_of(num_classes: NumClasses) -> Sequence[Colour] | None:
    """The colours of the label set that ``num_classes`` is or names; None where it is none, or has none."""
    return LabelSet.of(num_classes).palette if isinstance(num_classes, str | LabelSet) else None


def preset_of(num_classes: NumClasses) -> str | None:
    """The name of the label set that comes with the package, where ``num_classes`` is it or its name."""
    if isinstance(num_classes, LabelSet):
        known = num_classes.name in LabelSet.presets() and LabelSet.of(num_classes.name) is num_classes
        return num_classes.name if known else None
    return num_classes if isinstance(num_classes, str) else None


@dataclass(frozen=True)
class Classes:
    """Names of the classes (of the labels, for multilabel), and the groups that are scored in their place.

    Args:
        names: one for each class.
        groups: the class ids of each group, by the group's name; None where the classes are scored.
        ignored: ids of classes that are ignored in the target.
    """

    names: tuple[str, ...]
    groups: dict[str, tuple[int, ...]] | None = field(default=None, hash=False)
    ignored: tuple[int, ...] = ()

    @classmethod
    def of(cls, class_names: Sequence[str] | None, groups: Groups | None, rules: Rules) -> "Classes":
        """Check the arguments and bring them to one form. Raises ValueError or TypeError."""
        size = rules.num_labels or rules.num_classes
        names = _names(class_names, size)
        ignored = tuple(value for value in rules.ignore_index if 0 <= value < size) if rules.num_labels is None else ()
        if groups is not None and rules.task != "multiclass":
            raise ValueError(f"groups are of the classes of a multiclass task, got groups with task={rules.task!r}")
        return cls(names, None if groups is None else _members(groups, names), ignored)

    @property
    def scored(self) -> tuple[str, ...]:
        """The names of what has a score: the groups, or the classes."""
        return self.names if self.groups is None else tuple(self.groups)

    @property
    def members(self) -> list[list[int]]:
        """The class ids of each group."""
        return [list(ids) for ids in (self.groups or {}).values()]

    @property
    def is_partition(self) -> bool:
        """Whether each class that is not ignored is in one group, or there are no groups."""
        return not self._not_in_one_group()

    def require_partition(self, who: str) -> None:
        """Raise where a class that is not ignored is in several groups, or in none."""
        odd = self._not_in_one_group()
        if odd:
            number = [c for ids in self.members for c in ids].count(odd[0])
            raise ValueError(
                f"{who} is of a whole matrix, so groups must hold each class once, got class {odd[0]} "
                f"({self.names[odd[0]]!r}) in {number} of them: pass others, or take MeanIoU, Dice, Precision or "
                "Recall, whose groups may share classes and leave some out"
            )

    def _not_in_one_group(self) -> list[int]:
        """The classes that are in several groups, or in none without being ignored."""
        every = [c for ids in self.members for c in ids]
        of_groups = range(len(self.names)) if self.groups is not None else ()
        return [c for c in of_groups if every.count(c) != 1 and (c not in self.ignored or c in every)]

    def require_disjoint(self, who: str) -> None:
        """Raise where a class is in several groups."""
        every = [c for ids in self.members for c in ids]
        for c in every:
            if every.count(c) > 1:
                raise ValueError(
                    f"{who} makes one map of all groups, so none may share a class, got class {c} "
                    f"({self.names[c]!r}) in {every.count(c)} of them"
                )

    def excluded(self, exclude: Any) -> tuple[int, ...] | None:
        """The places that averages leave out, ignored ones among them; None leaves it to the score."""
        members = self.members if self.groups else [[c] for c in range(len(self.names))]
        ignored = [place for place, ids in enumerate(members) if set(ids) <= set(self.ignored)]
        if exclude is None and not ignored:
            return None
        left_out = {*ignored, *_places("exclude", exclude, self.scored, "groups" if self.groups else "classes")}
        if len(left_out) == len(self.scored):
            raise ValueError(
                f"exclude={exclude!r} and ignore_index={self.ignored!r} leave none of the {len(left_out)} "
                f"{'groups' if self.groups else 'classes'} to average"
            )
        return tuple(sorted(left_out))


def _names(class_names: Sequence[str] | None, size: int) -> tuple[str, ...]:
    """A name for each class, or each label: the given ones, or the ids."""
    if class_names is None:
        return tuple(map(str, range(size)))
    ordered = isinstance(class_names, Sequence) and not isinstance(class_names, str)
    names = tuple(map(str, class_names)) if ordered else ()
    if len(names) != size or len(set(names)) != size:
        raise ValueError(f"class_names must be {size} different names, got {class_names!r}")
    return names


def _members(groups: Groups, names: tuple[str, ...]) -> dict[str, tuple[int, ...]]:
    found = groups_of(groups, names)
    if not found:
        raise ValueError("groups must hold a class each, got no group")
    return found


def _places(argument: str, items: Any, names: tuple[str, ...], what: str) -> list[int]:
    """The places of classes or groups that are given by id or by name, one or several."""
    try:
        alone = isinstance(items, str) or (hasattr(items, "__index__") and not getattr(items, "ndim", 0))
        several = [] if items is None else [items] if alone else list(items)
        given: list[int | str] = [
            names.index(item) if item in names else item for item in several if isinstance(item, str)
        ]
        given += integers(argument, [item for item in several if not isinstance(item, str)])
    except TypeError:
        raise TypeError(f"{argument} must hold ids or names of {what}, got {items!r}") from None
    places = [place for place in given if isinstance(place, int) and 0 <= place < len(names)]
    for place in given:
        if place not in places:
            raise ValueError(
                f"{argument} must hold ids of the {len(names)} {what}, 0 to {len(names) - 1}, or their names, "
                f"got {place!r}{nearest(place, names)}"
            )
    return places
