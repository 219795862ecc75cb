"""the exponential moving average (Polyak and Juditsky, SIAM J. Control Optim. 30, 838 (1992))."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from mtt.errors import Problem, TrainingError, did_you_mean
from mtt.training.averaging.kind import AverageKind
from mtt.training.options.named_options import Option, is_number

if TYPE_CHECKING:
    from mtt.mlip import MLIPModel

DECAY = Option(0.999, lambda v: is_number(v) and 0 <= v < 1, "a number from 0 to below 1")
"""Of one optimizer step."""


class EMA:
    """Averaged weights in a separate model; the model in training is never changed.

    After optimizer step n = 1, 2, … every parameter, frozen or not, follows
    a ← d a + (1 - d) w with d = min(decay, (1 + n) / (10 + n)), so that the start is soon
    forgotten: the first d is 2/11. Parameters of 16 bits are averaged in float32, where small
    changes still count. Buffers are not averaged: they are those of the model in training.

    :param model: its parameters must stay the same objects; their values may move.
    :param decay: in [0, 1); 0.999 remembers about 1000 steps.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        assert 0 <= decay < 1, decay
        self.decay = decay
        self.n = 0
        self._model = copy.deepcopy(model).eval()
        self._names = [name for name, _ in model.named_parameters()]
        self._live: list[Tensor] = list(model.parameters())
        self._copied: list[Tensor] = list(self._model.parameters())
        self._averages = [
            p.detach().float() if p.dtype in (torch.float16, torch.bfloat16) else p
            for p in self._copied
        ]
        self._rounded = any(a is not p for a, p in zip(self._averages, self._copied, strict=True))
        self._buffers = [
            (source, copied, name)
            for source, copied in zip(model.modules(), self._model.modules(), strict=True)
            for name in source._buffers
        ]

    @property
    def model(self) -> nn.Module:
        """Always the same copy, in evaluation mode, which shares no storage with the other.

        Its buffers are brought up to date when this is read: tables of constants can be
        large, and most steps need none of them.
        """
        for source, copied, name in self._buffers:
            copied._buffers[name] = _copied(source._buffers[name], copied._buffers[name])
        return self._model

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights of the model in training; once after every optimizer step."""
        self.n += 1
        decay = min(self.decay, (1 + self.n) / (10 + self.n))
        torch._foreach_lerp_(self._averages, self._weights(), 1 - decay)
        self._publish()

    def finish(self) -> None:
        """Nothing to do: the weights in training are the latest, averaged or not."""

    def state_dict(self) -> dict[str, Any]:
        """``n``, the updates so far, and ``weights``: copies of the averages, by name."""
        named = zip(self._names, self._averages, strict=True)
        weights = {name: average.detach().clone() for name, average in named}
        return {"n": self.n, "weights": weights}

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the result of :meth:`state_dict`.

        :raises TrainingError: the averages are those of another model, with each difference, or of
            another kind.
        """
        if "weights" not in state:
            what = "the average of the weights in the checkpoint is of another kind"
            raise TrainingError(what, hint="restart with the ema option that it had")
        weights: Mapping[str, Tensor] = state["weights"]
        self._check(weights)
        self.n = int(state["n"])
        for name, average in zip(self._names, self._averages, strict=True):
            average.copy_(weights[name])
        self._publish()

    def _weights(self) -> list[Tensor]:
        if not self._rounded:
            return list(self._live)
        pairs = zip(self._live, self._averages, strict=True)
        return [weight.to(average.dtype) for weight, average in pairs]

    def _publish(self) -> None:
        """Round the averages to the precision of the copy."""
        if self._rounded:
            torch._foreach_copy_(self._copied, self._averages)

    def _check(self, weights: Mapping[str, Tensor]) -> None:
        problems = [
            Problem(f"the averaged weights hold {name!r}, which the model has not",
                    hint=did_you_mean(name, self._names))
            for name in weights
            if name not in self._names
        ]  # fmt: skip
        for name, average in zip(self._names, self._averages, strict=True):
            if name not in weights:
                problems.append(Problem(f"the averaged weights lack {name!r} of the model"))
            elif weights[name].shape != average.shape:
                old, new = list(weights[name].shape), list(average.shape)
                problems.append(
                    Problem(f"the average of {name!r} has shape {old}, the model's is {new}")
                )
        if problems:
            raise TrainingError.collect(problems)


def _copied(value: Tensor | None, into: Tensor | None) -> Tensor | None:
    """Copy ``value`` into the storage of ``into`` where that fits, else into new storage."""
    if value is None:
        return None
    value = value.detach()
    if into is None or into.shape != value.shape:
        return value.clone()
    return into.to(value).copy_(value)


def make(model: MLIPModel, optimizer: Optimizer, options: Mapping[str, Any]) -> EMA:
    """Make an average of the weights of any optimizer."""
    return EMA(model, options["decay"])


AVERAGE = AverageKind(make, {"decay": DECAY})
