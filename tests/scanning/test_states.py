"""One structure in several states: charge, spin, or another key of the file."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import ase
import numpy as np
import pytest

CHECK = "states of one structure"
Frames = list[ase.Atoms]
Found = Callable[..., list[Any]]
FramesOf = Callable[[Any], dict[str, list[int]]]


def in_states(frames: Frames, mark: Callable[[ase.Atoms, int], None], apart: float = 9.0) -> Frames:
    """Each frame twice, in state 0 and 1, whose energies are ``apart``."""
    found = []
    for atoms in frames:
        for state in (0, 1):
            one = copy.deepcopy(atoms)
            one.calc.results["energy"] += apart * state
            mark(one, state)
            found.append(one)
    return found


@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("charge", (0, 1)),
        ("total_charge", (0.0, -1.0)),
        ("spin", (1, 3)),
        ("REF_multiplicity", (1, 3)),
        ("total_magmom", (0.0, 2.0)),
    ],
)
def test_states_are_not_mistaken_copies(
    cluster: Frames,
    found_in_files: Found,
    frames_of: FramesOf,
    key: str,
    values: tuple[float, float],
) -> None:
    frames = in_states(cluster[:8], lambda atoms, s: atoms.info.update({key: values[s]}))
    said = found_in_files(frames)
    (one,) = [one for one in said if one.check == CHECK]
    assert one.severity == "wrong"
    low, high = (f"{value:g}" for value in values)
    assert f"8 structures are in the data in several states, {key} = {low} and {high}" in one.what
    assert (one.number, one.unit) == (pytest.approx(9.0), "eV")
    assert frames_of(one) == {"training": list(range(16))}
    assert f"{key} belongs to the input, not to the targets" in one.advice
    assert "one target for each" in one.advice
    assert [one for one in said if one.check == "duplicates"] == []
    assert not any("as the key of a target" in one.advice and key in one.what for one in said)


def test_total_magnetic_moments_of_the_atoms_distinguish_states(
    cluster: Frames, found_in_files: Found
) -> None:
    def mark(atoms: ase.Atoms, state: int) -> None:
        atoms.arrays["magmoms"] = np.full(len(atoms), 0.26 * state)

    (one,) = found_in_files(in_states(cluster[:8], mark), CHECK)
    assert "total magnetic moment = 0 and 2" in one.what


def test_labels_of_two_methods_are_distinguished_by_their_key(
    cluster: Frames, found_in_files: Found
) -> None:
    frames = in_states(
        cluster[:8], lambda atoms, s: atoms.info.update(method=("PBE", "B3LYP")[s], run=0)
    )
    (one,) = found_in_files(frames, CHECK)
    assert "in several versions, method = PBE and B3LYP" in one.what
    assert "text is not an input of any model" in one.advice


def test_numbers_that_distinguish_versions_can_be_inputs(
    cluster: Frames, found_in_files: Found
) -> None:
    frames = in_states(cluster[:8], lambda atoms, s: atoms.info.update(temperature=300 + 50 * s))
    (one,) = found_in_files(frames, CHECK)
    said = "extra_data: {temperature: {key: temperature}} and architecture.model.inputs: ["
    assert said in one.advice
    assert found_in_files(frames, CHECK, extra_data={"temperature": {"key": "temperature"}}) == []


def test_copies_inside_of_a_state_are_still_duplicates(
    cluster: Frames, found_in_files: Found, frames_of: FramesOf
) -> None:
    frames = in_states(cluster[:8], lambda atoms, s: atoms.info.update(charge=s))
    again = copy.deepcopy(frames[5])
    other = copy.deepcopy(frames[7])
    other.calc.results["energy"] += 1.0
    said = found_in_files([*frames, again, other], "duplicates")
    within, labels = sorted(said, key=lambda one: one.severity)
    assert (within.severity, frames_of(within)) == ("suspicious", {"training": [16, 17]})
    assert (labels.severity, frames_of(labels)) == ("wrong", {"training": [7, 17]})


def test_keys_that_change_with_every_frame_explain_nothing(
    cluster: Frames, found_in_files: Found
) -> None:
    count = iter(range(100))
    frames = in_states(cluster[:8], lambda atoms, s: atoms.info.update(index=next(count)))
    assert found_in_files(frames, CHECK) == []
    assert any("of the same structure differs" in one.what for one in found_in_files(frames))


def test_charges_of_one_composition_are_suspicious_without_shared_structures(
    cluster: Frames, found_in_files: Found, frames_of: FramesOf
) -> None:
    for i, atoms in enumerate(cluster):
        atoms.info["charge"] = int(i > 29)
    (one,) = found_in_files(cluster, CHECK)
    assert one.severity == "suspicious"
    assert "charge = 0 (30 structures) and 1 (10 structures)" in one.what
    for i, atoms in enumerate(cluster):  # each composition has one charge: elements determine it
        atoms.info["charge"] = int(i > 29)
        atoms.numbers[0] = 79 if i > 29 else 29
        atoms.calc.atoms = atoms.copy()
    assert found_in_files(cluster, CHECK) == []


def test_a_charge_that_is_read_as_an_input_distinguishes_the_states(
    cluster: Frames, found_in_files: Found
) -> None:
    frames = in_states(cluster[:8], lambda atoms, s: atoms.info.update(charge=s))
    said = found_in_files(frames, extra_data={"charge": {"key": "charge"}})
    assert [one for one in said if one.check in (CHECK, "duplicates")] == []
