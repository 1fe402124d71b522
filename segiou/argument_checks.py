"""Checks of single arguments, with errors that name the argument. Nothing here loads torch."""

import operator
from collections.abc import Iterable
from difflib import get_close_matches
from numbers import Real
from typing import Any


def integers(name: str, value: Any) -> tuple[int, ...]:
    """An integer, several, an array of them, or None, as a tuple. Raises a TypeError that names the argument."""
    if value is None:
        return ()
    try:
        several = [value] if hasattr(value, "__index__") and not getattr(value, "ndim", 0) else list(value)
        if any(isinstance(item, bool) for item in several):
            raise TypeError
        return tuple(operator.index(item) for item in several)
    except TypeError:
        raise TypeError(f"{name} must be an int, several ints or None, got {value!r}") from None


def nearest(word: Any, known: Iterable[str]) -> str:
    """What an error adds where a word is nearly a known one; else nothing.

    >>> nearest("raod", ["road", "sky"])
    ": did you mean 'road'?"
    """
    near = get_close_matches(word, list(known), n=1) if isinstance(word, str) else []
    return f": did you mean {near[0]!r}?" if near else ""


def integer(name: str, value: Any) -> int:
    """One integer. Raises a TypeError that names the argument."""
    try:
        (number,) = integers(name, value)
    except (TypeError, ValueError):
        raise TypeError(f"{name} must be an int, got {value!r}") from None
    return number


def positive(name: str, value: Any, more: str = "") -> int:
    """One integer of at least 1. Raises a ValueError that names the argument; ``more`` says what else it may be."""
    try:
        (number,) = integers(name, value)
    except (TypeError, ValueError):
        number = 0
    if number < 1:
        raise ValueError(f"{name} must be an integer of at least 1{more}, got {value!r}")
    return number


def number_in(name: str, value: Any, what: str, low: float, high: float) -> float:
    """A real number within bounds, as a float. Raises a ValueError that says what it must be."""
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
        raise ValueError(f"{name} must be {what}, got {value!r}")
    return float(value)


def flag(name: str, value: Any) -> bool:
    """True or False. Raises a TypeError that names the argument."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value
