"""Whether this process is the fork of another; loaded by ``import segiou``, for the first count may be in the fork."""

import multiprocessing
import os

_process = os.getpid()


def forked() -> bool:
    """Whether this process may be the fork of another; all that multiprocessing starts count as that."""
    return os.getpid() != _process or multiprocessing.parent_process() is not None
