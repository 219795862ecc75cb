"""Inputs of a model beside the structure, for the data that it predicts."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from metatomic.torch import AtomisticModel, System

from mtt.data.sample import Sample
from mtt.errors import ArchitectureError, DataError, Problem
from mtt.interface import ModelInterface
from mtt.mlip.inputs.check import Wanted, input_problems, wanted_inputs
from mtt.mlip.inputs.names import own_name
from mtt.mlip.inputs.reader import input_map
from mtt.mlip.inputs.stored import stored_inputs
from mtt.mlip.inputs.taking import TakesInputs
from mtt.mlip.states import STATES, state_map

if TYPE_CHECKING:
    from mtt.data import Dataset

log = logging.getLogger(__name__)


def inputs_of(model: ModelInterface | AtomisticModel) -> dict[str, Wanted]:
    """All inputs of ``model``; those of an author's own ``forward`` are not known.

    :raises ArchitectureError: the exported model asks for something else than charge, spin, and
        numbers of ``atoms.info`` and ``atoms.arrays``.
    """
    if isinstance(model, TakesInputs):
        return wanted_inputs(model)
    if isinstance(model, ModelInterface):
        return {}
    requested = model.requested_inputs(use_new_names=True)
    strange = [one for one in requested if one not in STATES and own_name(one) == one]
    if strange:
        what = f"the model needs {', '.join(sorted(strange))} in addition to the structures"
        raise ArchitectureError(what, hint="such models are not available yet")
    return stored_inputs(model.metadata(), requested)


def asked_of(model: ModelInterface | AtomisticModel) -> dict[str, bool]:
    """What systems must carry, as it is asked for, and whether it is of atoms."""
    if isinstance(model, ModelInterface):
        return {}
    requested = model.requested_inputs(use_new_names=True)
    return {name: output.sample_kind == "atom" for name, output in requested.items()}


def check_inputs(model: ModelInterface | AtomisticModel, dataset: Dataset) -> None:
    """Whether ``dataset`` has the inputs of ``model`` that have no default, in their range.

    :raises DataError: all mistakes, with file, frame and key.
    """
    wanted = inputs_of(model)
    problems = input_problems(dataset, wanted, set(wanted) - set(STATES))
    if problems:
        raise DataError.collect(problems)


def require_inputs(model: ModelInterface | AtomisticModel, datasets: Sequence[Dataset]) -> None:
    """Like :func:`check_inputs`, with charges and spins that the training set had.

    Of a model that was trained without them, a line says what they are taken to be.

    :raises DataError: all mistakes in all data sets.
    """
    wanted = inputs_of(model)
    required = {name for name, one in wanted.items() if one.given or name not in STATES}
    problems: list[Problem] = []
    for dataset in datasets:
        problems += input_problems(dataset, wanted, required)
    if problems:
        raise DataError.collect(list(dict.fromkeys(problems)))
    for name in set(wanted) - required:
        if any(name not in one.info.extra_data for one in datasets):
            log.warning(
                "the model takes a %s, and extra_data has none: it is %g in every structure",
                name,
                STATES[name],
            )


def with_inputs(sample: Sample, asked: Mapping[str, bool]) -> System:
    """The structure with its inputs: extra data of these names; charge and spin are 0 and 1 else.

    :param asked: see :func:`asked_of`.
    """
    for name, per_atom in asked.items():
        own = own_name(name)
        if name in STATES:
            value = torch.tensor([STATES[name]], dtype=torch.float64)
            if name in sample:
                value = sample[name].block().values.reshape(-1)[:1].nan_to_num(STATES[name])
            sample.system.add_data(name, state_map(name, value))
        else:
            values = sample[own].block().values.reshape(-1)
            sample.system.add_data(name, input_map(per_atom, values))
    return sample.system
