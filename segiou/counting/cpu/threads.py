"""Run one function on several threads: those of torch's OpenMP where they can be had, else a pool of Python's.

After an operation torch's threads spin for some milliseconds, waiting for the next, and keep others from the cores.
The pool belongs to the process that made it: a forked child starts its own, for OpenMP would wait for threads that
only the parent has.
"""

import ctypes
import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import torch

from segiou.counting.forks import forked

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


@lru_cache(maxsize=1)
def _openmp() -> int:
    """The address of ``GOMP_parallel`` (GNU's, also LLVM's and Intel's on Linux) in what torch is linked with, or 0."""
    try:
        function = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (AttributeError, OSError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0


def _pool(helpers: int) -> ThreadPoolExecutor:
    key = (os.getpid(), helpers)
    pool = _pools.get(key)
    if pool is None:
        pool = _pools.setdefault(key, ThreadPoolExecutor(helpers, thread_name_prefix="segiou"))
    return pool


def together(threads: int, function: Callable[[int, int, Any], None], job: Any) -> None:
    """Run ``function(launch, threads, job)`` on up to ``threads`` threads, and wait for those that have begun.

    Where ``launch`` is not 0 the function itself calls it (``native.team``). It shares out its work as it goes, so
    that it does not matter how many come to help, or when.
    """
    launch = _openmp() if threads > 1 and not forked() else 0
    if launch:
        function(launch, threads, job)
        return
    helpers: list[Future[None]] = []
    try:
        for _ in range(threads - 1):
            helpers.append(_pool(threads - 1).submit(function, 0, 1, job))
    except RuntimeError:  # the interpreter is shutting down
        pass
    try:
        function(0, 1, job)
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()
