"""The arguments of a label set, checked and brought to one form."""

import math
import operator
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeVar

from segiou.argument_checks import integers, nearest

if TYPE_CHECKING:
    import numpy as np
    import torch

KEYS = range(1 - 2**24, 2**24)  # a table is at most as long, and three 8-bit colours fit

Colour = tuple[int, int, int]
Labels = TypeVar("Labels", "torch.Tensor", "np.ndarray[Any, Any]")


def names_of(class_names: Sequence[str]) -> tuple[str, ...]:
    """Different names that are not empty, at least one."""
    if isinstance(class_names, str) or not isinstance(class_names, Sequence):
        raise TypeError(f"class_names must be a sequence of names, got {class_names!r}")
    for name in class_names:
        if not isinstance(name, str) or not name:
            raise ValueError(f"class_names must be texts that are not empty, got {name!r}")
    if not class_names:
        raise ValueError("class_names must hold at least one name, got none")
    _require_different("class_names", class_names)
    return tuple(class_names)


def ignored_of(ignore_index: int | Iterable[int] | None) -> tuple[int, ...]:
    """The ignored values in the order given, each once."""
    return tuple(dict.fromkeys(key("ignore_index", value) for value in integers("ignore_index", ignore_index)))


def ids_of(
    ids: Mapping[int, int | str] | None, names: Sequence[str], ignored: Sequence[int], reduce_zero_label: bool
) -> dict[int, int]:
    """The class id or ignored value of each raw id."""
    if not isinstance(reduce_zero_label, bool):
        raise TypeError(f"reduce_zero_label must be True or False, got {reduce_zero_label!r}")
    if reduce_zero_label and (not ignored or 0 <= ignored[0] < len(names)):
        raise ValueError(
            "reduce_zero_label needs an ignored value that is no class id for the raw id 0: "
            f"pass ignore_index=255, got {tuple(ignored)}"
        )
    implied = {0: ignored[0]} if reduce_zero_label else {}
    implied |= {number + reduce_zero_label: number for number in range(len(names))}
    implied |= {value: value for value in ignored if value not in implied}
    if ids is None:
        return implied
    if not isinstance(ids, Mapping):
        raise TypeError(f"ids must map raw ids to classes, got a {type(ids).__name__}")
    if not ids:
        raise ValueError("ids must hold at least one raw id, got none")
    found = {key("ids", raw): _value_of(raw, value, names, ignored) for raw, value in ids.items()}
    if reduce_zero_label and found != implied:
        raise ValueError("reduce_zero_label=True says what the raw ids are: leave ids out")
    return found


def colours_of(argument: str, colours: Iterable[Sequence[int]]) -> tuple[Colour, ...]:
    """Different colours, each three integers of 8 bits."""
    if isinstance(colours, str) or not isinstance(colours, Iterable):
        raise TypeError(f"{argument} must hold colours, got {colours!r}")
    found = []
    for colour in colours:
        try:
            channels = integers(argument, colour)
        except TypeError:
            channels = ()
        if len(channels) != 3 or not all(0 <= channel < 256 for channel in channels):
            raise ValueError(f"{argument} must hold colours of red, green and blue, 0 to 255 each, got {colour!r}")
        found.append((channels[0], channels[1], channels[2]))
    _require_different(argument, found)
    return tuple(found)


def require_one_meaning(
    palette: tuple[Colour, ...] | None, others: tuple[Colour, ...], names: Sequence[str], ignored: Sequence[int]
) -> None:
    """Raise unless each class has its colour, and each further colour is of ignored pixels only."""
    if palette is not None and len(palette) != len(names):
        raise ValueError(f"palette must hold a colour for each of the {len(names)} classes, got {len(palette)}")
    if others and (palette is None or not ignored):
        raise ValueError("ignored_colours need a palette and an ignore_index: pass both, or leave them out")
    _require_different("palette and ignored_colours", [*(palette or ()), *others])


def groups_of(groups: Mapping[str, Iterable[int | str]], names: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """The class ids of each group, sorted."""
    if not isinstance(groups, Mapping):
        raise TypeError(f"groups must map names to classes, got a {type(groups).__name__}")
    found = {}
    for name, members in groups.items():
        if not isinstance(name, str) or not name:
            raise ValueError(f"groups must have names that are not empty, got {name!r}")
        if isinstance(members, str) or not isinstance(members, Iterable):
            raise TypeError(f"groups[{name!r}] must hold several classes, ids or names, got {members!r}")
        ids = [_class_id(f"groups[{name!r}]", each, names) for each in members]
        if not ids:
            raise ValueError(f"groups must hold a class each, got none in {name!r}")
        found[name] = tuple(sorted(set(ids)))
    return found


def sizes_of(argument: str, sizes: Mapping[int | str, float], names: Sequence[str]) -> dict[int, float]:
    """Pixels of an instance by class id."""
    if not isinstance(sizes, Mapping):
        raise TypeError(f"{argument} must map classes to pixels, got a {type(sizes).__name__}")
    for size in sizes.values():
        if isinstance(size, bool) or not isinstance(size, Real) or not 0 < float(size) < math.inf:
            raise ValueError(f"{argument} must hold positive numbers of pixels, got {size!r}")
    return {_class_id(argument, name, names): float(size) for name, size in sizes.items()}


def key(argument: str, value: Any) -> int:
    """An integer that a table can hold."""
    try:
        number = operator.index(value)
    except TypeError:
        number = None
    if number is None or isinstance(value, bool):
        raise TypeError(f"{argument} must hold integers, got {value!r}")
    if number not in KEYS:
        raise ValueError(f"{argument} must hold integers of {KEYS[0]} to {KEYS[-1]}, got {value!r}")
    return number


def _value_of(raw: int, value: int | str, names: Sequence[str], ignored: Sequence[int]) -> int:
    """The class id or ignored value that a raw id is mapped to."""
    if not isinstance(value, str) and key(f"ids[{raw!r}]", value) in ignored:
        return operator.index(value)
    return _class_id(f"ids[{raw!r}]", value, names, ignored)


def _class_id(argument: str, value: int | str, names: Sequence[str], ignored: Sequence[int] = ()) -> int:
    """The id of a class that is given by id or by name."""
    number = (names.index(value) if value in names else -1) if isinstance(value, str) else key(argument, value)
    if not 0 <= number < len(names):
        also = "".join(f", {each}" for each in ignored)
        raise ValueError(
            f"{argument} must be a class of 0 to {len(names) - 1}{also}, or a class name, got {value!r}"
            f"{nearest(value, names)}"
        )
    return number


def _require_different(argument: str, items: Sequence[Hashable]) -> None:
    for item, number in Counter(items).items():
        if number > 1:
            raise ValueError(f"{argument} must be different from each other, got {item!r} {number} times")
