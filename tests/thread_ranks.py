"""Ranks that are threads of one process, and a step that they share; a plugin of pytest."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable
from typing import Any

import pytest


class Meeting:
    """Where threads exchange values; one that fails ends the others' waiting."""

    def __init__(self, size: int) -> None:
        self.values: list[Any] = [None] * size
        self.barrier = threading.Barrier(size, timeout=60)

    def exchange(self, rank: int, value: Any) -> list[Any]:
        self.values[rank] = value
        self.barrier.wait()
        found = list(self.values)
        self.barrier.wait()
        return found


@pytest.fixture(scope="session")
def together() -> Callable[..., list[Any]]:
    """``together(size, work)``: ``work(ranks)`` in a thread for each rank; results in order."""
    import torch

    from mtt.ranks import Ranks

    class ThreadRanks(Ranks):
        def __init__(self, rank: int, meeting: Meeting) -> None:
            self.rank, self.size, self._meeting = rank, len(meeting.values), meeting

        def gather(self, value: Any) -> list[Any]:
            return self._meeting.exchange(self.rank, copy.deepcopy(value))

        def sum(self, tensors: Any) -> list[Any]:
            parts = zip(*self.gather(list(tensors)), strict=True)
            return [sum(each[1:], each[0]) for each in parts]

        def sum_known(self, tensors: Any, like: Any) -> list[Any]:
            own = [None if one is None else one.detach() for one in tensors]
            parts = zip(*self.gather(own), strict=True)
            known = [[tensor for tensor in some if tensor is not None] for some in parts]
            # a copy: threads would otherwise clip one and the same tensor
            return [sum(some[1:], some[0].clone()) if some else None for some in known]

        def largest(self, tensor: Any) -> Any:
            return torch.stack(self.gather(tensor)).amax(0)

    def together(size: int, work: Callable[[Any], Any]) -> list[Any]:
        meeting, results = Meeting(size), [None] * size
        errors: list[BaseException] = []

        def one(rank: int) -> None:
            try:
                results[rank] = work(ThreadRanks(rank, meeting))
            except threading.BrokenBarrierError:
                pass  # another thread has failed, and says why
            except BaseException as error:  # noqa: BLE001 - raised again below
                errors.append(error)
                meeting.barrier.abort()

        threads = [threading.Thread(target=one, args=(rank,)) for rank in range(size)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]
        return results

    return together


@pytest.fixture(scope="session")
def assert_equal_weights() -> Callable[..., None]:
    """``assert_equal_weights(some, others)``: tensors, or gradients, equal to 1e-12."""
    import torch

    def flat(tensors: Any) -> Any:
        return torch.cat([tensor.detach().flatten() for tensor in tensors])

    def check(some: Any, others: Any) -> None:
        torch.testing.assert_close(flat(some), flat(others), rtol=1e-12, atol=1e-13)

    return check


@pytest.fixture
def check_two_ranks(
    together: Any, assert_equal_weights: Any, make_batch: Any
) -> Callable[..., None]:
    """``check_two_ranks(make_model, data)``: two ranks move the weights as one does.

    One has three structures of the data, the other the rest.
    """
    import numpy as np
    import torch

    from mtt.options.training import parse
    from mtt.ranks import SerialRanks
    from mtt.training.losses.from_options import make_loss
    from mtt.training.losses.gradients import SummedGradient
    from mtt.training.step import Step

    def check(make_model: Callable[[], Any], data: Any) -> None:
        def step() -> Step:
            model = make_model()
            optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
            optimizer.param_groups[0] |= {"lr_factor": 1.0, "l2": 0.0}
            gradient = SummedGradient(list(model.parameters()))
            return Step(model, optimizer, gradient, 0.5, ranks=SerialRanks())

        one, steps = step(), [step(), step()]
        loss = make_loss(parse({}), data.info, one.model.scales, data)
        shares = [data.select(np.arange(3)), data.select(np.arange(3, len(data)))]
        whole = one(loss, [make_batch(data, one.model)], 0.1)

        def work(rank: Any) -> Any:
            own = steps[rank.rank]
            own.ranks = rank
            return own(loss, [make_batch(shares[rank.rank], own.model)], 0.1)

        for own, result in zip(steps, together(2, work), strict=True):
            assert result.fault == ""
            assert result.norm.item() == pytest.approx(whole.norm.item(), rel=1e-12)
            assert_equal_weights(own.model.parameters(), one.model.parameters())

    return check
