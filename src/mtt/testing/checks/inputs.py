"""Inputs beside the structure: they change what they should, and engines are asked for them."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import ase
import numpy as np
import torch
from torch import Tensor

from mtt.data import Dataset
from mtt.data.info import TargetInfo
from mtt.evaluation.predict import predict
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.inputs.names import ANY, ANY_OF_ATOMS, OPTION, requested
from mtt.mlip.states import STATES
from mtt.testing import systems
from mtt.testing.check import Check
from mtt.testing.failure import CheckFailed, DoesNotApply
from mtt.testing.measure import Measured, compared
from mtt.testing.predictions import AnyModel
from mtt.testing.subject import Subject

EXACT = 1e-9
FELT = 1e-9  # of the largest prediction: a smaller change is none
NUMBER, OF_ATOMS = "a_number", "a_number_of_atoms"

Given = dict[str, Any]


def check_effect(subject: Subject) -> Iterator[Measured]:
    """Each input changes the predictions for its own structure, and for no other of a batch."""
    taking = _taking(subject)
    model = taking.model()
    inputs = _inputs(model)
    first = _structures(subject, inputs)
    before = _values(model, taking, first, inputs, batch_size=2)
    alone = _values(model, taking, first, inputs, batch_size=1)
    for name in before:
        found, wanted = torch.cat(before[name]), torch.cat(alone[name])
        yield compared(f"{name} in a batch of structures with other inputs, and alone", found,
                       wanted, EXACT, unit=subject.info.targets[name].unit)  # fmt: skip
    for name, per_atom in inputs.items():
        after = _values(model, taking, _changed(first, name, per_atom), inputs, batch_size=2)
        if not any(_differ(after[target][0], before[target][0]) for target in before):
            raise CheckFailed(f"nothing that is predicted depends on the input {name}")
        for target in before:
            yield compared(f"{target} where {name} of another structure changes", after[target][1],
                           before[target][1], EXACT)  # fmt: skip


def check_beginning(subject: Subject) -> Iterator[Measured]:
    """A new model does not depend on its inputs, so that fine-tuning can add them to another."""
    taking = _taking(subject)
    model = taking.build().double().eval()
    if not isinstance(model, MLIPModel) or not model.input_modules():
        raise DoesNotApply("the model does not say which of its modules serve inputs")
    inputs = _inputs(model)
    first = _structures(subject, inputs)
    before = _values(model, taking, first, inputs, batch_size=2)
    for name, per_atom in inputs.items():
        after = _values(model, taking, _changed(first, name, per_atom), inputs, batch_size=2)
        for target in before:
            yield compared(f"{target} of a new model where {name} changes",
                           torch.cat(after[target]), torch.cat(before[target]), EXACT)  # fmt: skip


def check_engines(subject: Subject) -> Iterator[Measured]:
    """The exported model asks for its inputs, and predicts from them what the model does."""
    taking = _taking(subject)
    model = taking.model()
    inputs = _inputs(model)
    exported = copy.deepcopy(model).export()
    asked, wanted = exported.requested_inputs(use_new_names=True), requested(inputs)
    if set(asked) != set(wanted):
        what = f"engines are asked for {', '.join(sorted(asked)) or 'nothing'}"
        raise CheckFailed(f"{what}, the inputs are {', '.join(sorted(wanted))}")
    scripted = torch.jit.script(exported)
    structures = _structures(subject, inputs)
    before = _values(model, taking, structures, inputs, batch_size=2)
    after = _values(scripted, taking, structures, inputs, batch_size=2)
    for target in before:
        yield compared(f"{target} of the exported model with inputs, and the model's",
                       torch.cat(after[target]), torch.cat(before[target]), EXACT)  # fmt: skip


CHECKS: tuple[Check, ...] = (
    Check(
        "inputs change their own structure",
        check_effect,
        meaning="The charge of a molecule has no effect, or changes other molecules of the batch.",
        look="graph.charges, graph.spins and graph.numbers are of structures or atoms: spread "
        "those of structures by graph.system, and read all that __supported_inputs__ names.",
    ),
    Check(
        "a new input begins without effect",
        check_beginning,
        meaning="Fine-tuning a model with a new input starts with other predictions.",
        look="The last layer of what each module of input_modules() adds begins with zeros.",
    ),
    Check(
        "engines are asked for the inputs",
        check_engines,
        meaning="A simulation of a charged molecule is one of the neutral molecule.",
        look="requested_inputs() of the base class; forward must read the graph's inputs, not "
        "those of the data.",
    ),
)
"""Those of the catalogue, where an architecture takes inputs."""


def _taking(subject: Subject) -> Subject:
    """The same architecture, with all the inputs that it can take; made once."""
    known: Subject | None = getattr(subject, "_taking_inputs", None)
    if known is None:
        supported = getattr(subject.architecture.model, "__supported_inputs__", ())
        if not supported:
            raise DoesNotApply("the model takes structures alone")
        extra = {name: TargetInfo() for name in STATES if name in supported}
        extra |= {NUMBER: TargetInfo()} if ANY in supported else {}
        extra |= {OF_ATOMS: TargetInfo(sample_kind="atom")} if ANY_OF_ATOMS in supported else {}
        known = Subject(
            subject.architecture,
            model_hypers={**subject.model_hypers, OPTION: list(extra)},
            dataset_info=replace(subject.info, extra_data=extra),
        )
        subject._taking_inputs = known  # type: ignore[attr-defined]
    return known


def _inputs(model: ModelInterface) -> dict[str, bool]:
    if not isinstance(model, MLIPModel):
        raise DoesNotApply("only models built on MLIPModel take inputs of graphs")
    return model.all_inputs()


def _structures(subject: Subject, inputs: Mapping[str, bool]) -> list[ase.Atoms]:
    """Two structures with an electron less, in other states."""
    found = [systems.cluster(subject.elements), systems.crystal(subject.elements)]
    for i, atoms in enumerate(found):
        for name, per_atom in inputs.items():
            if per_atom:
                atoms.arrays[name] = np.linspace(0.2, 1.0 + i, len(atoms))
            else:
                atoms.info[name] = 1.0 + (i if name not in STATES else 0.0)
    return found


def _changed(structures: list[ase.Atoms], name: str, per_atom: bool) -> list[ase.Atoms]:
    """The same with another value of one input of the first one."""
    first, *others = [atoms.copy() for atoms in structures]
    if per_atom:
        first.arrays[name] = 1.7 * first.arrays[name][::-1] + 0.3
    else:
        first.info[name] = 0.0 if name == "charge" else first.info[name] + 1.0
    return [first, *others]


def _values(
    model: AnyModel,
    subject: Subject,
    structures: list[ase.Atoms],
    inputs: Mapping[str, bool],
    batch_size: int,
) -> dict[str, list[Tensor]]:
    """Predicted values of each structure, float64, by target."""
    kinds = {False: "system", True: "atom"}
    extra = {name: {"key": name, "sample_kind": kinds[one]} for name, one in inputs.items()}
    unit = subject.info.length_unit
    data = Dataset.from_atoms(structures, {}, length_unit=unit, extra_data=extra)
    found: dict[str, list[Tensor]] = {}
    for batch in predict(model, data, batch_size=batch_size):
        for name, target in batch.targets.items():
            per_atom = subject.info.targets[name].per_atom
            sizes = batch.n_atoms.tolist() if per_atom else 1
            parts = target.values.detach().double().flatten(1).split(sizes)
            found.setdefault(name, []).extend(part.reshape(-1) for part in parts)
    return found


def _differ(found: Tensor, before: Tensor) -> bool:
    return bool((found - before).abs().amax() > FELT * before.abs().amax())
