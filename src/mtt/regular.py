"""What a path that is to be read leads to: a regular file, or something that never ends."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import NamedTuple

_KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}
_KERNEL = ("/proc", "/sys")


class Unreadable(NamedTuple):
    """Why nothing can be read, and what to do about it."""

    what: str
    hint: str


def unreadable(path: str | os.PathLike[str]) -> Unreadable | None:
    """Why ``path`` exists and is still not a file to read from; None where it is, or is missing.

    Links are followed. Pipes, devices and the kernel's own files may have no end, or none that
    comes: nothing is opened. Folders are left to the caller.
    """
    path = Path(path)
    try:
        found = os.stat(path)
    except FileNotFoundError:
        if path.is_symlink():
            return _dangling(path)
        return None
    except OSError as error:  # links in a circle, a name that is too long, a folder of others
        return Unreadable(f"cannot be read: {error.strerror}", "")
    kind = stat.S_IFMT(found.st_mode)
    if kind in (stat.S_IFREG, stat.S_IFDIR) and not _is_of_kernel(found):
        return None
    what = _KINDS.get(kind, "a file of the kernel")
    target = os.path.realpath(path)
    link = f" ({target})" if path.is_symlink() else ""
    return Unreadable(f"not a regular file, but {what}{link}", "give a file on the disk")


def _dangling(path: Path) -> Unreadable:
    first = os.readlink(path)
    last = os.path.realpath(path)
    through = f", which leads to {last}" if os.path.join(path.parent, first) != last else ""
    relative = not os.path.isabs(first)
    where = f"{first}{through}" if relative else first
    hint = "correct the link, or put the file there"
    return Unreadable(f"the link points to nothing: {where}", hint)


def _is_of_kernel(found: os.stat_result) -> bool:
    for folder in _KERNEL:
        try:
            if os.stat(folder).st_dev == found.st_dev and found.st_dev != os.stat("/").st_dev:
                return True
        except OSError:  # a system without it
            continue
    return False
