"""Which optimizers there are."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import optim
from torch.optim import Optimizer

from mtt.errors import ConfigError
from mtt.training.optimizers.amsgrad import CorrectedAMSGrad
from mtt.training.optimizers.muon import MuonAdamW
from mtt.training.optimizers.shampoo_soap import SOAP
from mtt.training.options.defaults import SECTION
from mtt.training.options.named_options import Option, is_integer, is_number

WHERE = f"{SECTION}.optimizer"
"""Where the option stands, for messages."""

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
class Kind:
    """One optimizer.

    :param source: its class, or the name of one in pytorch-optimizer.
    :param fixed: arguments that make it what its name says.
    :param defaults: arguments for which the platform has other defaults than the class.
    :param decay: ``argument`` (the class's own weight decay), ``gradient`` (added to the
        gradient before it is clipped), or ``""`` (none).
    :param grouped: whether parameters may have different options.
    :param rates: whether they may have different learning rates.
    """

    source: type[Optimizer] | str
    fixed: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    decay: str = "argument"
    grouped: bool = True
    rates: bool = True

    def load(self, name: str) -> type[Optimizer]:
        """The class.

        :raises ConfigError: it is in an extra that is not installed.
        """
        if not isinstance(self.source, str):
            return self.source
        try:
            extra = importlib.import_module("pytorch_optimizer")
        except ImportError:
            raise ConfigError(
                f"{name!r} needs pytorch-optimizer",
                where=WHERE,
                hint="pip install 'mtt[optimizers]'",
            ) from None
        loaded: type[Optimizer] = getattr(extra, self.source)
        return loaded

    def options(self, cls: type[Optimizer]) -> dict[str, Option]:
        """What a user may set, from the signature of ``cls``."""
        parameters = inspect.signature(cls).parameters
        hidden = {*ELSEWHERE, *_UNSET, *self.fixed}
        known = {key: p.default for key, p in parameters.items() if key not in hidden}
        return {key: _option(key, default) for key, default in {**known, **self.defaults}.items()}


OPTIMIZERS: dict[str, Kind] = {
    "adam": Kind(optim.Adam),
    "adamw": Kind(optim.AdamW),
    "amsgrad": Kind(optim.Adam, fixed={"amsgrad": True}),
    "nadam": Kind(optim.NAdam),
    "radam": Kind(optim.RAdam),
    "adafactor": Kind(optim.Adafactor),
    "sgd": Kind(optim.SGD),
    "lbfgs": Kind(
        optim.LBFGS,
        defaults={"line_search_fn": "strong_wolfe"},
        decay="",
        grouped=False,
        rates=False,
    ),
    "muon": Kind(MuonAdamW),
    "soap": Kind(SOAP),
    "mlip": Kind(CorrectedAMSGrad, decay="gradient"),
    "adabelief": Kind("AdaBelief"),
    "yogi": Kind("Yogi"),
    "lion": Kind("Lion"),
    # one distance estimate, and so one learning rate, for all parameters
    "prodigy": Kind("Prodigy", rates=False),
    "schedulefree_adamw": Kind("ScheduleFreeAdamW"),
    "schedulefree_sgd": Kind("ScheduleFreeSGD"),
}
"""All optimizers; the first two are those that ``null`` stands for."""

_CHOICES = {
    "line_search_fn": (None, "strong_wolfe"),
    "adjust_lr_fn": (None, "original", "match_rms_adamw"),
}


def _option(key: str, default: Any) -> Option:
    """What may be given for an argument, judged by its default."""
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
