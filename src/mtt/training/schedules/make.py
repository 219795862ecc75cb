"""The schedule that the options ask for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mtt.errors import ConfigError
from mtt.options.training import NamedChoice, TrainingOptions
from mtt.training.options.defaults import SECTION
from mtt.training.options.named_options import (
    Option,
    check_name,
    check_options,
    is_integer,
    is_number,
)
from mtt.training.schedules.base import Schedule, Warmup
from mtt.training.schedules.curves import (
    Constant,
    Cosine,
    Drops,
    Exponential,
    Linear,
    OneCycle,
    StableDecay,
)
from mtt.training.schedules.plateau import Plateau

_WHERE = f"{SECTION}.scheduler"


@dataclass(frozen=True)
class _Request:
    """What a schedule is made from; all lengths are in optimizer steps of the stage."""

    peak: float
    total: int
    per_epoch: int
    warmup: Warmup
    options: dict[str, Any]

    @property
    def rest(self) -> int:
        """Steps after the warm-up."""
        return max(0, self.total - self.warmup.steps)


def _fraction(default: float | None) -> Option:
    return Option(default, lambda v: is_number(v) and 0 <= v <= 1, "a number from 0 to 1")


def _inner(default: float | None) -> Option:
    return Option(default, lambda v: is_number(v) and 0 < v < 1, "a number between 0 and 1")


def _positive(default: float | None) -> Option:
    return Option(default, lambda v: is_number(v) and v > 0, "a number above 0")


def _at_least_one(default: float) -> Option:
    return Option(default, lambda v: is_number(v) and v >= 1, "a number of at least 1")


def _count(default: int | None, low: int = 0) -> Option:
    return Option(default, lambda v: is_integer(v) and v >= low, f"an integer of at least {low}")


def _choice(*names: str) -> Option:
    return Option(names[0], lambda v: v in names, f"one of {', '.join(names)}")


_WARMUP = {"warmup_steps": _count(None), "warmup_from": _fraction(0.0)}


def _exponential(request: _Request) -> Schedule:
    factor, low = request.options["factor"], request.options["min_factor"]
    # without a factor the rate falls to a hundredth over the stage
    falls, span = (0.01, request.rest) if factor is None else (factor, request.per_epoch)
    return Schedule(request.peak, request.warmup, Exponential(falls, span, low))


def _step(request: _Request) -> Schedule:
    options = request.options
    every = max(1, round(options["every"] * request.per_epoch))
    drops = Drops(options["factor"], every, request.warmup.steps, options["min_factor"])
    return Schedule(request.peak, request.warmup, drops)


def _linear(request: _Request) -> Schedule:
    span = request.rest if request.options["steps"] is None else request.options["steps"]
    return Schedule(request.peak, request.warmup, Linear(span, request.options["min_factor"]))


def _cosine(request: _Request) -> Schedule:
    curve = Cosine(request.rest, request.options["min_factor"])
    return Schedule(request.peak, request.warmup, curve)


def _one_cycle(request: _Request) -> Schedule:
    options = request.options
    curve = OneCycle(
        total=request.total,
        pct_start=options["pct_start"],
        div_factor=options["div_factor"],
        final_div_factor=options["final_div_factor"],
        anneal=options["anneal_strategy"],
    )
    return Schedule(request.peak, Warmup(0), curve)


def _stable_decay(request: _Request) -> Schedule:
    options = request.options
    span = min(request.rest, round(options["decay_fraction"] * request.total))
    curve = StableDecay(request.rest - span, span, options["shape"], options["min_factor"])
    return Schedule(request.peak, request.warmup, curve)


def _plateau(request: _Request) -> Schedule:
    own = {k: v for k, v in request.options.items() if k not in _WARMUP}
    return Plateau(request.peak, request.warmup, **own)


def _constant(request: _Request) -> Schedule:
    return Schedule(request.peak, request.warmup, Constant())


_PLATEAU = {
    "metric": Option("loss", lambda v: isinstance(v, str), "the name of a metric"),
    "mode": _choice("min", "max"),
    "factor": _inner(0.1),
    "patience": _count(10),
    "threshold": _fraction(1e-4),
    "cooldown": _count(0),
    "min_lr": Option(0.0, lambda v: is_number(v) and v >= 0, "a number of at least 0"),
}
_ONE_CYCLE = {
    "pct_start": _fraction(0.3),
    "div_factor": _at_least_one(25.0),
    "final_div_factor": _at_least_one(1e4),
    "anneal_strategy": _choice("cos", "linear"),
}
_LOW = {"min_factor": _fraction(0.0)}

SCHEDULES: dict[str, tuple[Callable[[_Request], Schedule], dict[str, Option]]] = {
    "cosine": (_cosine, {**_LOW, **_WARMUP}),
    "linear": (_linear, {**_LOW, "steps": _count(None, 1), **_WARMUP}),
    "constant": (_constant, _WARMUP),
    "exponential": (_exponential, {"factor": _inner(None), **_LOW, **_WARMUP}),
    "step": (_step, {"every": _positive(None), "factor": _inner(0.1), **_LOW, **_WARMUP}),
    "one_cycle": (_one_cycle, _ONE_CYCLE),
    "warmup_stable_decay": (
        _stable_decay,
        {
            "decay_fraction": _fraction(0.2),
            "shape": _choice("linear", "sqrt", "cosine"),
            **_LOW,
            **_WARMUP,
        },
    ),
    "plateau": (_plateau, {**_PLATEAU, **_WARMUP}),
}
"""Name of a schedule to what makes it, and its options; the first one is the default."""


def make_schedule(options: TrainingOptions, total_steps: int, steps_per_epoch: int) -> Schedule:
    """The schedule of a stage.

    :param options: of them ``scheduler``, ``learning_rate`` (the peak) and ``warmup_fraction``.
    :param total_steps: optimizer steps of the stage.
    :param steps_per_epoch: optimizer steps of one epoch.
    :raises ConfigError: an unknown schedule or option, or a value that makes no sense.
    """
    chosen = options.scheduler or NamedChoice(next(iter(SCHEDULES)))
    name, given = chosen.name, chosen.options
    check_name(name, SCHEDULES, "schedule", _WHERE)
    build, known = SCHEDULES[name]
    elsewhere = {"lr": "use learning_rate", "warmup_fraction": "it stands beside scheduler"}
    check_options(given, known, _WHERE, elsewhere)
    if name == "step" and given.get("every") is None:
        hint = "epochs between two falls: {name: step, every: 30}"
        raise ConfigError("'every' is missing", where=_WHERE, hint=hint)
    own = {key: option.default for key, option in known.items()} | dict(given)
    steps = own.get("warmup_steps")
    if steps is None:
        steps = int(options.warmup_fraction * total_steps)
    warmup = Warmup(steps, own.get("warmup_from", 0.0))
    request = _Request(options.learning_rate, total_steps, steps_per_epoch, warmup, own)
    return build(request)
