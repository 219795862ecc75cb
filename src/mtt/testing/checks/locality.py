"""What other structures, far atoms and the choice of the cell may change: nothing."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from mtt.graph import Target
from mtt.testing import systems
from mtt.testing.checks.symmetry import TOLERANCE
from mtt.testing.failure import CheckFailed
from mtt.testing.measure import Measured, agreement, compared
from mtt.testing.subject import Subject


def check_extensive(subject: Subject) -> Iterator[Measured]:
    """Two far copies have twice the energy, and the forces of one each."""
    one = systems.cluster(subject.elements)
    two = systems.joined(one, one, subject.reach())
    single, double = subject.predict([one, two])
    wanted = {}
    for name in subject.energies:
        forces = single[name].forces
        assert forces is not None, "energies come with forces"
        wanted[name] = Target(2 * single[name].values, forces.repeat(2, 1))
    yield from agreement(subject.info, [double], [wanted], TOLERANCE, "of two copies, and of one")


def check_supercell(subject: Subject) -> Iterator[Measured]:
    """The same crystal, described by a cell six times as large, has six times the energy."""
    cell = systems.crystal(subject.elements)
    single, multiple = subject.predict([cell, cell * (2, 1, 3)])
    wanted = {}
    for name in subject.energies:
        strain = single[name].strain
        assert strain is not None, "energies come with a strain derivative"
        wanted[name] = Target(6 * single[name].values, strain=6 * strain)
    what = "of a supercell, and of its cell"
    yield from agreement(subject.info, [multiple], [wanted], TOLERANCE, what)


def check_batches(subject: Subject) -> Iterator[Measured]:
    """Structures in one batch do not see each other."""
    elements = subject.elements
    structures = [*systems.ordinary(elements), systems.atom(elements[0]), systems.cluster(elements)]
    alone = subject.predict(structures, batch_size=1)
    together = subject.predict(structures, batch_size=len(structures))
    yield from agreement(subject.info, together, alone, TOLERANCE, "in a batch, and alone")


def check_isolated(subject: Subject) -> Iterator[Measured]:
    """An atom without neighbours: finite, without force, the same alone and beside others."""
    elements = subject.elements
    molecule = systems.cluster(elements)
    atoms = [systems.atom(number) for number in elements]
    beside = [systems.joined(molecule, atom, subject.reach()) for atom in atoms]
    rest, *found = subject.predict([molecule, *atoms, *beside])
    alone, far = found[: len(atoms)], found[len(atoms) :]
    for number, single, both in zip(elements, alone, far, strict=True):
        where = f"Z = {number}"
        for name in subject.energies:
            if not bool(single[name].values.isfinite().all()):
                raise CheckFailed(f"{name} of an isolated atom is not finite", where=where)
            forces = single[name].forces
            assert forces is not None, "energies come with forces"
            zero = torch.zeros_like(forces)
            yield compared(f"force of {name} on an isolated atom, and zero", forces, zero, 0.0,
                           where=where)  # fmt: skip
            yield compared(f"{name} of an atom beside a molecule far away, and alone",
                           both[name].values, rest[name].values + single[name].values, TOLERANCE,
                           where=where)  # fmt: skip
