"""Memory: how much there is, and one message where it was not enough."""

from __future__ import annotations

import logging
import os
import resource
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch

from mtt.errors import MttError

log = logging.getLogger(__name__)

GIB = 2**30

# what torch, CUDA's libraries and the C++ runtime say; only some have their own type
_SIGNS = (
    *("DefaultCPUAllocator: can't allocate memory", "DefaultCPUAllocator: not enough memory"),
    *("CUDA out of memory", "CUDA error: out of memory", "ALLOC_FAILED", "bad_alloc"),
)


class OutOfMemory(MttError):
    """The device, or the machine, has no memory left for what it was asked to do."""


class Remedy(NamedTuple):
    """Remedy for a lack of memory: the option's place, and what to change."""

    where: str = ""
    hint: str = ""


@contextmanager
def telling_lack(
    device: torch.device, doing: Callable[[], str], remedy: Callable[[], Remedy]
) -> Iterator[None]:
    """Turn a lack of memory within the block into one error.

    :param doing: for what there was none left.
    :raises OutOfMemory: with what ``doing`` and ``remedy`` say then, and the device's memory.
    """
    try:
        yield
        return
    except (MemoryError, RuntimeError) as error:
        if not lacks_memory(error):
            raise
        log.debug("out of memory", exc_info=error)
        # the frames hold the tensors: without them there is memory again, for a checkpoint
        traceback.clear_frames(error.__traceback__)
        error.__traceback__ = None
    where, hint = remedy()
    what = f"no memory is left for {doing()}; {in_words(device)}"
    raise OutOfMemory(what, where=where, hint=hint) from None


def lacks_memory(error: BaseException) -> bool:
    """Whether ``error`` says that memory could not be had, on whatever device."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and says_lack(str(error))


def says_lack(text: str) -> bool:
    """Whether the message of an error, perhaps of another process, reports a lack of memory."""
    return "MemoryError" in text or any(sign in text for sign in _SIGNS)


def free_memory(device: torch.device) -> int:
    """Bytes that this process can still use, including those that torch has reserved."""
    if device.type == "cuda":
        kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(torch.cuda.mem_get_info(device)[0] + kept)
    return max(0, min([_available(), *_limits()]))


def in_words(device: torch.device) -> str:
    """``cuda:0 (NVIDIA H200) has 139.8 GiB, of which 0.3 GiB are free``."""
    if device.type == "cuda":
        name = f"{device} ({torch.cuda.get_device_name(device)})"
        total = torch.cuda.mem_get_info(device)[1]
    else:
        name, total = "this machine", os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    free = free_memory(device) / GIB
    return f"{name} has {total / GIB:.1f} GiB, of which {free:.1f} GiB are free for this process"


def _available() -> int:
    """Free memory of the machine; all memory where the system does not say what is free."""
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 1024 * int(text.partition("MemAvailable:")[2].split()[0])


def _limits() -> Iterator[int]:
    """Limits of the process (``ulimit -v``) and of its control groups (queues, containers)."""
    soft, _ = resource.getrlimit(resource.RLIMIT_AS)
    if soft != resource.RLIM_INFINITY and Path("/proc/self/statm").exists():
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        yield soft - pages * resource.getpagesize()
    try:
        groups = Path("/proc/self/cgroup").read_text(encoding="ascii").split()
    except OSError:
        return
    for line in groups:
        _, controllers, path = line.split(":", 2)
        if controllers not in ("", "memory"):
            continue
        root = Path("/sys/fs/cgroup", controllers)
        maximum, used = (
            ("memory.limit_in_bytes", "memory.usage_in_bytes")
            if controllers
            else ("memory.max", "memory.current")
        )
        folder = root / path.lstrip("/")
        for group in (folder, *folder.parents):
            if not group.is_relative_to(root):
                break
            try:
                limit = (group / maximum).read_text(encoding="ascii").strip()
                if limit != "max":
                    yield int(limit) - int((group / used).read_text(encoding="ascii"))
            except OSError:  # the root group has no such file; others belong to the host
                continue
