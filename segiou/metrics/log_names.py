"""The names of classes as parts of keys in logs."""

import re
from collections.abc import Sequence


def told_apart(names: Sequence[str]) -> list[str]:
    """Names of classes that every logger keeps apart, without "/"; most are as they were.

    MLflow drops what is no letter, digit, space or one of "_.-", TensorBoard makes "_" of it: where two names would
    then be one, or one were no name of a file, as ".." is, the number of the class is put behind it.

    >>> told_apart(["road", "cat+dog", "catdog", "sky/cloud"])
    ['road', 'cat+dog', 'catdog_2', 'sky|cloud']
    """
    seen: set[str] = set()
    found = []
    for number, name in enumerate(names):
        name = name.replace("/", "|")
        reduced = _reduced(name)
        if not all(each.strip(". ") for each in reduced) or reduced & seen:
            name = f"{name}_{number}"
            reduced = _reduced(name)
        seen |= reduced
        found.append(name)
    return found


def _reduced(name: str) -> set[str]:
    """What loggers make of a name."""
    return {re.sub("[^a-zA-Z0-9_. -]+", "", name), re.sub(r"[^-\w.]", "_", name)}
