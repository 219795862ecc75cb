"""What is wrong with the data is told before the training: one message, nothing left on disk."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

Options = dict[str, Any]
Write = Callable[..., Path]
Refused = Callable[..., str]
Mtt = Callable[..., Any]
Spoil = Callable[..., None]

LINES = 9 + 2  # of a frame of ethanol


@pytest.fixture
def spoil(tiny: Options, write: Write, ethanol: Path) -> Spoil:
    """``spoil({3: [("energy=", "E=")]})``: data with other text in frame 3, and their options.

    A pair of texts is replaced once, in the comment line unless ``line`` says which other one.
    """

    def spoil(changes: dict[int, list[tuple[str, str]]], line: int = 1) -> None:
        lines = ethanol.read_text().splitlines(keepends=True)
        for frame, pairs in changes.items():
            for old, new in pairs:
                text = lines[LINES * frame + line]
                assert old in text
                lines[LINES * frame + line] = text.replace(old, new, 1)
        Path("bad.xyz").write_text("".join(lines))
        tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
        write(tiny)

    return spoil


# ------------------------------------------------------------------------- labels


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"key": "enery"}, "ethanol.xyz: no 'enery' in any structure, for targets.energy (keys"),
        (
            {"forces": {"key": "F"}},
            "ethanol.xyz: no 'F' in any structure, for targets.energy.forces (keys per atom: "
            "forces); set targets.energy.forces.key to the key that the file has",
        ),
        ({"stress": {"key": "S"}}, "no 'S' in any structure, for targets.energy.stress (keys per"),
    ],
)
@pytest.mark.parametrize("part", ["training_set", "validation_set", "test_set"])
def test_a_key_that_no_frame_has_is_refused_with_the_keys_that_exist(
    tiny: Options, write: Write, refused: Refused, part: str, keys: Options, message: str
) -> None:
    tiny[part] = copy.deepcopy(tiny["training_set"])
    tiny[part]["targets"]["energy"] |= keys
    write(tiny)
    assert message in refused("train", "options.yaml")


def test_a_key_that_one_frame_lacks_is_refused_with_the_keys_that_it_has(
    spoil: Spoil, refused: Refused
) -> None:
    spoil({3: [(":forces:", ":force:"), ("energy=", "E=")], 7: [("energy=", "E=")]})
    told = refused("train", "options.yaml").removeprefix("error: ").splitlines()
    assert told == [
        "bad.xyz, frames 3, 7: no 'energy' for targets.energy (keys per structure: E, temperature) "
        "(2 frames); write nan where a structure has no label",
        "bad.xyz, frame 3: no 'forces' for targets.energy.forces (keys per atom: force); "
        "did you mean 'force'?",
    ]


def test_labels_that_are_not_numbers_are_reported_with_frame_and_atom_and_counted(
    spoil: Spoil, refused: Refused, ethanol: Path
) -> None:
    spoil(
        {
            2: [("energy=-", "energy=unknown-")],
            3: [("energy=-309", 'energy="-309 -310" x=')],
            5: [("energy=-", "energy=inf x=-")],
            9: [("energy=-", "energy=none-")],
        }
    )
    text = Path("bad.xyz").read_text().splitlines()
    text[LINES * 6 + 5] = text[LINES * 6 + 5].rpartition(" ")[0] + " -inf"
    text[LINES * 7 + 5] = text[LINES * 7 + 5].rpartition(" ")[0] + " 1e999"
    Path("bad.xyz").write_text("\n".join(text))
    told = refused("train", "options.yaml").removeprefix("error: ").splitlines()
    assert [line.partition(", ")[2] for line in told] == [
        "frames 2, 9: 'energy' for targets.energy: not a number: "
        f"'unknown-{energy_of(ethanol, 2)}' (2 frames)",
        "frame 3: 'energy' for targets.energy: 2 values where 1 is expected (num_subtargets 1)",
        "frame 5: 'energy' for targets.energy: infinite",
        "frames 6, 7: 'forces' for targets.energy.forces: infinite (atom 3) (2 frames)",
    ]


def energy_of(path: Path, frame: int) -> str:
    """The text of the energy in a frame, without its sign."""
    comment = path.read_text().splitlines()[LINES * frame + 1]
    return comment.partition("energy=-")[2].split()[0]


def test_labels_that_are_nan_are_missing_and_never_silently(spoil: Spoil, mtt: Mtt) -> None:
    spoil({3: [("energy=", "energy=nan x=")], 4: [("energy=", "energy=NaN x=")]})
    done = mtt("train", "options.yaml", "--dry-run")
    assert (done.code, done.err) == (0, "")
    assert "'energy' is NaN, a missing label, in 2 of 20 structures (frames 3, 4)" in done.out


def test_a_mistake_in_every_frame_is_reported_once(spoil: Spoil, refused: Refused) -> None:
    spoil({frame: [(":forces:", ":my:forces:")] for frame in range(20)})
    message = refused("train", "options.yaml")
    assert message.count("\n") == 1
    assert "bad.xyz:2, frame 0: Properties: my:forces" in message
    assert "(and in 19 more places)" in message


# ------------------------------------------------------------------------- files


@pytest.mark.parametrize(
    ("line", "old", "new", "message"),
    [
        (0, "9", "8", "bad.xyz:44, frame 4: expected a number of atoms, found 'H  "),
        (0, "9", "10", "bad.xyz:45, frame 3: 1 columns where 7 are expected; do the number of"),
        (0, "9", "nine", "bad.xyz:34, frame 3: expected a number of atoms, found 'nine'"),
        (0, "9", "-9", "bad.xyz:34, frame 3: expected a number of atoms, found '-9'"),
        (0, "9", "9" * 12, "bad.xyz:220, frame 3: the file ends after 185 of 999999999999 atoms"),
        (0, "9", "9" * 30, "bad.xyz:34, frame 3: expected a number of atoms, found '999"),
        (2, "C ", "Cx", "bad.xyz:36, frame 3: unknown element 'Cx' (atom 0)"),
        (2, "C ", "X ", "bad.xyz, frame 3: unknown element: atomic number 0 (atom 0)"),
        (2, "\n", " 7\n", "bad.xyz:36, frame 3: 8 columns where 7 are expected"),
        (2, "\n", "D-01\n", "in column 'forces' of atom 0 is not a number; write the exponent"),
        (1, "energy=-", "energy=-1.0D-01 x=-", "'-1.0D-01' (write the exponent with E)"),
        (1, "F F F", "F F", "bad.xyz:35, frame 3: pbc is not one or three of T and F: 'F F'"),
        (1, "energy", 'Lattice="1 2 3" energy', "bad.xyz:35, frame 3: Lattice is not 9 numbers"),
    ],
)
def test_a_frame_that_cannot_be_read_is_reported_with_its_line(
    spoil: Spoil, refused: Refused, line: int, old: str, new: str, message: str
) -> None:
    spoil({3: [(old, new)]}, line)
    assert message in refused("train", "options.yaml")


def test_a_truncated_file_is_reported_with_its_line(spoil: Spoil, refused: Refused) -> None:
    spoil({})
    whole = Path("bad.xyz").read_text()
    for cut, message in (
        (whole[:-200], "bad.xyz:219, frame 19: the file ends after 8 of 9 atoms; was it cut off?"),
        (whole[:-20], "bad.xyz:220, frame 19: 6 columns where 7 are expected"),
    ):
        Path("bad.xyz").write_text(cut)
        assert message in refused("train", "options.yaml")


def test_a_byte_order_mark_does_no_harm(spoil: Spoil, mtt: Mtt) -> None:
    spoil({})
    Path("bad.xyz").write_bytes(b"\xef\xbb\xbf" + Path("bad.xyz").read_bytes())
    assert mtt("train", "options.yaml", "--dry-run").code == 0


# ------------------------------------------------------------------------- structures


@pytest.fixture
def frames(ethanol: Path) -> list[Any]:
    found: list[Any] = ase.io.read(ethanol, ":")
    return found


def nan_position(frames: list[Any]) -> None:
    frames[3].positions[2, 1] = np.nan


def zero_cell(frames: list[Any]) -> None:
    frames[3].pbc = True


def coincident_atoms(frames: list[Any]) -> None:
    frames[3].positions[1] = frames[3].positions[0]


def no_atoms(frames: list[Any]) -> None:
    del frames[3][:]
    frames[3].calc.results["forces"] = np.zeros((0, 3))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (nan_position, "bad.xyz, frame 3: positions are not finite: [-1."),
        (zero_cell, "bad.xyz, frame 3: periodic (pbc), but a cell vector is zero; give the cell"),
        (coincident_atoms, "bad.xyz, frame 3: atoms at the same place: atoms 0 and 1 are 0 apart"),
        (no_atoms, "bad.xyz, frame 3: no atoms"),
    ],
)
def test_a_structure_that_cannot_be_is_refused_with_its_frame(
    tiny: Options,
    write: Write,
    refused: Refused,
    frames: list[Any],
    change: Callable[[list[Any]], None],
    message: str,
) -> None:
    change(frames)
    ase.io.write("bad.xyz", frames, format="extxyz")
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    write(tiny)
    assert message in refused("train", "options.yaml")


def test_an_isolated_atom_trains_and_feels_no_force(
    tiny: Options, write: Write, mtt: Mtt, frames: list[Any], fit: Callable[..., Any]
) -> None:
    alone = frames[0][3:4]
    alone.calc = SinglePointCalculator(alone, energy=-13.6, forces=np.zeros((1, 3)))
    ase.io.write("alone.xyz", alone)
    ase.io.write("bad.xyz", [*frames, alone], format="extxyz")
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    tiny |= {"validation_set": {"indices": [0, 1]}, "test_set": 0.0}
    tiny["architecture"]["training"]["batch_size"] = 1  # a batch has no pairs at all
    folder = fit(tiny)
    assert "20" in (folder.path / "indices" / "training.txt").read_text().split()
    write({"systems": "alone.xyz"}, "eval.yaml")
    assert mtt("eval", folder.checkpoint, "eval.yaml", "-o", "out.xyz").code == 0
    predicted = ase.io.read("out.xyz")
    assert np.isfinite(predicted.get_potential_energy())
    assert predicted.get_forces().tolist() == [[0.0, 0.0, 0.0]]
