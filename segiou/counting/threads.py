"""How many threads count, and whose: those of torch's OpenMP, which wait for work anyway after each operation."""

import ctypes
import functools

import torch

from segiou.environment.first_process import is_forked

ALONE = 200_000  # scores or pixels: below, handing work to another thread takes longer than doing it


def team(work: int, bins: int) -> tuple[int, int]:
    """Number of threads for so many scores or pixels and bins, and the address of what starts them, or 0."""
    if work < ALONE or work < 4 * bins or is_forked():
        return 1, 0  # OpenMP would wait for threads that only the parent of a fork has
    launch = openmp()
    return (torch.get_num_threads() if launch else 1), launch


@functools.lru_cache(maxsize=1)
def openmp() -> int:
    """The address of ``GOMP_parallel`` (GNU's, also LLVM's and Intel's on Linux) in what torch is linked with, or 0."""
    try:
        function = ctypes.CDLL(torch._C.__file__).GOMP_parallel
    except (AttributeError, OSError):
        return 0
    return ctypes.cast(function, ctypes.c_void_p).value or 0
