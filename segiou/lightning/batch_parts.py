"""Parts of a batch: the target, named by a key, an index or a function, or found under the names that people use."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

Part = int | str | Callable[[Any], Any]
TARGET_NAMES = ("mask", "masks", "label", "labels", "target", "targets")


def checked_part(name: str, which: Any) -> Part:
    """Return an argument that names a part of the batch. Raises TypeError where it cannot name one."""
    if isinstance(which, bool) or not (isinstance(which, str | int) or callable(which)):
        raise TypeError(f"{name} must be a key or an index of the batch, or a function of it, got {which!r}")
    found: Part = which
    return found


def part(batch: Any, which: Part, name: str) -> Any:
    """Take a part of a batch.

    Args:
        batch: what the data loader gave.
        which: a key or an attribute, an index, or a function of the batch.
        name: what the argument is called, for the error.

    Raises:
        ValueError: the batch has no such part.
    """
    try:
        if isinstance(which, str) and not isinstance(batch, Mapping):
            return getattr(batch, which)
        return which(batch) if callable(which) else batch[which]
    except Exception as error:  # a function is the user's own code: say where it was called, and with what
        shown = "function(batch)" if callable(which) else repr(which)
        raise ValueError(
            f"{name}={shown} failed on a batch that is {described(batch)}: {type(error).__name__}: {error}"
        ) from error


def target_of(batch: Any, *, of_bools: bool = True) -> str | int | None:
    """The key or index of what is most likely the target of a batch; None where nothing looks like one.

    Where targets are not ``of_bools``, a bool one, which says where something is valid, comes after the others.
    """
    known = batch if isinstance(batch, Mapping) else {n: getattr(batch, n) for n in TARGET_NAMES if hasattr(batch, n)}
    names = [name for name in TARGET_NAMES if name in known]
    if not of_bools:
        names.sort(key=lambda name: getattr(known[name], "dtype", None) in (torch.bool, np.dtype(bool)))
    if names:
        return names[0]
    return 1 if isinstance(batch, tuple | list) and len(batch) > 1 else None


def described(value: Any) -> str:
    """What kind of thing a batch or an output is, for errors."""
    if isinstance(value, Mapping):
        return f"a dict with {sorted(map(str, value))}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return "None" if value is None else f"a {type(value).__name__}"


def copied(labels: Any) -> Any:
    """A copy of labels, so that a step may change them in place; of what is no array, the same."""
    if isinstance(labels, tuple | list):
        return type(labels)(map(copied, labels)) if type(labels) in (tuple, list) else labels
    return labels.detach().clone() if isinstance(labels, Tensor) else copy.copy(labels)
