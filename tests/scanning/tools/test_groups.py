"""Groups of the data, whose labels are not those of the others."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import ase
import numpy as np
import pytest
from ase.units import GPa, Hartree

FORCES = "forces against energies"
STRESS = "stress against energies"
BOTH = {"key": "energy", "unit": "eV", "forces": True, "stress": True}
SWAPPED = [0, 1, 2, 4, 3, 5]  # yz and xz
Frames = list[ase.Atoms]
Found = Callable[..., list[Any]]
Relabel = Callable[..., None]
FramesOf = Callable[[Any], dict[str, list[int]]]


def marked(frames: Frames, groups: list[str], key: str = "config_type") -> Frames:
    """Frames with one of ``groups`` after the other, again and again."""
    for i, atoms in enumerate(frames):
        atoms.info[key] = groups[i % len(groups)]
    return frames


def by_severity(found: list[Any]) -> dict[str, Any]:
    assert len({one.severity for one in found}) == len(found)
    return {one.severity: one for one in found}


def test_a_group_with_swapped_shear_components_is_named(
    crystal: Frames, found_in_files: Found, relabel: Relabel, frames_of: FramesOf
) -> None:
    for atoms in marked(crystal, ["a", "b"])[1::2]:
        relabel(atoms, stress=lambda stress: stress[SWAPPED])
    found = by_severity(found_in_files(crystal, STRESS, energy=BOTH))
    assert set(found) == {"wrong", "fine"}
    assert found["wrong"].what.startswith("config_type b (15 frames): the components of the stress")
    assert "xx yy zz xz yz xy" in found["wrong"].what
    assert frames_of(found["wrong"]) == {"training": list(range(1, 30, 2))}
    assert found["fine"].what.startswith("config_type a (15 frames): energy changes")


@pytest.mark.parametrize("key", ["config_type", "temperature", "run"])
def test_a_group_with_a_stress_in_another_unit_is_named_whatever_the_key(
    crystal: Frames, found_in_files: Found, relabel: Relabel, key: str
) -> None:
    values = {"config_type": ["old", "new"], "temperature": ["300.0", "600.0"], "run": ["1", "2"]}
    for atoms in marked(crystal, values[key], key)[1::2]:
        relabel(atoms, stress=lambda stress: stress / GPa)
    found = by_severity(found_in_files(crystal, STRESS, energy=BOTH))
    second = {"old": "new", "300.0": "600", "1": "2"}[values[key][0]]
    assert found["wrong"].what.startswith(
        f"{key} {second} (15 frames): the stress has another unit"
    )
    assert "GPa" in found["wrong"].advice
    assert found["fine"].what.startswith(f"{key} ")


def test_a_wrong_group_is_found_by_any_key_although_another_one_names_groups(
    crystal: Frames, found_in_files: Found, relabel: Relabel
) -> None:
    for atoms in marked(marked(crystal, ["1", "2"], "run"), ["a", "a", "b", "b"])[1::2]:
        relabel(atoms, stress=lambda stress: stress[SWAPPED])
    found = by_severity(found_in_files(crystal, STRESS, energy=BOTH))
    assert found["wrong"].what.startswith("run 2 (15 frames): the components of the stress")
    assert found["fine"].what.startswith("run 1 (15 frames)")


def test_a_group_with_gradients_for_forces_is_named(
    cluster: Frames, found_in_files: Found, relabel: Relabel, frames_of: FramesOf
) -> None:
    for atoms in marked(cluster, ["a", "a", "a", "b"])[3::4]:
        relabel(atoms, forces=lambda forces: -forces)
    twice = [*cluster, *copy.deepcopy(cluster)]  # enough of the smaller group
    for i, atoms in enumerate(twice[40:]):
        atoms.rattle(0.01, seed=i)
        atoms.calc.atoms = atoms.copy()
    found = by_severity(found_in_files(cluster, FORCES))
    assert found["wrong"].what.startswith("config_type b (10 frames): forces have the wrong sign")
    assert frames_of(found["wrong"]) == {"training": list(range(3, 40, 4))}
    assert "config_type a (30 frames)" in found["fine"].what


def test_files_are_judged_one_by_one(
    crystal: Frames, found_in_files: Found, relabel: Relabel
) -> None:
    for atoms in crystal[15:]:
        relabel(atoms, stress=lambda stress: stress[SWAPPED])
    files = {"one.xyz": crystal[:15], "two.xyz": crystal[15:]}
    found = by_severity(found_in_files(files, STRESS, energy=BOTH))
    assert found["wrong"].places[0].file.endswith("two.xyz")
    assert found["fine"].places[0].file.endswith("one.xyz")


def test_groups_that_prove_nothing_are_named_and_are_not_called_fine(
    crystal: Frames, found_in_files: Found, relabel: Relabel, frames_of: FramesOf
) -> None:
    """Frames far apart, whose shear components are swapped: nothing shows that."""
    generator = np.random.default_rng(2)
    for i, atoms in enumerate(crystal[20:]):
        far = crystal[i].repeat((2, 1, 1))
        far.rattle(0.8, rng=generator)
        results = {
            "energy": 2 * crystal[i].calc.results["energy"] + generator.normal(),
            "forces": generator.normal(size=(8, 3)),
            "stress": atoms.calc.results["stress"][SWAPPED],
        }
        far.calc = copy.deepcopy(atoms.calc)
        far.calc.results, far.calc.atoms = results, far.copy()
        crystal[20 + i] = far
    sizes = by_severity(found_in_files(crystal, STRESS, energy=BOTH))
    assert sizes["note"].what.startswith("number of atoms 8 (10 frames): whether the stress")
    for i, atoms in enumerate(crystal):
        atoms.info["config_type"] = "elastic" if i < 20 else "liquid"
    found = by_severity(found_in_files(crystal, STRESS, energy=BOTH))
    assert set(found) == {"note", "fine"}
    assert found["note"].what.startswith("config_type liquid (10 frames): whether the stress")
    assert "cannot be decided" in found["note"].what
    assert found["fine"].what.startswith("config_type elastic (20 frames): energy changes")
    assert frames_of(found["fine"]) == {"training": list(range(20))}


def test_small_groups_that_agree_with_the_whole_file_are_not_named(
    crystal: Frames, cluster: Frames, found_in_files: Found
) -> None:
    names = [f"cell {i}" for i in range(6)]
    (one,) = found_in_files(marked(crystal, names), STRESS, energy=BOTH)
    assert one.severity == "fine"
    assert "config_type" not in one.what
    (one,) = found_in_files(marked(cluster, names), FORCES)
    assert (one.severity, "config_type" in one.what) == ("fine", False)


def test_frames_of_two_kinds_without_a_key_contradict_each_other(
    crystal: Frames, cluster: Frames, found_in_files: Found, relabel: Relabel
) -> None:
    for atoms in crystal[20:]:
        relabel(atoms, stress=lambda stress: stress * [1, 1, 1, -1, -1, -1])
    (one,) = found_in_files(crystal, STRESS, energy=BOTH)
    assert one.severity != "fine"
    for atoms in cluster[32:]:
        relabel(atoms, forces=lambda forces: -forces)
    (one,) = found_in_files(cluster, FORCES)
    assert one.severity in ("wrong", "suspicious")


@pytest.mark.parametrize(
    ("change", "severity", "said", "advice"),
    [
        (lambda energy: energy + 10.0, "suspicious", "1.2", "one unit"),
        (lambda energy: energy - 500.0, "wrong", "62.4", "one reference"),
        (lambda energy: (energy - 400.0) / Hartree, "wrong", "higher", "they would fit in Hartree"),
    ],
)
def test_a_group_with_other_energies_is_named(
    cluster: Frames,
    found_in_files: Found,
    relabel: Relabel,
    frames_of: FramesOf,
    change: Callable[[float], float],
    severity: str,
    said: str,
    advice: str,
) -> None:
    for i, atoms in enumerate(marked(cluster, ["old", "new", "old"])):
        if advice.endswith("Hartree"):
            relabel(atoms, energy=lambda energy: energy - 400.0)
        if i % 3 == 1:
            base = 400.0 if advice.endswith("Hartree") else 0.0
            relabel(atoms, energy=lambda energy: change(energy + base))  # noqa: B023
    (one,) = found_in_files(cluster, "references of groups")
    assert one.severity == severity
    assert one.what.startswith("config_type new (13 frames): energy is ")
    assert said in one.what
    assert advice in one.advice
    assert frames_of(one) == {"training": list(range(1, 40, 3))}


def test_energies_of_other_compositions_are_held_against_the_elements(
    cluster: Frames, found_in_files: Found
) -> None:
    frames = []
    for i, atoms in enumerate(marked(cluster, ["whole", "part"])):
        less = atoms if i % 2 == 0 else atoms[1:]
        if i % 4 == 2:
            less = atoms[[0, 1, 2, 3, 4, 5]]
        energy = -3.0 * len(less) - 2.0 * float((less.numbers == 79).sum())
        less.calc = copy.deepcopy(atoms.calc)
        less.calc.results = {"energy": energy - 900.0 * (i % 2), "forces": np.zeros((len(less), 3))}
        less.calc.atoms = less.copy()
        less.info["config_type"] = atoms.info["config_type"]
        frames.append(less)
    (one,) = found_in_files(frames, "references of groups")
    assert one.severity == "wrong"
    assert one.what.startswith("config_type part (20 frames)")
    assert "lower than elements of the other structures add up to" in one.what


def test_a_structure_far_from_those_of_its_group_is_an_outlier(
    cluster: Frames, found_in_files: Found, relabel: Relabel, frames_of: FramesOf
) -> None:
    """Two groups a few eV apart; one structure is between them."""
    many = [*cluster, *copy.deepcopy(cluster)]
    for i, atoms in enumerate(marked(many, ["a", "b"])):
        atoms.info["frame"] = str(i)
        relabel(atoms, energy=lambda _: -10.0 + 3.2 * (i % 2) + 0.01 * np.sin(i))  # noqa: B023
    many[9].calc.results["energy"] = -8.5
    (one,) = [one for one in found_in_files(many, "outliers") if "energy per atom" in one.what]
    assert frames_of(one) == {"training": [9]}


def test_keys_that_divide_good_data_raise_no_alarm(
    cluster: Frames, crystal: Frames, found_in_files: Found
) -> None:
    generator = np.random.default_rng(8)
    for frames, energy in ((cluster, {"key": "energy", "forces": True}), (crystal, BOTH)):
        for atoms in frames:
            atoms.info |= {
                "config_type": str(generator.choice(["a", "b", "c"])),
                "seed": int(generator.integers(4)),
                "done": bool(generator.integers(2)),
                "time": float(generator.random()),
                "kpoints": generator.integers(3, size=3),
            }
        said = found_in_files(frames, energy=energy)
        assert [one for one in said if one.severity in ("wrong", "suspicious")] == []


def test_structures_without_a_similar_one_are_named_although_no_key_marks_them(
    crystal: Frames, found: Found, frames_of: FramesOf
) -> None:
    """A trajectory in one cell beside strained crystals of the same atoms."""
    generator = np.random.default_rng(9)
    for i, atoms in enumerate(crystal[20:]):
        atoms.set_cell(crystal[0].cell, scale_atoms=True)
        atoms.rattle(0.7, rng=generator)
        atoms.calc.results["energy"] += i
        atoms.calc.atoms = atoms.copy()
    said = by_severity(found(crystal, STRESS, energy=BOTH))
    assert set(said) == {"note", "fine"}
    assert said["note"].what.startswith("10 of 30 structures: no similar structure in another cell")
    assert frames_of(said["note"]) == {"training": list(range(20, 30))}
    assert frames_of(said["fine"]) == {"training": list(range(20))}
