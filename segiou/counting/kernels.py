"""The choice of kernel: fused where it can be, torch operations everywhere else."""

import functools
import importlib
import logging
import os
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import TypeVar

import torch
from torch import Tensor

from segiou.counting import boundary_bands, eager
from segiou.counting.inputs import Batch, Counted
from segiou.counting.rules import Rules
from segiou.counting.upsample import image_by_image
from segiou.counting.verification import require_right

log = logging.getLogger("segiou")
Result = TypeVar("Result")

NATIVE = "segiou.counting.native"
FUSED = {"cpu": (NATIVE, "the C extension that the install builds"), "cuda": ("segiou.counting.cuda", "triton")}
VERIFIED = {"segiou.counting.cuda"}  # modules that are compiled on the user's machine, for a card that we have not seen
_failed: set[str] = set()  # modules whose kernels did not compile or run


def kernel_for(device: torch.device) -> ModuleType:
    """The module whose ``labels``, ``scores`` and ``binary`` count on this device.

    The environment variable ``SEGIOU_KERNEL`` decides: "eager", torch operations; "fused", the compiled
    kernels, and an error where there are none; unset or "auto", the compiled ones where the install has built
    them (CPU) or Triton is installed (CUDA).
    """
    return _chosen(device.type, os.environ.get("SEGIOU_KERNEL", "auto"))


@functools.lru_cache
def _chosen(device: str, wanted: str) -> ModuleType:
    """The kernels of a kind of device, imported when first asked for."""
    if wanted not in ("auto", "eager", "fused"):
        raise ValueError(f'SEGIOU_KERNEL must be "auto", "eager" or "fused", got {wanted!r}')
    return eager if wanted == "eager" else _fused(device, wanted == "fused") or eager


def _fused(device: str, required: bool) -> ModuleType | None:
    """The compiled kernels of a kind of device; None where there are none."""
    name, needs = FUSED.get(device, (None, None))
    if device == "cuda" and torch.version.hip:  # also "cuda" to torch, and not what the kernels are made for
        name = None
    try:
        module = importlib.import_module(name) if name else None
    except Exception as error:  # a compiler that does not fit raises more than ImportError
        if required:
            raise ImportError(f'SEGIOU_KERNEL="fused" needs {needs} for {device}: {error}') from error
        if not isinstance(error, ImportError):
            _warn(str(name), error)
        module = None
    if module is None and required:
        raise ValueError(f'SEGIOU_KERNEL="fused", but there are no compiled kernels for {device}')
    if module is None and name == NATIVE:
        log.info(
            "counting on the CPU with torch operations, several times slower: segiou was installed without a C compiler"
        )
    log.debug("counting on %s with %s", device, module.__name__ if module else eager.__name__)
    return module


def run(batch: Batch, rules: Rules, each: bool) -> Counted:
    """Count a batch."""
    return attempt(lambda kernel: _verified(kernel, batch, rules, each), batch.target.device)


def mark(kind: str, values: Tensor, bound: float, marking: boundary_bands.Marking, distance: int) -> Tensor:
    """``segiou.counting.boundary_bands.mark``, compiled where it can be."""

    def call(kernel: ModuleType) -> Tensor:
        room = importlib.import_module(f"{NATIVE}.boundary_bands") if kernel.__name__ == NATIVE else boundary_bands
        marked: Tensor = room.mark(kind, values, bound, marking, distance)
        return marked

    return attempt(call, values.device)


def attempt(call: Callable[[ModuleType], Result], device: torch.device) -> Result:
    """Call with compiled kernels; those that fail are warned of once, and torch operations take their place."""
    kernel = kernel_for(device)
    if kernel is not eager and kernel.__name__ not in _failed:
        try:
            return call(kernel)
        except Exception as error:  # whatever a compiler or a driver may raise: speed must not cost the count
            if os.environ.get("SEGIOU_KERNEL") == "fused":
                raise
            _failed.add(kernel.__name__)
            _warn(kernel.__name__, error)
    return call(eager)


def _warn(name: str, error: Exception) -> None:
    reason = f"{type(error).__name__}: {error}"
    warnings.warn(f"{name} failed and torch operations count instead, slower ({reason})", stacklevel=3)


def _verified(kernel: ModuleType, batch: Batch, rules: Rules, each: bool) -> Counted:
    """Count a batch with a kernel that has been found right, or need not be."""
    if kernel.__name__ in VERIFIED and batch.target.numel():
        require_right(kernel, _call, batch, rules)
    return _call(kernel, batch, rules, each)


def _call(kernel: ModuleType, batch: Batch, rules: Rules, each: bool) -> Counted:
    kind, preds, target = batch
    resized = preds.shape[2:] != target.shape[1:] if kind == "scores" else preds.shape != target.shape
    if not (rules.upsample and resized):
        return _count(kernel, batch, rules, each)
    if kind == "binary" or not hasattr(kernel, "upsampled_scores"):
        return image_by_image(lambda item: _count(kernel, item, rules, False), batch, rules, each)
    counted: Counted = kernel.upsampled_scores(
        preds, target, rules.num_classes, rules.ignore_index, each, rules.upsample, rules.align_corners
    )
    return counted


def _count(kernel: ModuleType, batch: Batch, rules: Rules, each: bool) -> Counted:
    """Count scores or labels that are of the target's size."""
    kind, preds, target = batch
    if kind == "binary":
        bound = rules.bound(preds.dtype)
        counted: Counted = kernel.binary(preds, target, bound, rules.from_logits is False, rules.ignore_index, each)
    elif kind == "scores":
        counted = kernel.scores(preds, target, rules.num_classes, rules.ignore_index, each)
    else:
        counted = kernel.labels(preds, target, rules.num_classes, rules.ignore_index, each)
    return counted
