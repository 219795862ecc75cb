"""Ranks that are processes: what they know is exchanged by torch.distributed.

Tensors of a GPU are summed by NCCL, those of a CPU and all plain values by gloo, so that no device
waits for a plain value. Every sum is one message, whatever the number of tensors. Plain values are
pickled: ranks are processes of one job, which run the same code, and trust each other.
"""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar, cast

import torch
import torch.distributed as dist
from torch import Tensor

from mtt.processes.watch import Watch
from mtt.ranks import RankError, Ranks

T = TypeVar("T")


class DistributedRanks(Ranks):
    """The processes of torch.distributed's default group, which has been made.

    :param watch: knows since when this rank has been waiting for the others.
    :param local: number of this process among those of its machine.
    :raises RankError: by all methods: another rank has ended.
    """

    def __init__(self, watch: Watch | None = None, local: int = 0) -> None:
        self.rank, self.size, self.local = dist.get_rank(), dist.get_world_size(), local
        self.watch = watch

    def gather(self, value: T) -> list[T]:
        found: list[Any] = [None] * self.size
        with self._together():
            dist.all_gather_object(found, value)
        return found

    def broadcast(self, value: T) -> T:
        found: list[Any] = [value if self.is_first else None]
        with self._together():
            dist.broadcast_object_list(found, 0)
        return cast(T, found[0])

    def on_first(self, work: Callable[[], T]) -> T:
        def portable_work() -> T:
            try:
                return work()
            except BaseException as error:
                other = _portable(error)
                if other is error:
                    raise
                raise other from error

        return super().on_first(portable_work)

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        found: dict[int, Tensor] = {}
        for same in _alike(tensors):
            flat = torch.cat([tensors[i].detach().flatten() for i in same])
            with self._together():
                dist.all_reduce(flat)
            sizes = [tensors[i].numel() for i in same]
            for i, part in zip(same, flat.split(sizes), strict=True):
                found[i] = part.view(tensors[i].shape)
        return [found[i] for i in range(len(tensors))]

    def sum_known(
        self, tensors: Sequence[Tensor | None], like: Sequence[Tensor]
    ) -> list[Tensor | None]:
        with self._together():
            ranks_with = torch.tensor([tensor is not None for tensor in tensors], dtype=torch.int32)
            known = dist.all_reduce(ranks_with, async_op=True)
            filled = [
                torch.zeros_like(other) if tensor is None else tensor
                for tensor, other in zip(tensors, like, strict=True)
            ]
            known.wait()
        sums = self.sum(filled)
        return [one if n else None for one, n in zip(sums, ranks_with.tolist(), strict=True)]

    def largest(self, tensor: Tensor) -> Tensor:
        lost = tensor.isnan()
        both = torch.stack([tensor.masked_fill(lost, -torch.inf), lost.to(tensor.dtype)])
        with self._together():
            dist.all_reduce(both, dist.ReduceOp.MAX)
        return both[0].masked_fill(both[1] > 0, torch.nan)

    def sum_numbers(self, numbers: Sequence[float]) -> list[float]:
        if not numbers:
            return []
        (found,) = self.sum([torch.tensor(numbers, dtype=torch.float64)])
        return [float(one) for one in found.tolist()]

    def limit_waiting(self, seconds: float) -> None:
        if self.watch is not None:
            self.watch.timeout = seconds

    def max(self, number: int) -> int:
        found = torch.tensor(number)
        with self._together():
            dist.all_reduce(found, dist.ReduceOp.MAX)
        return int(found)

    def min(self, number: int) -> int:
        return -self.max(-number)

    def any(self, flag: bool) -> bool:
        return bool(self.max(int(flag)))

    def share(self, tensors: Sequence[Tensor]) -> None:
        for tensor in tensors:
            shared = tensor.detach().contiguous()
            with self._together():
                dist.broadcast(shared, 0)
            tensor.detach().copy_(shared)

    def share_owned(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        for same in _alike(tensors):
            sizes = [0] * self.size
            for i in same:
                sizes[owners[i]] += tensors[i].numel()
            own = [tensors[i].detach().flatten() for i in same if owners[i] == self.rank]
            # all ranks send as much as the one that sends most
            filling = tensors[same[0]].detach().new_zeros(max(sizes) - sizes[self.rank])
            sent = torch.cat([*own, filling])
            found = [torch.empty_like(sent) for _ in range(self.size)]
            with self._together():
                dist.all_gather(found, sent)
            begins = [0] * self.size
            for i in same:
                owner, size = owners[i], tensors[i].numel()
                if owner != self.rank:
                    values = found[owner][begins[owner] : begins[owner] + size]
                    tensors[i].detach().copy_(values.view(tensors[i].shape))
                begins[owner] += size

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Wait for the others within the block."""
        if self.watch is not None:
            self.watch.waits(True)
        try:
            yield
        except RuntimeError as error:  # connections that others have closed
            if self.watch is not None:
                self.watch.raise_reason()
            raise RankError(
                f"another rank has ended: the connection to it is lost ({_first(error)})",
                hint="it was killed, as by the system where memory runs out, or its node is gone; "
                "the last checkpoint is valid",
            ) from error
        finally:
            if self.watch is not None:
                self.watch.waits(False)


def _alike(tensors: Sequence[Tensor]) -> list[list[int]]:
    """Numbers of the tensors of one device and dtype together."""
    kinds: dict[tuple[torch.device, torch.dtype], list[int]] = {}
    for i, tensor in enumerate(tensors):
        kinds.setdefault((tensor.device, tensor.dtype), []).append(i)
    return list(kinds.values())


def _portable(error: BaseException) -> BaseException:
    """``error``, or what is left of it, so that other processes can have it."""
    try:
        back = pickle.loads(pickle.dumps(error))
    except Exception:  # noqa: BLE001 - errors of any package; what they say is kept
        return RankError(f"{type(error).__name__}: {error}")
    return error if type(back) is type(error) else RankError(str(error))


def _first(error: BaseException) -> str:
    """The first sentence of a message, without the file of torch's sources that it is from."""
    line = str(error).strip().partition("\n")[0].partition(". ")[0]
    return re.sub(r"^\[\S+:\d+\] ", "", line)
