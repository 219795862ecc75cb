"""What a rotation, a translation or a new order of the atoms may change."""

from __future__ import annotations

import ase
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.testing import systems
from mtt.testing.check import CheckFailed, compare
from mtt.testing.subject import Subject

TOLERANCE = 1e-9


def check_finite(subject: Subject) -> None:
    """Numbers are finite, and are not the same for every geometry."""
    structures = systems.ordinary(subject.elements)
    moved = [one.copy() for one in structures]
    for one in moved:
        one.rattle(0.05, seed=4)
    for before, after in zip(subject.predict(structures), subject.predict(moved), strict=True):
        for name, target in before.items():
            if not all(bool(part.isfinite().all()) for part in target if part is not None):
                raise CheckFailed(f"{name} is not finite", hint="divisions, square roots, norms")
            if subject.info.targets[name].is_energy and torch.equal(
                target.values, after[name].values
            ):
                raise CheckFailed(
                    f"{name} does not change when the atoms move",
                    hint="do the vectors of the graph reach the energy?",
                )


def check_rotation(subject: Subject) -> None:
    """Energies stay, forces and strain derivatives turn with the structure."""
    _check_orthogonal(subject, _rotation(), "rotated")


def check_inversion(subject: Subject) -> None:
    """Energies stay, forces change sign."""
    _check_orthogonal(subject, -np.eye(3), "inverted")


def check_translation(subject: Subject) -> None:
    """Nothing changes, also where atoms cross the boundary of the cell."""
    structures = systems.ordinary(subject.elements)
    moved = [one.copy() for one in structures]
    for one in moved:
        one.positions += [1.3, -0.9, 2.1]
        if one.pbc.all():
            one.wrap()
    hint = "absolute positions must not enter; Graph.vectors are relative already"
    _check_same(subject, structures, moved, hint, turn=np.eye(3), what="translated")
    for one, found in zip(structures, subject.predict(structures), strict=True):
        for name in subject.energies:
            forces = _part(found[name].forces)
            compare(
                f"sum of the forces of {name} in {one.get_chemical_formula()}, and zero",
                forces.sum(0), torch.zeros(3).double(), TOLERANCE, hint,
                size=float(forces.abs().max()),
            )  # fmt: skip


def check_permutation(subject: Subject) -> None:
    """Energies stay, forces change places with the atoms."""
    structures = systems.ordinary(subject.elements)
    orders = [np.random.default_rng(5).permutation(len(one)) for one in structures]
    shuffled = [one[order] for one, order in zip(structures, orders, strict=True)]
    hint = "sums over atoms and pairs must not know their order or their number in the batch"
    pairs = zip(subject.predict(structures), subject.predict(shuffled), orders, strict=True)
    for before, after, order in pairs:
        for name, target in before.items():
            rows = order if subject.info.targets[name].per_atom else slice(None)
            compare(f"{name} in another order", after[name].values, target.values[rows],
                    TOLERANCE, hint)  # fmt: skip
        for name in subject.energies:
            wanted = _part(before[name].forces)[order]
            what = f"forces of {name} in another order"
            compare(what, _part(after[name].forces), wanted, TOLERANCE, hint)


def _check_orthogonal(subject: Subject, turn: NDArray[np.float64], what: str) -> None:
    structures = systems.ordinary(subject.elements)
    turned = [one.copy() for one in structures]
    for one in turned:
        one.positions = one.positions @ turn.T
        one.cell[:] = one.cell.array @ turn.T
    hint = "build the energy from invariants: lengths, scalar products, norms of equivariants"
    _check_same(subject, structures, turned, hint, turn=turn, what=what)


def _check_same(
    subject: Subject,
    structures: list[ase.Atoms],
    changed: list[ase.Atoms],
    hint: str,
    *,
    turn: NDArray[np.float64],
    what: str,
) -> None:
    R = torch.tensor(turn)
    results = zip(subject.predict(structures), subject.predict(changed), strict=True)
    for before, after in results:
        for name, target in before.items():
            compare(f"{name}, {what}", after[name].values, target.values, TOLERANCE, hint)
        for name in subject.energies:
            old, new = before[name], after[name]
            compare(f"forces of {name}, {what}", _part(new.forces), _part(old.forces) @ R.T,
                    TOLERANCE, hint)  # fmt: skip
            compare(f"strain derivative of {name}, {what}", _part(new.strain),
                    R @ _part(old.strain) @ R.T, TOLERANCE, hint)  # fmt: skip


def _rotation() -> NDArray[np.float64]:
    """A proper rotation about a general axis, by one radian (Rodrigues' formula)."""
    x, y, z = systems.DIRECTION
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: NDArray[np.float64] = np.eye(3) + np.sin(1.0) * cross + (1 - np.cos(1.0)) * cross @ cross
    return turn


def _part(tensor: Tensor | None) -> Tensor:
    assert tensor is not None, "energies come with their derivatives"
    return tensor
