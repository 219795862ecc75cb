"""What other structures, far atoms and the choice of the cell may change: nothing."""

from __future__ import annotations

import torch

from mtt.testing import systems
from mtt.testing.check import CheckFailed, compare
from mtt.testing.subject import Subject
from mtt.testing.symmetry import TOLERANCE


def check_extensive(subject: Subject) -> None:
    """Two far copies have twice the energy, and the forces of one each."""
    one = systems.cluster(subject.elements)
    two = systems.joined(one, one, subject.reach())
    single, double = subject.predict([one, two])
    hint = "an energy is a sum over atoms: no mean over the structure, no count of its atoms"
    for name in subject.energies:
        compare(f"{name} of two copies far apart, and twice that of one",
                double[name].values, 2 * single[name].values, TOLERANCE, hint)  # fmt: skip
        forces = single[name].forces
        assert forces is not None, "energies come with forces"
        found = double[name].forces
        assert found is not None, "energies come with forces"
        compare(f"forces of {name} in two copies, and in one", found, forces.repeat(2, 1),
                TOLERANCE, hint)  # fmt: skip


def check_supercell(subject: Subject) -> None:
    """The same crystal, described by a cell six times as large, has six times the energy."""
    cell = systems.crystal(subject.elements)
    single, multiple = subject.predict([cell, cell * (2, 1, 3)])
    hint = "an atom may be its own neighbour, and a pair may stand for several images"
    for name in subject.energies:
        compare(f"{name} of a supercell, and six times that of its cell",
                multiple[name].values, 6 * single[name].values, TOLERANCE, hint)  # fmt: skip
        strain, wanted = multiple[name].strain, single[name].strain
        assert strain is not None, "energies come with a strain derivative"
        assert wanted is not None, "energies come with a strain derivative"
        compare(f"strain derivative of {name} in a supercell", strain, 6 * wanted, TOLERANCE, hint)


def check_batches(subject: Subject) -> None:
    """Structures in one batch do not see each other."""
    elements = subject.elements
    structures = [*systems.ordinary(elements), systems.atom(elements[0]), systems.cluster(elements)]
    alone = subject.predict(structures, batch_size=1)
    together = subject.predict(structures, batch_size=len(structures))
    hint = "sum by Graph.system; nothing may depend on n_systems or on the rest of the batch"
    for single, batched in zip(alone, together, strict=True):
        for name, wanted in single.items():
            compare(f"{name} in a batch, and alone", batched[name].values, wanted.values,
                    TOLERANCE, hint)  # fmt: skip
            forces = batched[name].forces
            if wanted.forces is not None and forces is not None:
                compare(f"forces of {name} in a batch, and alone", forces, wanted.forces,
                        TOLERANCE, hint)  # fmt: skip


def check_isolated(subject: Subject) -> None:
    """An atom without neighbours: finite, without force, the same alone and beside others."""
    elements = subject.elements
    hint = "no neighbours means empty sums, not 0/0; atoms without pairs count like all others"
    molecule = systems.cluster(elements)
    atoms = [systems.atom(number) for number in elements]
    beside = [systems.joined(molecule, atom, subject.reach()) for atom in atoms]
    rest, *found = subject.predict([molecule, *atoms, *beside])
    alone, far = found[: len(atoms)], found[len(atoms) :]
    for number, single, both in zip(elements, alone, far, strict=True):
        for name in subject.energies:
            if not bool(single[name].values.isfinite().all()):
                raise CheckFailed(f"{name} of an isolated atom (Z = {number}) is not finite",
                                  hint=hint)  # fmt: skip
            forces = single[name].forces
            assert forces is not None, "energies come with forces"
            compare(f"force on an isolated atom (Z = {number}), and zero", forces,
                    torch.zeros_like(forces), 0.0, hint)  # fmt: skip
            compare(f"{name} of an atom (Z = {number}) beside a molecule far away, and alone",
                    both[name].values, rest[name].values + single[name].values,
                    TOLERANCE, hint)  # fmt: skip
