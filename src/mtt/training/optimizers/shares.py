"""Steps of an optimizer that ranks share: one rank updates each weight."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.optim import Optimizer

from mtt.discovery import OPTIMIZERS
from mtt.ranks import Ranks
from mtt.training.optimizers.kind import OptimizerKind
from mtt.training.optimizers.restore import restore_optimizer


class Shares:
    """The steps of an optimizer on one of several ranks.

    Where its kind says what a weight costs (:attr:`OptimizerKind.cost`), every weight has one
    rank that moves it and keeps its state, and the others take the result from that rank, as in
    the first stage of ZeRO (Rajbhandari et al., arXiv:1910.02054). All ranks then have the same
    bits, and a step costs each its share. Other optimizers, and one rank alone, move all weights.

    :param optimizer: made by :func:`make_optimizer`; any other one moves all weights.
    """

    def __init__(self, optimizer: Optimizer, ranks: Ranks) -> None:
        self._optimizer, self._ranks = optimizer, ranks
        self._parameters = [p for group in optimizer.param_groups for p in group["params"]]
        self.owners = owners(optimizer, ranks.size)

    def step(self, move: Callable[[], object]) -> None:
        """Move the weights by the gradients that they have.

        :param move: moves all weights that have a gradient, as ``optimizer.step`` does.
        """
        if not self.owners:
            move()
            return
        gradients = [parameter.grad for parameter in self._parameters]
        for parameter, owner in zip(self._parameters, self.owners, strict=True):
            if owner != self._ranks.rank:
                parameter.grad = None
        move()
        for parameter, gradient in zip(self._parameters, gradients, strict=True):
            parameter.grad = gradient
        moved = [i for i, gradient in enumerate(gradients) if gradient is not None]
        self._ranks.share_owned(
            [self._parameters[i] for i in moved], [self.owners[i] for i in moved]
        )

    def state_dict(self) -> dict[str, Any]:
        """That of the optimizer, complete on every rank: all call it together."""
        found = self._optimizer.state_dict()
        if not self.owners:
            return found
        own = {i: one for i, one in found["state"].items() if self._is_own(i)}
        forms = {i: {key: _form(value) for key, value in one.items()} for i, one in own.items()}
        every: dict[int, dict[str, Any]] = {}
        for of_rank in self._ranks.gather(forms):
            for i, entry in of_rank.items():
                device = self._parameters[i].device
                every[i] = own.get(i) or {key: _made(form, device) for key, form in entry.items()}
        state = dict(sorted(every.items()))
        tensors = [
            (i, value)
            for i, entry in state.items()
            for value in entry.values()
            if isinstance(value, Tensor)
        ]
        self._ranks.share_owned([t for _, t in tensors], [self.owners[i] for i, _ in tensors])
        return {**found, "state": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take what :meth:`state_dict` gave on any number of ranks.

        :raises TrainingError: as :func:`restore_optimizer`.
        """
        restore_optimizer(self._optimizer, state)
        if self.owners:
            for i, parameter in enumerate(self._parameters):
                if not self._is_own(i):
                    self._optimizer.state.pop(parameter, None)

    def _is_own(self, i: int) -> bool:
        return self.owners[i] == self._ranks.rank


def owners(optimizer: Optimizer, n_ranks: int) -> list[int]:
    """The rank that moves each parameter; empty where all ranks move all of them.

    Parameters are ranged by their cost, so that those of one shape, which optimizers move
    together, are neighbours, and the row is cut into parts of about equal cost.
    """
    name = optimizer.param_groups[0].get("optimizer")
    kind = OPTIMIZERS.load(name, OptimizerKind) if name and n_ranks > 1 else OptimizerKind()
    if kind.cost is None:
        return []
    costs = [kind.cost(p, group) for group in optimizer.param_groups for p in group["params"]]
    before, whole, found = 0.0, math.fsum(costs), [0] * len(costs)
    for i in sorted(range(len(costs)), key=lambda i: -costs[i]):
        found[i] = min(int(n_ranks * (before + costs[i] / 2) / whole), n_ranks - 1)
        before += costs[i]
    return found


class _Form(NamedTuple):
    """What others need to make room for a tensor; counters are on the host wherever weights are."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    on_host: bool


def _form(value: object) -> object:
    if not isinstance(value, Tensor):
        return value
    return _Form(tuple(value.shape), value.dtype, value.device.type == "cpu")


def _made(form: object, device: torch.device) -> object:
    if not isinstance(form, _Form):
        return form
    return torch.empty(form.shape, dtype=form.dtype, device="cpu" if form.on_host else device)
