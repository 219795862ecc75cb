"""Data against the inputs of a model: what is missing or impossible, with frame, key and remedy."""

from __future__ import annotations

from typing import Any

import ase
import pytest

from mtt.data import Dataset
from mtt.mlip.inputs.check import Wanted, input_problems

NAN = float("nan")
ANY = Wanted(False, float("-inf"), float("inf"), True)
WANTED = {
    "charge": Wanted(False, -2.0, 2.0, True),
    "spin_multiplicity": Wanted(False, 1.0, float("inf"), True),
    "temperature": ANY,
    "site": ANY._replace(per_atom=True),
}
KEYS: dict[str, Any] = {name: {"key": name} for name in WANTED}
KEYS["site"]["sample_kind"] = "atom"


def problems(name: str, values: list[Any], required: bool = True) -> list[str]:
    frames = []
    for value in values:
        atoms = ase.Atoms("H2", [[0, 0, 0], [0, 0, 1]])
        place = atoms.arrays if name == "site" else atoms.info
        place[name] = value
        frames.append(atoms)
    dataset = Dataset.from_atoms(frames, {}, extra_data={name: KEYS[name]})
    found = input_problems(dataset, {name: WANTED[name]}, [name] if required else [])
    return [str(one) for one in found]


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("charge", [0, -2, 2], None),
        ("spin_multiplicity", [1, 2, 40], None),
        ("temperature", [0.5, -3.0, 1e9], None),
        ("charge", [0, 0.5], "atoms, frame 1: charge is 0.5, which is not a whole number"),
        (
            "charge",
            [0, 3, -3],
            "frame 1: charge is 3: the model takes -2 to 2 (2 structures)",
        ),
        (
            "charge",
            [0, NAN],
            "frame 1: charge is missing (nan), an input of the model; give",
        ),
        (
            "spin_multiplicity",
            [1, 0],
            "spin_multiplicity is 0: the model takes 1 and more",
        ),
        ("spin_multiplicity", [0.5], "0.5, which is not a whole number; give the multiplicity 2 S"),
        ("temperature", [1.0, NAN, NAN], "frame 1: temperature is missing (nan)"),
        ("site", [[1, 2], [NAN, 1], [1, NAN]], "atoms, frame 1: site is missing (nan)"),
    ],
)
def test_values_are_named_with_their_frame(name: str, values: list[Any], said: str | None) -> None:
    found = problems(name, values)
    assert len(found) == (said is not None), found
    assert said is None or said in found[0]


def test_a_refused_charge_names_the_option_of_a_new_model() -> None:
    (found,) = problems("charge", [5])
    assert "max_charge of a new model can be larger" in found


@pytest.mark.parametrize("name", list(WANTED))
def test_an_input_that_is_required_and_absent_is_named_with_what_to_write(name: str) -> None:
    dataset = Dataset.from_atoms([ase.Atoms("H")], {})
    wanted = {name: WANTED[name]}
    assert input_problems(dataset, wanted, []) == []
    (found,) = map(str, input_problems(dataset, wanted, [name]))
    kind = ", sample_kind: atom" if name == "site" else ""
    assert f"atoms, frame 0: the model takes {name} as an input" in found
    assert f"write extra_data: {{{name}: {{key: KEY{kind}}}}}" in found


def test_numbers_of_atoms_are_not_those_of_structures() -> None:
    atoms = ase.Atoms("H")
    atoms.info["site"] = 1.0
    dataset = Dataset.from_atoms([atoms], {}, extra_data={"site": {"key": "site"}})
    (found,) = input_problems(dataset, {"site": WANTED["site"]}, [])
    assert "one number for each atom" in found.what
    assert "sample_kind: atom" in found.hint
