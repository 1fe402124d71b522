"""The process that imported segiou; noted by the package itself, for the first count may be in a fork of it."""

import multiprocessing
import os

_process = os.getpid()


def is_forked() -> bool:
    """Whether this process may be a fork; all that multiprocessing starts count as that."""
    return os.getpid() != _process or multiprocessing.parent_process() is not None
