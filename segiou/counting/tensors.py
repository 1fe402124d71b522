"""What a user passes as preds and target, as plain dense tensors that have memory of their own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor


def unwrapped(preds: Any) -> Any:
    """Unwrap a model's output: ``out`` as in torchvision, ``logits`` as in transformers."""
    if isinstance(preds, Tensor | np.ndarray | list) or type(preds) is tuple:
        return preds
    for name in ("out", "logits"):
        if isinstance(preds, Mapping) and name in preds:
            return preds[name]
        if hasattr(preds, name):
            return getattr(preds, name)
    held = f"keys {sorted(map(str, preds))}" if isinstance(preds, Mapping) else f"a {type(preds).__name__}"
    raise TypeError(
        f'preds must be a tensor, an array, a list of them, or hold the scores as "out" or "logits", got {held}'
    )


def tensor(name: str, value: Any) -> Tensor:
    """A tensor that shares the memory of ``value`` where it can."""
    if isinstance(value, Tensor):
        if value.layout != torch.strided or value.is_nested:
            raise TypeError(
                f"{name} must be a dense tensor, got layout {value.layout}: pass {name}.to_dense() or a list"
            )
        return value.detach().resolve_neg()
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: pass {name}.filled(value) and ignore_index=value")
    if not isinstance(value, np.ndarray):
        raise TypeError(f"{name} must be a tensor, a numpy array or a list of them, got a {type(value).__name__}")
    plain = value.flags.writeable and value.dtype.isnative and min(value.strides, default=0) >= 0
    if not plain or any(stride % value.itemsize for stride in value.strides):
        value = value.astype(value.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(value)
    except TypeError:
        raise TypeError(f"{name} must be an array of numbers, got dtype {value.dtype}") from None
