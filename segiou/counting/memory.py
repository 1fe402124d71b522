"""How much memory this machine has, and that what is asked for fits into it."""

import os


def physical_memory() -> int | None:
    """The bytes of memory of this machine; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return None


def in_words(size: float) -> str:
    """A number of bytes as text.

    >>> in_words(3 * 2**30)
    '3.0 GiB'
    """
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"


def lack_of_memory(size: int) -> str:
    """Why so many bytes do not fit into this machine, to follow a subject; empty where they do."""
    whole = physical_memory()
    if whole is None or size <= whole:
        return ""
    return f"takes {in_words(size)} of memory, and this machine has {in_words(whole)}"
