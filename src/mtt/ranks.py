"""Several processes that train one model together, and what they must agree on.

Each of them, a *rank*, sees its own part of every step. What follows from all parts (a gradient,
a count, whether to stop) is asked of :class:`Ranks`, by all ranks in the same order; one process
alone gets its own answer back, without a copy and without waiting for the device. Code that asks
never looks at how many ranks there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from mtt.errors import MttError

if TYPE_CHECKING:
    from torch import Tensor

T = TypeVar("T")


class RankError(MttError):
    """Another rank has failed, or has ended: what it says itself is the reason.

    :param exit_code: that of the other one, which has said why; 0 where it is not known.
    """

    def __init__(self, what: str, *, exit_code: int = 0, where: str = "", hint: str = "") -> None:
        super().__init__(what, where=where, hint=hint)
        self.exit_code = exit_code


class Ranks(ABC):
    """All processes of one training, as one of them sees them.

    Every method is called by all ranks, in the same order and at the same point of the work; each
    returns once it knows what the others say. :attr:`rank`, :attr:`size` and :attr:`is_first` may
    be read at any time.
    """

    rank: int
    """Number of this process, from 0."""

    size: int
    """How many processes there are."""

    local: int = 0
    """Number of this process among those of its machine, from 0."""

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all: writes files, logs, calls listeners."""
        return self.rank == 0

    @abstractmethod
    def gather(self, value: T) -> list[T]:
        """``value`` of every rank, ordered by rank.

        :param value: of plain types; what it holds may be shared with the result.
        """

    @abstractmethod
    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        """The sum over ranks of each tensor; the same bits on every rank.

        :param tensors: of the same shapes and dtypes on all ranks. They are left as they are; a
            sum may be the very tensor that was given, so neither is written into afterwards.
        """

    @abstractmethod
    def sum_known(
        self, tensors: Sequence[Tensor | None], like: Sequence[Tensor]
    ) -> list[Tensor | None]:
        """The sum over the ranks that know a tensor; None where no rank does.

        The sums are the caller's to write into; the tensors that were given are not read again.

        :param tensors: None where this rank has nothing to add.
        :param like: tensors of the shapes and dtypes, known or not.
        """

    @abstractmethod
    def largest(self, tensor: Tensor) -> Tensor:
        """The largest value over ranks, component by component; NaN where a rank has NaN."""

    def share(self, tensors: Sequence[Tensor]) -> None:
        """Give ``tensors`` of all ranks the values that those of the first one have, in place."""
        first = self.broadcast([tensor.detach() for tensor in tensors])
        for mine, shared in zip(tensors, first, strict=True):
            mine.detach().copy_(shared)

    def share_owned(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        """Give each tensor the values that it has on the rank that owns it, in place.

        :param tensors: of the same shapes and dtypes on all ranks.
        :param owners: a rank for each of them.
        """
        own = [t.detach() for t, owner in zip(tensors, owners, strict=True) if owner == self.rank]
        found = [iter(of_rank) for of_rank in self.gather(own)]
        for tensor, owner in zip(tensors, owners, strict=True):
            values = next(found[owner])
            if owner != self.rank:
                tensor.detach().copy_(values)

    def differing(self, value: Callable[[], Any]) -> list[int]:
        """Numbers of the ranks on which ``value`` is not what it is on the first.

        :param value: of plain types; not called where there is nothing to compare.
        """
        first, *others = self.gather(value())
        return [i for i, one in enumerate(others, start=1) if one != first]

    def sum_numbers(self, numbers: Sequence[float]) -> list[float]:
        """The sum over ranks of each number of the host; no device waits for it."""
        return [sum(each) for each in zip(*self.gather(numbers), strict=True)]

    def max(self, number: int) -> int:
        """The largest ``number`` of all ranks."""
        return max(self.gather(number))

    def min(self, number: int) -> int:
        """The smallest ``number`` of all ranks."""
        return min(self.gather(number))

    def any(self, flag: bool) -> bool:
        """Whether ``flag`` is set on at least one rank."""
        return any(self.gather(flag))

    def broadcast(self, value: T) -> T:
        """``value`` of the first rank."""
        return self.gather(value)[0]

    def limit_waiting(self, seconds: float) -> None:  # noqa: B027 - nothing to limit, as a rule
        """End all ranks where one of them has not answered for so long."""

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        self.gather(None)

    def on_first(self, work: Callable[[], T]) -> T:
        """Do ``work`` on the first rank alone; all ranks get its result, or the error it raised.

        :param work: asks nothing of the other ranks.
        """
        result: T | None = None
        error: BaseException | None = None
        if self.is_first:
            try:
                result = work()
            except BaseException as raised:  # noqa: BLE001 - all ranks raise it
                error = raised
        outcome, failure = self.broadcast((result, error))
        if failure is not None:
            raise failure
        return outcome  # type: ignore[return-value]  # of the first rank, which has one


class SerialRanks(Ranks):
    """One process, which is all of them."""

    rank = 0
    size = 1

    def gather(self, value: T) -> list[T]:
        return [value]

    def sum(self, tensors: Sequence[Tensor]) -> list[Tensor]:
        return list(tensors)

    def sum_known(
        self, tensors: Sequence[Tensor | None], like: Sequence[Tensor]
    ) -> list[Tensor | None]:
        return list(tensors)

    def sum_numbers(self, numbers: Sequence[float]) -> list[float]:
        return list(numbers)

    def share(self, tensors: Sequence[Tensor]) -> None:
        pass

    def share_owned(self, tensors: Sequence[Tensor], owners: Sequence[int]) -> None:
        pass

    def differing(self, value: Callable[[], Any]) -> list[int]:
        return []

    def largest(self, tensor: Tensor) -> Tensor:
        return tensor

    def on_first(self, work: Callable[[], T]) -> T:
        return work()


def stored_by_rank(states: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """States of all ranks as one: that of the first rank, with the others under ``rank 1`` ….

    One process alone stores its state as it is.
    """
    first, *others = states
    return {**first, **{f"rank {i}": dict(state) for i, state in enumerate(others, start=1)}}


def states_of_ranks(stored: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The states that :func:`stored_by_rank` put together, ordered by rank."""
    first = {key: value for key, value in stored.items() if not key.startswith("rank ")}
    n_others = len(stored) - len(first)
    return [first, *(dict(stored[f"rank {i}"]) for i in range(1, n_others + 1))]
