"""Files that are written whole or not at all, to places that were checked before."""

import errno
import os
import stat
from pathlib import Path


def require_writable(path: str | os.PathLike[str]) -> Path:
    """The path of a file that can be written or replaced; nothing is written.

    Raises:
        FileNotFoundError: the folder does not exist.
        NotADirectoryError: the folder is a file.
        IsADirectoryError: the path is a folder.
        PermissionError: the folder, or the device or pipe at the path, does not let itself be written to.
    """
    target = Path(path)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "the file to write must be a file, and is a folder", str(target))
    if is_special(target):
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, "the device or pipe to write to must be writable", str(target))
        return target
    folder = Path(os.path.realpath(target)).parent  # a link stays, and the file that it leads to is replaced
    if not folder.exists():
        raise FileNotFoundError(errno.ENOENT, "the folder of the file to write must exist: make it first", str(folder))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, "the folder of the file to write must be a folder", str(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, "the folder of the file to write must be writable", str(folder))
    return target


def is_special(path: Path) -> bool:
    """Whether there is something at the path that is no regular file, such as a device or a pipe."""
    if path.absolute().parts[1:2] in (("dev",), ("proc",)):  # /dev/fd/3 may be a file that another process has open
        return path.exists() and not path.is_dir()
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def write_whole(path: str | os.PathLike[str], data: bytes) -> None:
    """Write a file beside the one at ``path`` and put it in its place, so that nobody sees half of it.

    What is no regular file, such as a device or a pipe, is written to as it is.

    Raises:
        OSError: the folder does not exist, is not writable, or the disk is full; the file is then as before.
    """
    target = require_writable(path)
    if is_special(target):
        with target.open("wb", buffering=0) as file:
            left = memoryview(data)
            while left:
                left = left[file.write(left) :]
        return
    target = Path(os.path.realpath(target))
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        part.write_bytes(data)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
