"""One look-up for each pixel: every value becomes what one table says of it, all at once and in new memory."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from segiou.labels.checks import Labels


def as_tensor(name: str, values: Any) -> Tensor:
    """Integers of any dtype as a tensor, of a tensor or an array. Raises errors that name the argument."""
    if isinstance(values, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: pass {name}.filled(value)")
    if isinstance(values, Tensor):
        whole = not (values.is_floating_point() or values.is_complex())
    elif isinstance(values, np.ndarray):
        whole = values.dtype.kind in "biu"
    else:
        raise TypeError(f"{name} must be a tensor or a numpy array, got a {type(values).__name__}")
    if not whole:
        raise ValueError(f"{name} must be of an integer dtype or bool, got {values.dtype}")
    if isinstance(values, Tensor):
        return values
    native = values.astype(values.dtype.newbyteorder("="), copy=False)
    return torch.from_numpy(np.require(native, requirements=["C", "A", "W"]))


def like(given: Labels, result: Tensor) -> Labels:
    """The result, as an array where an array was given."""
    return result.numpy() if isinstance(given, np.ndarray) else result


def narrow(values: Iterable[int]) -> torch.dtype:
    """The dtype of results with these values: uint8 where all fit, else int64."""
    return torch.uint8 if all(0 <= value < 256 for value in values) else torch.int64


def packed(red: Any, green: Any, blue: Any) -> Any:
    """Colours, integers or tensors of them, as one integer each."""
    return red << 16 | green << 8 | blue


def unpacked(number: int) -> tuple[int, int, int]:
    """The colour of an integer that ``packed`` gives."""
    return number >> 16, number >> 8 & 255, number & 255


def look_up(
    values: Tensor,
    table: Mapping[int, int],
    dtype: torch.dtype,
    otherwise: int | None,
    rule: str,
    remedy: str | Callable[[], str],
    shown: Callable[[int], str] = str,
) -> Tensor:
    """What the table says of each value.

    Args:
        values: integers of any dtype, shape and strides.
        table: what becomes of a value; its keys are in ``KEYS``.
        dtype: the dtype of the result.
        otherwise: what becomes of values that the table does not have; None makes them an error.
        rule: what the error says that the values must be.
        remedy: what the error says to do, or a function that says it.
        shown: a value as the error shows it.

    Raises:
        ValueError: values that the table does not have, where ``otherwise`` is None.
    """
    low, high = min(table) - 1, max(table) + 1  # one more on either side stands for all beyond
    whole = values.dtype == torch.uint8  # then each value has a row, and none is beyond
    if whole:
        low, high, table = 0, 255, {value: result for value, result in table.items() if 0 <= value < 256}
    keys = torch.tensor(list(table), dtype=torch.int64, device=values.device) - low
    known = torch.zeros(high - low + 1, dtype=torch.bool, device=values.device)
    known[keys] = True
    results = torch.full(known.shape, otherwise or 0, dtype=dtype, device=values.device)
    results[keys] = torch.tensor(list(table.values()), dtype=dtype, device=values.device)
    places = (values.int() if whole else (_signed(values).clamp(low, high) - low).int()).flatten()
    if otherwise is None:
        found = known.index_select(0, places)
        if not found.all():
            what = remedy if isinstance(remedy, str) else remedy()
            raise ValueError(f"{rule}, got {_counted(values, found, shown)}: {what}")
    return results.index_select(0, places).view(values.shape)


def _signed(values: Tensor) -> Tensor:
    """The same numbers in a dtype that has arithmetic; those above int64 become its largest."""
    if values.dtype != torch.uint64:
        return values.to(torch.int32 if values.dtype.itemsize <= 2 else torch.int64)
    wrapped = values.to(torch.int64)
    return torch.where(wrapped < 0, torch.iinfo(torch.int64).max, wrapped)


def _counted(values: Tensor, found: Tensor, shown: Callable[[int], str]) -> str:
    """The values that were not found and their pixels, the most frequent first."""
    lost, pixels = np.unique(values.cpu().numpy().reshape(-1)[~found.cpu().numpy()], return_counts=True)
    order = sorted(range(len(lost)), key=lambda place: -pixels[place])
    text = ", ".join(
        f"{shown(int(lost[place]))} ({pixels[place]:,} pixel{'' if pixels[place] == 1 else 's'})" for place in order[:5]
    )
    rest = len(order) - 5
    return text + (f" and {rest} other value{'' if rest == 1 else 's'}" if rest > 0 else "")
