"""Files that are written whole or not at all, to places that were checked before."""

import errno
import os
from pathlib import Path


def require_writable(path: str | os.PathLike[str]) -> Path:
    """The path of a file that can be written or replaced; nothing is written.

    Raises:
        FileNotFoundError: the folder does not exist.
        NotADirectoryError: the folder is a file.
        IsADirectoryError: the path is a folder.
        PermissionError: the folder does not let itself be written to.
    """
    target = Path(path)
    folder = target.parent
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, "the folder of the file to write must exist: make it first", str(folder))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "the folder of the file to write must be a folder", str(folder))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "the file to write must be a file, and is a folder", str(target))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "the folder of the file to write must be writable", str(folder))
    return target


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file beside the one at ``path`` and put it in its place, so that nobody sees half of it.

    Raises:
        OSError: the folder does not exist, is not writable, or the disk is full; the file is then as before.
    """
    target = require_writable(path)
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
