"""All scans, one subject after the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtt.data import Dataset
from mtt.options.values import DatasetOptions
from mtt.scanning.composition import check_elements
from mtt.scanning.distances import check_distances, check_isolated, distances_of
from mtt.scanning.duplicates import check_duplicates, copies_of_others
from mtt.scanning.fit.check import check_fit
from mtt.scanning.fit.fitted import FitTo
from mtt.scanning.keys import check_coverage, check_keys, labels_read
from mtt.scanning.labels.balance import CHECK as BALANCE
from mtt.scanning.labels.balance import check_balance
from mtt.scanning.labels.baseline import check_baseline, check_files
from mtt.scanning.labels.constant import check_constant
from mtt.scanning.labels.free_atoms import check_free_atoms
from mtt.scanning.labels.free_energy import CHECK as ENERGY_OF_FORCES
from mtt.scanning.labels.free_energy import OtherEnergies
from mtt.scanning.labels.outliers import check_outliers
from mtt.scanning.labels.references import check_references
from mtt.scanning.labels.stress import CHECK as STRESS
from mtt.scanning.labels.stress import check_stress
from mtt.scanning.labels.trajectories import CHECK as FORCES
from mtt.scanning.labels.trajectories import check_forces
from mtt.scanning.labels.zeros import check_zeros
from mtt.scanning.periodicity import taken_for_molecules
from mtt.scanning.splits import check_splits
from mtt.scanning.states import check_states, find_states, originals_by_state
from mtt.scanning.tools.finding import Finding, by_severity
from mtt.scanning.tools.forces import Forces, forces_of
from mtt.scanning.tools.groups import InfoKeys, Partition, partitions
from mtt.scanning.tools.steps import steps
from mtt.scanning.tools.structures import Structures


def scan(
    parts: Mapping[str, Sequence[Dataset]],
    sets: Mapping[str, Sequence[DatasetOptions]] | None = None,
    *,
    cutoff: float | None = None,
    baseline: Mapping[str, Any] | None = None,
    fit: FitTo | None = None,
) -> list[Finding]:
    """Everything about the data that a user should know before training on them.

    :param parts: the data sets of ``"training"``, ``"validation"`` and ``"test"``; names and
        numbers are free, but what is learned is said of ``"training"`` alone.
    :param sets: the options that data sets were read by; their files are read again for the
        keys that are not used.
    :param cutoff: of the model, in the unit of length of the data.
    :param baseline: ``atomic_baseline`` of the options.
    :param fit: fits a model to energies and forces, which labels are then held against.
    :return: the worst first; what is in order (``"fine"``) last.
    :raises DataError: data sets that do not fit together, or files that cannot be read again.
    """
    structures = Structures(parts)
    keys, energies = InfoKeys(structures), OtherEnergies()
    found = list(check_keys(sets, structures.angstrom, energies, keys.add)) if sets else []
    groups = partitions(structures, keys, labels_read(sets or {}))
    molecules = taken_for_molecules(found)
    found += check_coverage(structures)
    found += check_elements(structures)
    original, copies = copies_of_others(structures)
    states = find_states(structures, original, keys)
    found += check_states(structures, original, states, keys)
    found += check_duplicates(structures, original, originals_by_state(states, original))
    found += check_splits(structures, copies)
    forces = _forces(structures)
    found += check_zeros(structures, forces)
    found += check_constant(structures, forces, copies)
    found += check_balance(structures, forces)
    found += check_outliers(structures, forces, groups)
    found += check_baseline(structures, baseline or {})
    found += check_files(structures)
    found += check_references(structures, groups)
    distances = distances_of(structures, cutoff)
    found += check_distances(structures, distances)
    found += check_isolated(structures, distances, cutoff)
    found += check_free_atoms(structures)
    found += _along_steps(structures, forces, groups, energies)
    found += check_fit(structures, groups, fit) if fit is not None else []
    return by_severity(_explained(found, molecules))


def _forces(structures: Structures) -> dict[str, Forces]:
    """Of every energy that has some."""
    energies = structures.energies.items()
    return {name: forces_of(structures, name) for name, info in energies if info.has_forces}


def _along_steps(
    structures: Structures,
    forces: dict[str, Forces],
    groups: Sequence[Partition],
    energies: OtherEnergies,
) -> Iterator[Finding]:
    """Derivatives against the energies of similar structures."""
    along = {
        name: steps(structures, name, groups[0].of if groups else None)
        for name, info in structures.energies.items()
        if info.gradients
    }
    yield from check_forces(structures, forces, along, groups)
    yield from check_stress(structures, along, groups)
    yield from energies.check(structures, along)


def _explained(found: Sequence[Finding], molecules: set[str]) -> list[Finding]:
    """Without what follows from another finding, and would be put down to units.

    :param molecules: files whose structures are not read as what they are.
    """
    of_other = {
        place.file
        for one in found
        if one.check == ENERGY_OF_FORCES and one.severity == "wrong"
        for place in one.places
    }
    causes = {
        FORCES: molecules | of_other,
        STRESS: molecules | of_other,
        BALANCE: molecules,
    }
    return [
        one
        for one in found
        if one.severity == "fine"
        or not one.places
        or any(place.file not in causes.get(one.check, ()) for place in one.places)
    ]
