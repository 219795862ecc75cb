"""Derivatives of targets, as files have them."""

from __future__ import annotations

from typing import Any

import ase
import ase.build
import numpy as np
import pytest

from mtt.data import Dataset
from mtt.errors import MttError

DIPOLE = {"key": "mu", "type": {"cartesian": {"rank": 1}}, "unit": "e*Å"}


def water(seed: int = 0) -> ase.Atoms:
    """μ = Σ b² b over the bonds b, and its derivatives."""
    atoms = ase.build.molecule("H2O")
    atoms.positions += np.random.default_rng(seed).normal(0, 0.1, (3, 3))
    bonds = atoms.positions[1:] - atoms.positions[0]
    squares = (bonds**2).sum(1)
    atoms.info["mu"] = (squares[:, None] * bonds).sum(0)
    # ∂μ_a/∂r_b of a hydrogen atom, and minus their sum of the oxygen
    own = squares[:, None, None] * np.eye(3) + 2 * bonds[:, :, None] * bonds[:, None, :]
    own = np.concatenate([-own.sum(0, keepdims=True), own])
    atoms.arrays["apt"] = own.reshape(3, 9)
    return atoms


def read(atoms: Any, target: dict[str, Any] = DIPOLE, **positions: Any) -> Dataset:
    asked = {**target, "gradients": {"positions": {"key": "apt", **positions}}}
    return Dataset.from_atoms(atoms, {"mtt::mu": asked})


def test_the_index_of_the_displacement_is_last_or_first() -> None:
    atoms = water()
    rows = np.arange(27.0).reshape(3, 9)
    atoms.arrays["apt"], target = rows, {**DIPOLE, "key": False}
    last = read([atoms], target).target("mtt::mu").forces
    first = read([atoms], target, index="first").target("mtt::mu").forces
    assert last is not None
    assert first is not None
    assert last.shape == first.shape == (3, 3, 3, 1)
    table = rows.reshape(3, 3, 3)
    np.testing.assert_array_equal(last[..., 0].numpy(), table.swapaxes(1, 2))  # [atom, b, a]
    np.testing.assert_array_equal(first[..., 0].numpy(), table)


def test_the_sum_rule_of_rotations_knows_the_order_of_the_indices() -> None:
    plain = [water(seed) for seed in range(3)]
    assert read(plain).info.targets["mtt::mu"].has_forces
    for atoms in plain:
        atoms.arrays["apt"] = asymmetric(atoms)
    assert read(plain).info.targets["mtt::mu"].has_forces
    for atoms in plain:
        table = atoms.arrays["apt"].reshape(3, 3, 3)
        atoms.arrays["apt"] = table.swapaxes(1, 2).reshape(3, 9)
    with pytest.raises(MttError, match="would with the index of the displacement first"):
        read(plain)
    assert read(plain, index="first").info.targets["mtt::mu"].has_forces


def asymmetric(atoms: ase.Atoms) -> np.ndarray:
    """Of μ = (u · v) u with the bonds u and v: μ of the structure is set to it."""
    u, v = atoms.positions[1:] - atoms.positions[0]
    atoms.info["mu"] = (u @ v) * u
    by_u = np.outer(u, v) + (u @ v) * np.eye(3)
    by_v = np.outer(u, u)
    return np.stack([-by_u - by_v, by_u, by_v]).reshape(3, 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda atoms: atoms.arrays.update(apt=np.zeros((3, 3))), r"\[3, 3\] where \[3, 9\]"),
        (lambda atoms: atoms.arrays.update(apt=np.full((3, 9), np.inf)), "infinite"),
        (lambda atoms: atoms.arrays.pop("apt"), "no 'apt'"),
    ],
)
def test_wrong_derivatives_are_refused(change: Any, message: str) -> None:
    atoms = water()
    change(atoms)
    with pytest.raises(MttError, match=message):
        read([atoms])


def test_an_atom_that_lacks_one_number_has_no_label() -> None:
    atoms = water()
    atoms.arrays["apt"][1, 2] = np.nan
    forces = read([atoms]).target("mtt::mu").forces
    assert forces is not None
    assert forces.isnan().flatten(1).all(1).tolist() == [False, True, False]
    assert not forces.isnan()[0].any()


def test_one_number_has_minus_its_derivatives_as_forces() -> None:
    atoms = water()
    atoms.arrays["gap_gradient"] = np.arange(9.0).reshape(3, 3)
    atoms.info["gap"] = 2.0
    target = {"key": "gap", "gradients": {"positions": True}}
    found = Dataset.from_atoms([atoms], {"mtt::gap": target}).target("mtt::gap")
    assert found.forces is not None
    np.testing.assert_array_equal(found.forces.numpy(), -np.arange(9.0).reshape(3, 3))


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ({"quantity": "energy"}, "derivatives of an energy are its forces"),
        ({"sample_kind": "atom"}, "only values of structures have derivatives"),
    ],
)
def test_other_targets_have_no_such_derivatives(target: dict[str, Any], message: str) -> None:
    with pytest.raises(MttError, match=message):
        Dataset.from_atoms([water()], {"mtt::x": {**target, "gradients": {"positions": True}}})


def test_derivatives_by_strain_are_symmetric() -> None:
    atoms = water()
    table = np.arange(27.0).reshape(3, 3, 3)
    atoms.info["piezo"] = table + table.swapaxes(1, 2)
    asked = {**DIPOLE, "gradients": {"strain": {"key": "piezo"}}}
    found = Dataset.from_atoms([atoms], {"mtt::mu": asked}).target("mtt::mu").strain
    assert found is not None
    np.testing.assert_array_equal(
        found[0, ..., 0].numpy(), (table + table.swapaxes(1, 2)).transpose(1, 2, 0)
    )
    atoms.info["piezo"] = table
    with pytest.raises(MttError, match="not symmetric"):
        Dataset.from_atoms([atoms], {"mtt::mu": asked})


def test_samples_have_them_as_gradients() -> None:
    data = read([water(0), water(1)])
    sample = data[1]["mtt::mu"].block()
    assert sample.gradients_list() == ["positions"]
    slope = sample.gradient("positions")
    assert [one.names[0] for one in slope.components] == ["displacement", "xyz"]
    want = data.target("mtt::mu").forces
    assert want is not None
    np.testing.assert_array_equal(slope.values.numpy(), want[3:].numpy())
