"""The most memory that a piece of work has at one time."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def peak_of(work: Callable[[], object], device: torch.device) -> int:
    """Peak number of bytes of the tensors that ``work`` makes.

    On a GPU as torch's allocator counts them. On the CPU the results of all operations, the
    backward pass included, from their creation until the last reference to them is dropped;
    temporary memory within an operation is not counted.
    """
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        torch.cuda.synchronize(device)
        return torch.cuda.max_memory_allocated(device) - before
    living = _Living()
    with living:
        work()
    return living.peak


class _Living(TorchDispatchMode):
    """Counts the bytes of storages that were made within, and are still there."""

    def __init__(self) -> None:
        super().__init__()
        self.peak = 0
        self._now = 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = {_place(leaf) for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and (place := _place(leaf)) not in given | self._known:
                storage = leaf.untyped_storage()
                self._known.add(place)
                self._now += storage.nbytes()
                weakref.finalize(storage, self._gone, place, storage.nbytes())
        self.peak = max(self.peak, self._now)
        return result

    def _gone(self, place: int, n_bytes: int) -> None:
        self._known.discard(place)
        self._now -= n_bytes


def _place(tensor: Tensor) -> int:
    """Identify the storage of a tensor; all views of it give the same number."""
    return int(tensor.untyped_storage()._cdata)
