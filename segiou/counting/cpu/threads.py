"""Run one function on several threads. The pool belongs to the process that made it: a forked child starts its own."""

import os
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

_pools: dict[tuple[int, int], ThreadPoolExecutor] = {}


def _pool(helpers: int) -> ThreadPoolExecutor:
    key = (os.getpid(), helpers)
    pool = _pools.get(key)
    if pool is None:
        pool = _pools.setdefault(key, ThreadPoolExecutor(helpers, thread_name_prefix="segiou"))
    return pool


def together(threads: int, function: Callable[..., None], *args: Any) -> None:
    """Call the function on this thread and on up to ``threads - 1`` others, and wait for those that have begun.

    The function shares out its work as it goes, so that it does not matter how many come to help, or when.
    """
    helpers: list[Future[None]] = []
    try:
        for _ in range(threads - 1):
            helpers.append(_pool(threads - 1).submit(function, *args))
    except RuntimeError:  # the interpreter is shutting down
        pass
    try:
        function(*args)
    finally:
        for helper in helpers:
            if not helper.cancel():
                helper.result()
