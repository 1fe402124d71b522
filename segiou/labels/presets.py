"""The facts of the data sets that are known by name, read when first asked for."""

import difflib
import functools
import json
from importlib import resources
from typing import Any


@functools.cache
def facts() -> dict[str, dict[str, Any]]:
    """The arguments of each preset's label set, and other spellings of its name, by its name."""
    text = resources.files("segiou.labels").joinpath("presets.json").read_text("utf-8")
    found: dict[str, dict[str, Any]] = json.loads(text)
    return found


def named(value: str) -> str:
    """The preset's own name for any spelling of it. Raises a ValueError that lists the presets."""
    spelling = _plain(value)
    if spelling in _spellings():
        return _spellings()[spelling]
    near = difflib.get_close_matches(spelling, _spellings(), n=1)
    remedy = f"did you mean {_spellings()[near[0]]!r}?" if near else "pass a LabelSet for other data"
    raise ValueError(f"the label set must be a LabelSet or one of {', '.join(facts())}, got {value!r}: {remedy}")


def arguments(name: str) -> dict[str, Any]:
    """What the preset's label set is made with, all but its name."""
    found = {key: value for key, value in facts()[name].items() if key != "spellings"}
    return {**found, "ids": dict(found["ids"])} if "ids" in found else found


@functools.cache
def _spellings() -> dict[str, str]:
    return {_plain(each): name for name, known in facts().items() for each in (name, *known["spellings"])}


def _plain(name: str) -> str:
    """A name without capitals and separators."""
    return "".join(filter(str.isalnum, name.lower()))
