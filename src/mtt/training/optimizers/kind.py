"""What an optimizer is made from."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.optim import Optimizer

from mtt.errors import ConfigError
from mtt.training.options.defaults import SECTION
from mtt.training.options.named_options import Option, is_integer, is_number

WHERE = f"{SECTION}.optimizer"
"""Name of the option in messages."""

ELSEWHERE = {
    "lr": "use learning_rate",
    "weight_decay": "use weight_decay beside optimizer",
    "warmup_steps": "use warmup_fraction, or warmup_steps of the scheduler",
    "params": "all that requires a gradient is trained",
    "foreach": "the fastest kernels are taken by themselves",
    "fused": "the fastest kernels are taken by themselves",
}
"""Arguments of optimizers that the platform sets, and what to do instead."""

_UNSET = ("self", "maximize", "capturable", "differentiable", "data_format", "kwargs")


@dataclass(frozen=True)
class OptimizerKind:
    """One optimizer by name.

    :param source: its class; its arguments are the options.
    :param extra: or the name of its class in pytorch-optimizer.
    :param fixed: arguments that make it what its name says.
    :param defaults: arguments for which the platform has other defaults than the class.
    :param decay: ``argument`` (the class's own weight decay), ``gradient`` (added to the
        gradient before it is clipped), or ``""`` (none).
    :param grouped: whether parameters may have different options.
    :param rates: whether they may have different learning rates.
    :param by_matrix: whether its groups say by ``matrices`` if their parameters are matrices.
    :param sets: options of the training that go with it, set where they have the platform's
        default.
    :param shaping: options on which it depends what a state consists of, or which it holds
        itself: a state of another value is refused.
    :param state_of: another optimizer whose state it can take, and which can take its own.
    :param cost: of a step of one weight, in any unit, from the weight and the options of its
        group. Several ranks then share the weights out by it: the step of each must follow from
        its own gradient and state alone. None: every rank moves all weights, which is faster
        where a step takes no longer than to send them.
    """

    source: type[Optimizer] | None = None
    extra: str = ""
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    decay: str = "argument"
    grouped: bool = True
    rates: bool = True
    by_matrix: bool = False
    sets: Mapping[str, Any] = field(default_factory=dict)
    shaping: tuple[str, ...] = ()
    state_of: str = ""
    cost: Callable[[Tensor, Mapping[str, Any]], float] | None = None

    def optimizer_class(self, name: str) -> type[Optimizer]:
        """The class.

        :raises ConfigError: it is in an extra that is not installed.
        """
        if self.source is not None:
            return self.source
        try:
            extra = importlib.import_module("pytorch_optimizer")
        except ImportError:
            raise ConfigError(
                f"{name!r} needs pytorch-optimizer",
                where=WHERE,
                hint="pip install 'mtt[optimizers]'",
            ) from None
        loaded: type[Optimizer] = getattr(extra, self.extra)
        return loaded

    def options(self, cls: type[Optimizer]) -> dict[str, Option]:
        """Options that a user may set, from the signature of ``cls``."""
        parameters = inspect.signature(cls).parameters
        hidden = {*ELSEWHERE, *_UNSET, *self.fixed}
        known = {key: p.default for key, p in parameters.items() if key not in hidden}
        return {key: _option(key, default) for key, default in {**known, **self.defaults}.items()}


_CHOICES = {
    "line_search_fn": (None, "strong_wolfe"),
    "adjust_lr_fn": (None, "original", "match_rms_adamw"),
}


def _option(key: str, default: Any) -> Option:
    """Describe the values that an argument may have, from its default."""
    if key in _CHOICES:
        allowed = _CHOICES[key]
        names = ", ".join("null" if name is None else name for name in allowed)
        return Option(default, lambda v: v in allowed, f"one of {names}")
    if isinstance(default, bool):
        return Option(default, lambda v: isinstance(v, bool), "true or false")
    if isinstance(default, tuple):
        return Option(default, lambda v: _is_list(v, default), f"a list of {len(default)} numbers")
    if isinstance(default, int) and key not in _REAL:
        return Option(default, is_integer, "an integer")
    if default is None and key in _COUNTS:
        return Option(default, is_integer, "an integer")
    return Option(default, is_number, "a number")


_REAL = ("momentum", "dampening", "decoupling_c")
"""Numbers whose default is written as an integer."""

_COUNTS = ("max_eval",)
"""Integers whose default is None."""


def _is_list(value: Any, default: tuple[Any, ...]) -> bool:
    if not isinstance(value, list | tuple) or len(value) != len(default):
        return False
    pairs = zip(value, default, strict=True)
    return all(is_number(v) or (v is None and d is None) for v, d in pairs)
