"""Which of a model's outputs are predicted for a data set, and what they mean."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ase.data import chemical_symbols
from metatomic.torch import AtomisticModel

from mtt.data.info import POSITIONS, STRAIN, DatasetInfo, TargetInfo
from mtt.data.labels.units import are_convertible
from mtt.errors import DataError, Problem, did_you_mean
from mtt.interface import ModelInterface
from mtt.mlip.undeclared import (
    is_stored_energy,
    stored_gradients,
    stored_kind,
    stored_properties,
    stored_unit,
)

if TYPE_CHECKING:
    from mtt.data import Dataset

# what metatomic's models offer in addition to predictions, and old spellings of new names
_AUXILIARY = {"feature", "energy_uncertainty", "energy_ensemble"}
_AUXILIARY_PREFIXES = ("mtt::aux::", "mtt::feature")
_OLD_NAMES = {
    "features",
    "non_conservative_forces",
    "positions",
    "momenta",
    "masses",
    "velocities",
    "charges",
}


def model_info(model: ModelInterface | AtomisticModel) -> DatasetInfo:
    """Units, elements and targets of a model, exported or not.

    Outputs of an exported file do not name physical quantities: ``energy`` and
    ``energy/<variant>`` are energies, by metatomic's standard, and so are those that the metadata
    name. They are those of structures: one that is offered per atom is summed for who asks for
    structures. Features and uncertainties are not targets.
    """
    if isinstance(model, ModelInterface):
        return model.dataset_info
    capabilities = model.capabilities()
    targets = {}
    for name, output in capabilities.outputs.items():
        base = name.split("/")[0]
        if base in _AUXILIARY | _OLD_NAMES or name.startswith(_AUXILIARY_PREFIXES):
            continue
        if output.sample_kind in ("system", "atom", "atom_pair"):
            is_energy = base == "energy" or is_stored_energy(model.metadata(), name)
            kind = "system" if is_energy else output.sample_kind
            unit = stored_unit(model.metadata(), name, output.unit)
            text = stored_kind(model.metadata(), name)
            one = TargetInfo("energy" if is_energy else "", unit, kind, text)
            gradients = stored_gradients(model.metadata(), name)
            number = stored_properties(model.metadata(), name)
            targets[name] = replace(one, gradients=gradients, properties=number)
    return DatasetInfo(capabilities.length_unit, tuple(capabilities.atomic_types), targets)


def targets_for(model: ModelInterface | AtomisticModel, dataset: Dataset) -> dict[str, TargetInfo]:
    """What is predicted: the targets of ``dataset``, or all of the model's where it has none.

    :raises DataError: the model cannot predict one of them, or does not know an element.
    """
    known, wanted = model_info(model), dataset.info.targets
    problems = [_element_problem(known, dataset)]
    for name, target in wanted.items():
        problems.append(_target_problem(name, target, known))
        problems.append(_kind_problem(name, target, known, isinstance(model, ModelInterface)))
    found = [problem for problem in problems if problem is not None]
    if found:
        raise DataError.collect(found)
    found_targets = dict(wanted) or dict(known.targets)
    return {name: _with_known(known.targets[name], one) for name, one in found_targets.items()}


def _with_known(known: TargetInfo, wanted: TargetInfo) -> TargetInfo:
    """``wanted`` with the derivatives that the model was trained on, energies left out."""
    if wanted.is_energy or known.is_energy or not wanted.per_structure:
        return wanted
    both = {*wanted.gradients, *known.gradients}
    return replace(wanted, gradients=tuple(one for one in (POSITIONS, STRAIN) if one in both))


def _element_problem(known: DatasetInfo, dataset: Dataset) -> Problem | None:
    strange = set(range(256)) - {int(z) for z in known.atomic_types}
    found = dataset.first_with(sorted(strange))
    if found is None:
        return None
    structure, number = found
    return Problem(
        f"the model does not know the element {chemical_symbols[number]}",
        dataset.source(structure),
        f"it knows {', '.join(chemical_symbols[z] for z in known.atomic_types)}",
    )


def _target_problem(name: str, target: TargetInfo, known: DatasetInfo) -> Problem | None:
    if name not in known.targets:
        hint = did_you_mean(name, known.targets) or f"it has {', '.join(known.targets)}"
        return Problem("the model has no such target", name, hint)
    own = known.targets[name]
    if _differ(own.unit, target.unit) and not are_convertible(target.unit, own.unit):
        what = f"the unit is {target.unit!r} in the data and {own.unit!r} in the model"
        hint = "nothing converts one into the other: give the data in the model's unit"
        return Problem(what, name, hint)
    if target.per_pair != own.per_pair:
        of = {True: "pair of atoms", False: "structure or atom"}
        model, data = of[own.per_pair], of[target.per_pair]
        return Problem(f"the model predicts it per {model}, the data have it per {data}", name)
    if target.per_atom and not own.per_atom and not own.is_energy:
        return Problem("the model predicts it per structure, the data have it per atom", name)
    if own.per_atom and not target.per_atom:
        return Problem("the model predicts it per atom, the data have it per structure", name)
    return None


def _kind_problem(
    name: str, target: TargetInfo, known: DatasetInfo, certain: bool
) -> Problem | None:
    """:param certain: a scalar is one; exported files of other programs do not say so."""
    own = known.targets.get(name)
    if own is None or not (certain or own.kind != "scalar"):
        return None
    if target.of_kind.components == own.of_kind.components:
        return None
    what = f"the type is {target.kind!r} in the data and {own.kind!r} in the model"
    return Problem(what, name, "give it the type that the model was trained on")


def with_units_of(model: ModelInterface | AtomisticModel, dataset: Dataset) -> Dataset:
    """``dataset`` with the units of the model where it names none: they are taken to be those."""
    known, info = model_info(model), dataset.info
    targets = {
        name: replace(target, unit=target.unit or known.targets[name].unit)
        if name in known.targets
        else target
        for name, target in info.targets.items()
    }
    length = info.length_unit or known.length_unit
    return dataset.keep_targets(replace(info, length_unit=length, targets=targets))


def same_units(known: DatasetInfo, given: DatasetInfo) -> bool:
    """Whether ``given`` needs no conversion; an unnamed unit is taken to be the model's."""
    pairs = [(known.length_unit, given.length_unit)]
    pairs += [(known.targets[name].unit, target.unit) for name, target in given.targets.items()]
    return not any(_differ(a, b) for a, b in pairs)


def _differ(unit: str, other: str) -> bool:
    return bool(unit and other) and unit.lower() != other.lower()
