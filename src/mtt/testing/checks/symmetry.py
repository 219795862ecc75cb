"""What a rotation, a translation or a new order of the atoms may change."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import ase
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtt.graph import Target
from mtt.testing import systems
from mtt.testing.failure import CheckFailed
from mtt.testing.measure import Measured, agreement, compared
from mtt.testing.pairs import pairs_of, rows_in
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
                raise CheckFailed(f"{name} is not finite")
            if subject.info.targets[name].is_energy and torch.equal(
                target.values, after[name].values
            ):
                raise CheckFailed(f"{name} does not change when the atoms move")


def check_rotation(subject: Subject) -> Iterator[Measured]:
    """Energies stay; forces, strain derivatives, vectors and tensors turn with the structure."""
    return _orthogonal(subject, orthogonal(), "rotated")


def check_inversion(subject: Subject) -> Iterator[Measured]:
    """Energies stay, forces change sign; other kinds of targets change as they say."""
    return _orthogonal(subject, -np.eye(3), "inverted")


def check_translation(subject: Subject) -> Iterator[Measured]:
    """Nothing changes, also where atoms cross the boundary of the cell."""
    structures = systems.ordinary(subject.elements)
    moved = [one.copy() for one in structures]
    for one in moved:
        one.positions += [1.3, -0.9, 2.1]
        if one.pbc.all():
            one.wrap()
    before = subject.predict(structures)
    wanted = [
        {name: _same_rows(subject, name, found[name], one, copy) for name in found}
        for found, one, copy in zip(before, structures, moved, strict=True)
    ]
    yield from agreement(subject.info, subject.predict(moved), wanted, TOLERANCE, "translated")
    for one, found in zip(structures, before, strict=True):
        for name in subject.energies:
            forces = found[name].forces
            assert forces is not None, "energies come with their derivatives"
            yield compared(
                f"sum of the forces of {name}, and zero", forces.sum(0), torch.zeros(3).double(),
                TOLERANCE, size=float(forces.abs().max()), where=one.get_chemical_formula(),
            )  # fmt: skip


def check_permutation(subject: Subject) -> Iterator[Measured]:
    """Energies stay, forces change places with the atoms."""
    structures = systems.ordinary(subject.elements)
    orders = [np.random.default_rng(5).permutation(len(one)) for one in structures]
    shuffled = [one[order] for one, order in zip(structures, orders, strict=True)]
    wanted = []
    for i, (before, order) in enumerate(zip(subject.predict(structures), orders, strict=True)):
        same = (structures[i], shuffled[i], order)
        wanted.append({n: _same_rows(subject, n, before[n], *same) for n in before})
    found = subject.predict(shuffled)
    yield from agreement(subject.info, found, wanted, TOLERANCE, "in another order")


def _same_rows(
    subject: Subject,
    name: str,
    target: Target,
    before: ase.Atoms,
    after: ase.Atoms,
    order: NDArray[np.int64] | None = None,
) -> Target:
    """What was found for ``before`` in the order of ``after``, whose atoms ``order`` numbers."""
    values, info = target.values, subject.info.targets[name]
    if info.per_pair:
        pairs = pairs_of(subject, before), pairs_of(subject, after)
        values = values[rows_in(*pairs, order)]
    if order is None:
        return Target(values, target.forces, target.strain)
    values = values[order] if info.per_atom else values
    forces = None if target.forces is None else target.forces[order]
    return Target(values, forces, target.strain)


def _orthogonal(subject: Subject, turn: NDArray[np.float64], what: str) -> Iterator[Measured]:
    structures = systems.ordinary(subject.elements)
    turned = [one.copy() for one in structures]
    for one in turned:
        one.positions = one.positions @ turn.T
        one.cell[:] = one.cell.array @ turn.T
    wanted = _turned(subject, subject.predict(structures), torch.tensor(turn))
    return agreement(subject.info, subject.predict(turned), wanted, TOLERANCE, what)


def _turned(
    subject: Subject, found: Sequence[dict[str, Target]], R: Tensor
) -> list[dict[str, Target]]:
    """What was found as it is once the structures are turned by ``R``."""
    kinds = {name: target.of_kind for name, target in subject.info.targets.items()}
    return [
        {
            name: Target(
                kinds[name].rotated(target.values, R.expand(len(target.values), 3, 3)),
                None if target.forces is None else target.forces @ R.T,
                None if target.strain is None else R @ target.strain @ R.T,
            )
            for name, target in one.items()
        }
        for one in found
    ]


def orthogonal() -> NDArray[np.float64]:
    """[3, 3] a proper rotation about a general axis, by one radian (Rodrigues' formula)."""
    x, y, z = systems.DIRECTION
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    turn: NDArray[np.float64] = np.eye(3) + np.sin(1.0) * cross + (1 - np.cos(1.0)) * cross @ cross
    return turn
