"""One process of several, as ``torchrun`` starts them: shares, and what every process is to know."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from torch import distributed

T = TypeVar("T")


@contextmanager
def joined() -> Iterator[None]:
    """Inside, the processes that ``torchrun`` started can talk to each other; one alone has nothing to do."""
    alone = not (distributed.is_available() and distributed.is_torchelastic_launched())
    if alone or int(os.environ["WORLD_SIZE"]) == 1:
        yield
        return
    distributed.init_process_group("gloo")
    try:
        yield
    finally:
        distributed.destroy_process_group()


def place() -> tuple[int, int]:
    """The number of this process, and how many there are."""
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def from_first(function: Callable[[], T]) -> T:
    """What the function gives in the first process, in all of them; or the ValueError or OSError that it raised."""
    rank, world = place()
    told: list[Any] = [None]
    if rank == 0:
        try:
            told = [function()]
        except (ValueError, OSError) as error:
            told = [error]
    if world > 1:
        distributed.broadcast_object_list(told)
    if isinstance(told[0], ValueError | OSError):
        raise told[0]
    found: T = told[0]
    return found


def gathered(mine: T) -> list[T]:
    """What each process has, in all of them."""
    world = place()[1]
    if world == 1:
        return [mine]
    found: list[Any] = [None] * world
    distributed.all_gather_object(found, mine)
    return found


def threads() -> int:
    """The processor cores of this process, of those on this machine its share."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, cores // int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
