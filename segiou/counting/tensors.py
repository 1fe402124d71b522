"""What a user passes as preds and target, as plain dense tensors that have memory of their own."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch._C import _functorch  # what torch.func wraps a tensor in has no public name

SCORES_NAMES = ("out", "logits", "output")
"""What models call their scores: torchvision's, transformers' and terratorch's."""


def unwrapped(preds: Any) -> Any:
    """Unwrap a model's output: ``out`` of torchvision, ``logits`` of transformers, ``output`` of terratorch."""
    if isinstance(preds, Tensor | np.ndarray | list) or type(preds) is tuple:
        return preds
    for name in SCORES_NAMES:
        if isinstance(preds, Mapping) and name in preds:
            return preds[name]
        if hasattr(preds, name):
            return getattr(preds, name)
    held = f"keys {sorted(map(str, preds))}" if isinstance(preds, Mapping) else f"a {type(preds).__name__}"
    raise TypeError(
        'preds must be a tensor, an array, a list of them, or hold the scores as "out", "logits" or "output", '
        f"got {held}"
    )


def tensor(name: str, value: Any) -> Tensor:
    """A plain dense tensor that shares the memory of ``value`` where it can.

    Raises:
        TypeError: no tensor or array, or one that has no dense memory of its own.
    """
    if isinstance(value, Tensor):
        return _plain(name, value)
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{name} must not be a masked array: pass {name}.filled(value) and ignore_index=value")
    if not isinstance(value, np.ndarray):
        remedy = f": pass {name}.to_numpy()" if hasattr(value, "to_numpy") else ""
        raise TypeError(
            f"{name} must be a tensor, a numpy array or a list of them, got a {type(value).__name__}{remedy}"
        )
    plain = value.flags.writeable and value.dtype.isnative and min(value.strides, default=0) >= 0
    if not plain or any(stride % value.itemsize for stride in value.strides):
        value = value.astype(value.dtype.newbyteorder("="))
    try:
        return torch.from_numpy(value)
    except TypeError:
        raise TypeError(f"{name} must be an array of numbers, got dtype {value.dtype}") from None


def _plain(name: str, value: Tensor) -> Tensor:
    """The values of a tensor, of a subclass or of what ``torch.func`` made of one, as a plain tensor."""
    while _functorch.is_functorch_wrapped_tensor(value):
        if not _functorch.is_gradtrackingtensor(value):
            raise TypeError(
                f"{name} must be a tensor, got what torch.vmap or another transform of torch.func makes of one: "
                "call the metric outside of it, with the whole batch"
            )
        value = _functorch.get_unwrapped(value)
    kind = type(value)
    if kind.__torch_dispatch__ is not Tensor.__torch_dispatch__:
        raise TypeError(f"{name} must be a plain tensor, got a {kind.__name__}: {_remedy(name, kind)}")
    if value.layout != torch.strided or value.is_nested:
        raise TypeError(f"{name} must be a dense tensor, got layout {value.layout}: pass {name}.to_dense() or a list")
    if not _has_memory(value):
        raise TypeError(
            f"{name} must be a tensor with memory of its own, got one whose memory was freed or never given: "
            f"pass the values themselves, such as a clone of {name} that was made before"
        )
    if value.requires_grad:
        value = value.detach()
    if value.is_neg():
        value = value.resolve_neg()
    return value if kind is Tensor else value.detach().as_subclass(Tensor)


def _has_memory(value: Tensor) -> bool:
    """Whether the address of a tensor's values may be read; a meta tensor is refused for its device elsewhere."""
    if value.is_meta or not value.numel():
        return True
    try:
        return value.untyped_storage().data_ptr() != 0
    except (RuntimeError, NotImplementedError):
        return False


def _remedy(name: str, kind: type) -> str:
    """What to pass in place of a tensor that wraps others."""
    known = {
        "DTensor": f"pass {name}.full_tensor(), or {name}.to_local() on each rank where images are sharded",
        "AsyncCollectiveTensor": f"pass {name}.wait()",
        "MaskedTensor": f"pass {name}.to_tensor(value) and ignore_index=value",
        "FakeTensor": "it has no values to count, call the metric outside of the mode that makes such tensors",
        "NestedTensor": f"pass {name}.unbind(), a list of images",
    }
    return known.get(kind.__name__, f"pass the values of {name} as one torch.Tensor")
