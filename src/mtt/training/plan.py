"""The stages of a training, from its options."""

from __future__ import annotations

from dataclasses import dataclass

from mtt.errors import ConfigError, Problem
from mtt.options.training import SECTION, StageOptions, TrainingOptions
from mtt.training.optimizers import preset


@dataclass(frozen=True)
class StagePlan:
    """Plan of one stage.

    :param number: from 0.
    :param source: weights to begin with, ``"last"`` or ``"best"`` (of the run so far).
    :param options: those of the training, with those of the stage over them.
    :param where: they are in the options file.
    """

    number: int
    name: str
    source: str
    num_epochs: int
    options: TrainingOptions
    where: str = SECTION


def stage_plans(options: TrainingOptions) -> list[StagePlan]:
    """One plan per entry of ``stages``, or a single one without such a list.

    :raises ConfigError: two stages of one name, or a first one that begins with the best.
    """
    whole = StageOptions(num_epochs=options.num_epochs, options=options)
    plans: list[StagePlan] = []
    problems = []
    for number, stage in enumerate(options.stages or [whole]):
        name = stage.name or f"stage_{number + 1}"
        where = f"{SECTION}.stages[{number}]" if options.stages else SECTION
        if not number and stage.source == "best":
            what = "the first stage cannot begin with the best weights: there are none yet"
            problems.append(Problem(what, f"{where}.from", "leave it out"))
        if any(plan.name == name for plan in plans):
            problems.append(Problem(f"a second stage called {name!r}", f"{where}.name"))
        merged = preset(stage.options)
        plans.append(StagePlan(number, name, stage.source, stage.num_epochs, merged, where))
    if problems:
        raise ConfigError.collect(problems)
    return plans
