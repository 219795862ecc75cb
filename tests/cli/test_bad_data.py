"""What can be wrong in the data: one message, exit 1, nothing left on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest

Options = dict[str, Any]
Write = Callable[..., Path]
Refused = Callable[..., str]


@pytest.fixture
def frames(ethanol: Path) -> list[Any]:
    found: list[Any] = ase.io.read(ethanol, ":")
    return found


def no_key(frames: list[Any]) -> None:
    frames[3].calc = None


def nan_position(frames: list[Any]) -> None:
    frames[3].positions[2, 1] = np.nan


def infinite_force(frames: list[Any]) -> None:
    frames[3].calc.results["forces"][0, 0] = np.inf


def zero_cell(frames: list[Any]) -> None:
    frames[3].pbc = True


def coincident_atoms(frames: list[Any]) -> None:
    frames[3].positions[1] = frames[3].positions[0]


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        (no_key, ["bad.xyz, frame 3", "'energy'"]),
        (nan_position, ["bad.xyz, frame 3", "positions"]),
        (infinite_force, ["bad.xyz, frame 3", "forces"]),
        (zero_cell, ["bad.xyz, frame 3", "cell", "pbc"]),
        (coincident_atoms, ["bad.xyz, frame 3", "atoms 0 and 1"]),
    ],
)
def test_bad_structures(
    tiny: Options,
    write: Write,
    refused: Refused,
    frames: list[Any],
    change: Callable[[list[Any]], None],
    texts: list[str],
) -> None:
    change(frames)
    ase.io.write("bad.xyz", frames, format="extxyz")
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    write(tiny)
    message = refused("train", "options.yaml")
    for text in texts:
        assert text in message


def test_text_instead_of_a_number(
    tiny: Options, write: Write, refused: Refused, ethanol: Path
) -> None:
    lines = ethanol.read_text().splitlines()
    lines[4 * 11 + 1] = lines[4 * 11 + 1].replace("energy=-", "energy=unknown-")
    Path("bad.xyz").write_text("\n".join(lines) + "\n")
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    write(tiny)
    message = refused("train", "options.yaml")
    assert "bad.xyz, frame 4" in message
    assert "unknown-" in message


def test_a_mistake_in_every_frame_is_told_once(
    tiny: Options, write: Write, refused: Refused, ethanol: Path
) -> None:
    Path("bad.xyz").write_text(ethanol.read_text().replace(":forces:", ":my:forces:"))
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    write(tiny)
    message = refused("train", "options.yaml")
    assert message.count("\n") == 1
    assert "bad.xyz:2, frame 0: Properties: my:forces" in message
    assert "(and in 19 more places)" in message


def test_a_file_that_is_cut_short(
    tiny: Options, write: Write, refused: Refused, ethanol: Path
) -> None:
    Path("bad.xyz").write_text(ethanol.read_text()[:-200])
    tiny["training_set"]["systems"]["read_from"] = "bad.xyz"
    write(tiny)
    assert "bad.xyz" in refused("train", "options.yaml")


def test_an_element_only_in_the_validation_set(
    tiny: Options, write: Write, refused: Refused, frames: list[Any]
) -> None:
    frames[0].numbers[0] = 14
    ase.io.write("validation.xyz", frames[:4])
    tiny["validation_set"] = json.loads(json.dumps(tiny["training_set"]))
    tiny["validation_set"]["systems"]["read_from"] = "validation.xyz"
    write(tiny)
    message = refused("train", "options.yaml")
    assert "validation_set: Si stands in the validation set and not in the training set" in message
