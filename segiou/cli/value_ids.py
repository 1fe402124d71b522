"""What ``--ids 0:0,255:1`` says: which class each value in the files is."""

import re
from collections.abc import Mapping, Sequence

from segiou.labels import LabelSet
from segiou.labels.checks import KEYS


def pairs_of(option: str, text: str) -> dict[int, str]:
    """The values with their classes as texts.

    Raises:
        ValueError: text of another form, or a value twice.

    >>> pairs_of("--ids", "0:0,255:1")
    {0: '0', 255: '1'}
    """
    found: dict[int, str] = {}
    for pair in text.split(","):
        value, colon, name = (part.strip() for part in pair.partition(":"))
        if not colon or not name or not re.fullmatch(r"-?[0-9]{1,9}", value) or int(value) not in KEYS:
            raise ValueError(f"{option} must be VALUE:CLASS, several with commas, such as 0:0,255:1, got {text!r}")
        if int(value) in found:
            raise ValueError(f"{option} must give each value once, got {int(value)} twice")
        found[int(value)] = name
    return found


def class_ids_of(
    option: str, pairs: Mapping[int, str], classes: int | LabelSet, names: Sequence[str] | None
) -> dict[int, int]:
    """The class id of each value; a class is given by its name or its id. Raises a ValueError for no class."""
    size = classes if isinstance(classes, int) else classes.num_classes
    by_name = {name: place for place, name in enumerate(names or ())}
    found = {}
    for value, text in pairs.items():
        ids = {by_name[text]} if text in by_name else set()
        if re.fullmatch(r"[0-9]{1,9}", text) and int(text) < size:
            ids.add(int(text))
        if len(ids) == 1:
            found[value] = ids.pop()
        elif ids:
            raise ValueError(f"{option}: {text!r} is the name of class {by_name[text]}, and another's id: rename it")
        else:
            also = "" if names is None else ", or their names"
            raise ValueError(f"{option} must give classes of 0 to {size - 1}{also}, got {text!r} for {value}")
    return found
