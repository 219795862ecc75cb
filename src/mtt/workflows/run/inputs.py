"""Inputs of the model in the data of a run: the missing ones, and those that nothing reads."""

from __future__ import annotations

import logging

from mtt.data.batching.inputs import named_numbers
from mtt.errors import DataError, Problem
from mtt.mlip import MLIPModel
from mtt.mlip.inputs.check import input_problems, wanted_inputs
from mtt.mlip.inputs.names import ANY, ANY_OF_ATOMS, WHERE
from mtt.mlip.states import STATES
from mtt.training import MLIPTrainer
from mtt.workflows.plan import Plan
from mtt.workflows.start import Start

log = logging.getLogger(__name__)


def check_inputs(plan: Plan, start: Start) -> None:
    """Whether every structure has the inputs that the model takes, with values that it takes.

    Those that the options list must be in all data sets. A charge or a spin that the model takes
    in any case has a default, where none of the data sets has it.

    :raises DataError: all mistakes, with file, frame and key.
    """
    model = start.model
    if not isinstance(model, MLIPModel):
        return
    wanted = wanted_inputs(model)
    sets = [one for part in plan.data.parts().values() for one in part]
    present = {name for one in sets for name in one.info.extra_data}
    required = {name for name in wanted if name in model.input_names or name in present}
    problems: list[Problem] = []
    for one in sets:
        problems += input_problems(one, wanted, required)
    if problems:
        raise DataError.collect(list(dict.fromkeys(problems)))


def announce_inputs(plan: Plan, start: Start) -> None:
    """Which ``extra_data`` nothing reads, and charges and spins that the data do not give.

    The trainer of a folder gets them with the structures, and may read them itself.
    """
    if not isinstance(start.trainer, MLIPTrainer):
        return
    model = start.model
    taken = list(model.all_inputs()) if isinstance(model, MLIPModel) else []
    sets = [one for part in plan.data.parts().values() for one in part]
    names = dict.fromkeys(name for one in sets for name in one.info.extra_data)
    read = {f"{target}_mask" for target in plan.data.info.targets} | set(taken)
    unread = [name for name in names if name not in read]
    if unread:
        log.warning(
            "extra_data: %s changes nothing: %s predicts from %s, and the training reads "
            "nothing but %s%s",
            ", ".join(unread),
            plan.architecture.name,
            f"structures, their {_listed(taken)}" if taken else "structures alone",
            ", ".join(sorted(read)),
            _remedy(model, unread, plan),
        )
    for name in [name for name in STATES if name in taken and name not in names]:
        log.warning(
            "%s takes a %s, and extra_data has none: it is %g in every structure",
            plan.architecture.name,
            name,
            STATES[name],
        )


def _listed(names: list[str]) -> str:
    *first, last = [STATES_IN_WORDS.get(name, name) for name in names]
    return f"{', their '.join(first)} and their {last}" if first else last


STATES_IN_WORDS = {"charge": "charge", "spin_multiplicity": "spin"}


def _remedy(model: object, unread: list[str], plan: Plan) -> str:
    """What to write for a model of this class to take what is not read; empty if it cannot."""
    if not isinstance(model, MLIPModel):
        return ""
    numbers = {name for one in plan.data.training for name in named_numbers(one.info)}
    extra = plan.data.info.extra_data
    able = [
        name
        for name in unread
        if name in model.__supported_inputs__
        or (
            name in numbers
            and (ANY_OF_ATOMS if extra[name].per_atom else ANY) in model.__supported_inputs__
        )
    ]
    if not able:
        return ""
    listed = ", ".join([*model.input_names, *able])
    return f"; to learn from it, write {WHERE}: [{listed}]"
