"""What structures themselves tell: elements, distances, isolated atoms, splits, references."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import ase
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator
from ase.units import Bohr, Hartree

Frames = list[ase.Atoms]
Found = Callable[..., list[Any]]
Relabel = Callable[..., None]
Keep = Callable[[ase.Atoms], None]
FramesOf = Callable[[Any], dict[str, list[int]]]
ENERGY = {"key": "energy", "unit": "eV", "forces": False}


def _energy_only(atoms: ase.Atoms, energy: float) -> ase.Atoms:
    atoms.calc = SinglePointCalculator(atoms, energy=energy)
    return atoms


def test_elements_that_always_come_together_are_named(cluster: Frames, found: Found) -> None:
    (one,) = found(cluster, "elements")
    assert one.severity == "note"
    assert "the baselines of Cu and Au one by one (rank 1 of 2)" in one.what


def test_elements_that_the_data_separate_are_not_named(found: Found) -> None:
    generator = np.random.default_rng(1)
    frames = []
    for i in range(12):  # water and hydrogen: oxygen always comes with hydrogen, and is known
        formula = "H2O" if i % 2 else "H2"
        atoms = ase.Atoms(formula, generator.normal(size=(len(formula.replace("2", "H")), 3)) * 2)
        frames.append(_energy_only(atoms, float(i)))
    assert found(frames, "elements", energy=ENERGY) == []


def test_elements_unseen_in_training_are_wrong_and_rare_ones_suspicious(
    cluster: Frames, found: Found, keep_labels: Keep, frames_of: FramesOf
) -> None:
    cluster[3].numbers[0] = 47
    cluster[38].numbers[0] = 78
    for i in (3, 38):
        keep_labels(cluster[i])
    parts = {"training": [cluster[:36]], "test": [cluster[36:]]}
    unseen, rare = found(parts, "elements")[:2]
    assert (unseen.severity, unseen.what) == ("wrong", "Pt is in no structure of training")
    assert frames_of(unseen) == {"test": [2]}
    assert (rare.severity, rare.what) == (
        "suspicious",
        "Ag is in 1 structure of training only",
    )
    assert frames_of(rare) == {"training": [3]}


def test_atoms_closer_than_any_bond_are_found_by_elements(
    cluster: Frames, found: Found, keep_labels: Keep, frames_of: FramesOf
) -> None:
    cluster[4].positions[2] = cluster[4].positions[0] + [0.6, 0.5, 0.4]
    keep_labels(cluster[4])
    (one,) = found(cluster, "distances")
    assert one.what == "Cu and Cu are closer than any bond"
    assert one.number == pytest.approx(np.linalg.norm([0.6, 0.5, 0.4]))
    assert frames_of(one) == {"training": [4]}


def test_positions_in_another_unit_of_length_are_suspicious(
    cluster: Frames, found: Found, keep_labels: Keep
) -> None:
    for atoms in cluster:
        atoms.positions /= Bohr
        keep_labels(atoms)
    (one,) = found(cluster, "unit of length")
    assert one.severity == "suspicious"
    assert found(cluster, "unit of length", length_unit="bohr") == []


def test_single_atoms_are_noted_and_atoms_without_neighbours_suspicious(
    cluster: Frames, found: Found, keep_labels: Keep, frames_of: FramesOf
) -> None:
    cluster[2].positions[0] += 40.0
    keep_labels(cluster[2])
    single = _energy_only(ase.Atoms("Cu"), 3.5)
    single.calc.results["forces"] = np.zeros((1, 3))
    alone, noted = found([*cluster, single], "isolated atoms", cutoff=5.0)
    assert (alone.severity, alone.number, frames_of(alone)) == ("suspicious", 1, {"training": [2]})
    assert "cutoff of 5 angstrom" in alone.what
    assert (noted.severity, frames_of(noted)) == ("note", {"training": [40]})
    assert "not taken as the energies of free atoms" in noted.advice
    assert len(found([*cluster, single], "isolated atoms", cutoff=100.0)) == 1


def test_neighbours_among_the_images_of_a_cell_count(crystal: Frames, found: Found) -> None:
    assert found(crystal, "isolated atoms", cutoff=2.9) == []
    assert found(crystal, "isolated atoms", cutoff=3.5) == []


def test_held_out_frames_close_in_time_to_training_are_noted(
    found: Found, frames_of: FramesOf
) -> None:
    generator = np.random.default_rng(2)
    positions = generator.normal(size=(6, 3)) * 3
    walk: Frames = []
    for i in range(60):
        positions = positions + generator.normal(0.0, 0.05, (6, 3))
        walk.append(_energy_only(ase.Atoms("Cu6", positions.copy()), float(i)))
    # one file, whose frames are divided at random, and one whose end is held out
    from mtt.data import Dataset
    from mtt.scanning import scan

    whole = Dataset.from_atoms(walk, {"energy": ENERGY})
    order = generator.permutation(60)

    def said(held_out: list[int]) -> list[Any]:
        trained = [i for i in range(60) if i not in held_out]
        parts = {"training": [whole.select(trained)], "validation": [whole.select(held_out)]}
        return [one for one in scan(parts) if one.check == "frames in time"]

    (one,) = said(sorted(order[:20].tolist()))
    assert one.severity == "note"
    assert one.number < 0.3
    assert said(list(range(40, 60))) == []


@pytest.mark.parametrize(
    ("given", "advice"),
    [
        ({29: -1640.0, 79: -3690.0}, "calculations"),
        (
            {29: -1640.0 / Hartree, 79: -3690.0 / Hartree},
            "the baselines fit if they are in Hartree",
        ),
    ],
)
def test_baselines_of_another_unit_or_method_are_wrong(
    cluster: Frames, found: Found, relabel: Relabel, given: dict[int, float], advice: str
) -> None:
    total = 6 * -1640.0 + 2 * -3690.0
    for atoms in cluster:
        relabel(atoms, energy=lambda energy: energy + total)
    said = found(cluster, "atomic baseline", baseline={"energy": given})
    if advice == "calculations":
        assert said == []
    else:
        (one,) = said
        assert (one.severity, one.advice) == ("wrong", advice)


def test_energies_of_formation_with_baselines_of_total_energies_are_wrong(
    cluster: Frames, found: Found
) -> None:
    given = {"energy": {29: -1640.0, 79: -3690.0}}
    (one,) = found(cluster, "atomic baseline", baseline=given)
    assert one.severity == "wrong"
    assert "energies of formation?" in one.advice


def test_files_of_two_references_are_wrong(cluster: Frames, found: Found, relabel: Relabel) -> None:
    from mtt.data import Dataset
    from mtt.scanning.labels.baseline import check_files
    from mtt.scanning.tools.structures import Structures

    def said() -> list[Any]:
        sets = [Dataset.from_atoms(part, {"energy": ENERGY}) for part in (first, second)]
        structures = Structures({"training": sets})
        structures.files = ["old.xyz", "new.xyz"]
        structures.file = np.repeat([0, 1], [20, 20])
        return list(check_files(structures))

    first, second = cluster[:20], cluster[20:]
    assert said() == []
    for atoms in second:
        relabel(atoms, energy=lambda energy: energy - 80.0)
    (one,) = said()
    assert one.severity == "wrong"
    assert one.number == pytest.approx(-10.0, abs=0.1)
    assert "higher in new.xyz than in old.xyz" in one.what
