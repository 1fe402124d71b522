"""What ``torch.compile`` and the transforms of ``torch.func`` are told to leave alone."""

import functools
import sys
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch._C import _DisableFuncTorch  # torch.func has no public name for these
from torch._C._functorch import peek_interpreter_stack

Function = TypeVar("Function", bound=Callable[..., Any])


def uncompiled(function: Function) -> Function:
    """Run ``function`` as it is inside a compiled step, at the cost of one graph break, and inside ``torch.func``.

    As ``torch.compiler.disable``, which would load the compiler, a second's work, for people who do not compile.
    Inside ``torch.func.grad`` and its kind every new tensor would be a wrapper without memory, the states too.
    """
    without: Function | None = None

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        nonlocal without
        if torch.compiler.is_compiling():  # Dynamo reads this very frame, and mistakes one ``without`` for another
            return torch.compiler.disable(function)(*args, **kwargs)  # type: ignore[no-untyped-call]
        if peek_interpreter_stack() is not None:
            with _DisableFuncTorch():
                return function(*args, **kwargs)
        if without is None and "torch._dynamo" in sys.modules:
            without = torch.compiler.disable(function)  # type: ignore[no-untyped-call]
        return (without or function)(*args, **kwargs)

    call._torchdynamo_disable = True  # type: ignore[attr-defined]  # what torch.compiler.disable sets
    return cast(Function, call)
