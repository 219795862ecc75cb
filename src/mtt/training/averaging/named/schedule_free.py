"""the average that a schedule-free optimizer keeps inside (Defazio et al., NeurIPS 2024)."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.optim import Optimizer

from mtt.training.averaging.kind import AverageKind

if TYPE_CHECKING:
    from mtt.mlip import MLIPModel


class ScheduleFreeAverage:
    """The average that a schedule-free optimizer keeps inside.

    Defazio et al., "The Road Less Scheduled", NeurIPS 2024. The optimizer's own switch to
    the averaged weights and back rounds; here the weights in training come back bit for bit.

    :param optimizer: with ``eval()`` and ``train()``.
    """

    def __init__(self, model: MLIPModel, optimizer: Optimizer) -> None:
        self._live = model
        self._copy = copy.deepcopy(model).eval().requires_grad_(False)
        self._optimizer = optimizer
        self._switch("train")

    @property
    def model(self) -> MLIPModel:
        """The copy, with the average of all steps so far."""
        kept = {name: p.detach().clone() for name, p in self._live.named_parameters()}
        self._switch("eval")
        self._copy.load_state_dict(self._live.state_dict())
        self._switch("train")
        with torch.no_grad():
            for name, parameter in self._live.named_parameters():
                parameter.copy_(kept[name])
        return self._copy

    def update(self) -> None:
        """Nothing to do: the optimizer averages."""

    @torch.no_grad()
    def finish(self) -> None:
        """The average: the weights in training are points at which gradients are taken, no more."""
        pairs = zip(self._live.parameters(), self.model.parameters(), strict=True)
        for parameter, averaged in pairs:
            parameter.copy_(averaged)

    def state_dict(self) -> dict[str, Any]:
        """Return an empty state: the optimizer's state holds the average."""
        return {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Do nothing: the optimizer restores the average."""

    def _switch(self, mode: str) -> None:
        getattr(self._optimizer, mode)()


def make(model: MLIPModel, optimizer: Optimizer, options: Mapping[str, Any]) -> ScheduleFreeAverage:
    """Make the average of a schedule-free optimizer."""
    return ScheduleFreeAverage(model, optimizer)


AVERAGE = AverageKind(make, of_optimizer=True)
