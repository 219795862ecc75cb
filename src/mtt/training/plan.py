"""The stages of a training, from its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mtt.errors import ConfigError, Problem
from mtt.training.optimizers import preset
from mtt.training.options.defaults import SECTION


@dataclass(frozen=True)
class StagePlan:
    """What one stage is to do.

    :param number: from 0.
    :param source: weights to begin with, ``"last"`` or ``"best"`` (of the run so far).
    :param hypers: the options of the training, with those of the stage over them.
    """

    number: int
    name: str
    source: str
    num_epochs: int
    hypers: Mapping[str, Any]


def stage_plans(hypers: Mapping[str, Any]) -> list[StagePlan]:
    """One plan per entry of ``stages``, or a single one without such a list.

    :raises ConfigError: two stages of one name, or a first one that begins with the best.
    """
    sections = hypers["stages"] or [{"num_epochs": hypers["num_epochs"]}]
    plans: list[StagePlan] = []
    problems = []
    for number, section in enumerate(sections):
        own = {k: v for k, v in section.items() if k not in ("name", "from")}
        name = section.get("name", f"stage_{number + 1}")
        source = section.get("from", "last")
        where = f"{SECTION}.stages[{number}]"
        if not number and source == "best":
            what = "the first stage cannot begin with the best weights: there are none yet"
            problems.append(Problem(what, f"{where}.from", "leave it out"))
        if any(plan.name == name for plan in plans):
            problems.append(Problem(f"a second stage called {name!r}", f"{where}.name"))
        merged = preset({**hypers, **own})
        plans.append(StagePlan(number, name, source, section["num_epochs"], merged))
    if problems:
        raise ConfigError.collect(problems)
    return plans
