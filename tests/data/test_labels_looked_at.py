"""Labels that may be other than what the options take them for: a notice, not a mistake."""

from __future__ import annotations

import ase
import numpy as np
import pytest

from mtt.data import Dataset
from mtt.data.labels.sums import sum_notices

GENERATOR = np.random.default_rng(3)


def atoms(n: int = 2, **info: object) -> ase.Atoms:
    return ase.Atoms(f"H{n}", positions=3.0 * np.arange(3 * n).reshape(n, 3), info=info)


def notices(frames: list[ase.Atoms], **target: object) -> tuple[str, ...]:
    return Dataset.from_atoms(frames, {"mtt::x": {"key": "x", **target}}).notices


# ---- vectors


def test_three_numbers_of_one_size_are_taken_for_a_vector() -> None:
    (notice,) = notices([atoms(x=GENERATOR.normal(size=3)) for _ in range(30)], num_subtargets=3)
    assert "the 3 numbers of 'x' for each structure look like a vector" in notice
    assert "its predictions do not turn with a structure" in notice


def test_vectors_of_atoms_and_tensors_are_seen_too() -> None:
    def of_atoms() -> ase.Atoms:
        one = atoms()
        one.arrays["x"] = GENERATOR.normal(size=(2, 3))
        return one

    (notice,) = notices([of_atoms() for _ in range(20)], num_subtargets=3, sample_kind="atom")
    assert "for each atom look like a vector" in notice
    (notice,) = notices([atoms(x=np.diag([5.0, 1.0, 0.1]).flatten())], num_subtargets=9)
    assert "a 3 × 3 tensor" in notice
    planar = [atoms(dipole=GENERATOR.normal(size=3) * [1, 1, 0]) for _ in range(9)]
    (notice,) = notices(planar, num_subtargets=3, key="dipole")
    assert "look like a vector" in notice


def test_other_scalars_are_left_alone() -> None:
    frames = [atoms(x=GENERATOR.normal(size=3) * [1.0, 10.0, 100.0]) for _ in range(20)]
    assert notices(frames, num_subtargets=3) == ()
    assert notices([atoms(x=GENERATOR.normal(size=2)) for _ in range(20)], num_subtargets=2) == ()
    assert notices([atoms(x=1.0)]) == ()


# ---- sums without a quantity


def sums_of(values: list[float], sizes: list[int], **target: object) -> list[str]:
    frames = [atoms(n, x=x) for n, x in zip(sizes, values, strict=True)]
    data = Dataset.from_atoms(frames, {"mtt::x": {"key": "x", **target}})
    return list(sum_notices(data))


def test_values_that_grow_with_the_number_of_atoms_are_said() -> None:
    sizes = list(range(2, 14))
    values = [-13.6 * n + 0.1 * float(GENERATOR.normal()) for n in sizes]
    (notice,) = sums_of(values, sizes)
    assert notice.startswith("mtt::x grows with the number of atoms")
    assert "quantity: energy" in notice
    assert sums_of(values, sizes, quantity="energy") == []
    assert sums_of(values, sizes, extensive=True) == []
    assert sums_of(values, sizes, quantity="heat capacity") == []


def test_values_that_do_not_grow_are_not_spoken_of() -> None:
    sizes = list(range(2, 14))
    assert sums_of([float(GENERATOR.normal()) for _ in sizes], sizes) == []
    assert sums_of([1.0 * n for n in range(12)], [2] * 12) == []
    assert sums_of([-2.0, -3.0], [2, 3]) == []


# ---- a second energy


@pytest.mark.parametrize("read", ["energy", "free_energy"])
def test_a_free_energy_that_differs_is_said_with_both_keys(read: str) -> None:
    frames = [atoms(energy=1.0, free_energy=1.0 - 0.02 * i) for i in range(4)]
    for one in frames:
        one.arrays["forces"] = np.zeros((2, 3))
    data = Dataset.from_atoms(frames, {"energy": {"key": read, "unit": "eV"}})
    (notice,) = [one for one in data.notices if "Forces are derivatives" in one]
    assert f"energy is read from '{read}'" in notice
    assert "differs by up to 0.03 eV per atom" in notice
    alone = Dataset.from_atoms(frames, {"energy": {"key": read, "unit": "eV", "forces": False}})
    assert not any("Forces are derivatives" in one for one in alone.notices)


@pytest.mark.parametrize("apart", [[0.0, 0.0], [0.5, 0.5], [0.0, 1e-6]])
def test_free_energies_that_give_the_same_forces_are_not_spoken_of(apart: list[float]) -> None:
    frames = [atoms(energy=1.0, free_energy=1.0 + one) for one in apart]
    for one in frames:
        one.arrays["forces"] = np.zeros((2, 3))
    data = Dataset.from_atoms(frames, {"energy": {"unit": "eV"}})
    assert not any("free" in one for one in data.notices)
