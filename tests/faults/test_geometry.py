"""Geometry that would end the process: refused with file and frame, by every command."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest

Options = dict[str, Any]
Write = Callable[..., Path]
Refused = Callable[..., str]
Mtt = Callable[..., Any]

SOUND = "2\nenergy=-1 Properties=species:S:1:pos:R:3\nH 0 0 0\nH 0 0 0.74\n"


@pytest.mark.parametrize(
    ("comment", "last", "text"),
    [
        ("", "0 0 1e8", "the atoms are too far apart: by 1e+08 (at most 1e+05)"),
        (
            'Lattice="5 0 0 0 5 0 0 0 0" pbc="T T F"',
            "0 0 1e6",
            "the atoms are too far apart: by",
        ),
        (
            'Lattice="5 0 0 0 5 0 0 0 1e6"',
            "0 0 1",
            "the cell is too large: 1e+06 high along",
        ),
        ('Lattice="0.01 0 0 0 9 0 0 0 9"', "0 0 1", "the cell is too flat: 0.01 high along vector"),
    ],
)
def test_every_command_refuses_it_by_file_and_frame(
    tiny: Options,
    write: Write,
    refused: Refused,
    mtt: Mtt,
    trained: Path,
    comment: str,
    last: str,
    text: str,
) -> None:
    wrong = SOUND.replace("energy=-1", f"energy=-1 {comment}").replace("0 0 0.74", last)
    Path("far.xyz").write_text(3 * SOUND + wrong + 16 * SOUND)
    tiny["training_set"]["systems"]["read_from"] = "far.xyz"
    tiny["training_set"]["targets"]["energy"]["forces"] = False
    write(tiny)
    sets = write({"systems": "far.xyz"}, "eval.yaml")
    for command in (
        ("train", "options.yaml"),
        ("eval", trained / "model.ckpt", sets, "-o", "out.xyz"),
        ("eval", trained / "model.pt", sets, "-o", "out.xyz"),
        ("data", "stats", "far.xyz"),
        ("data", "pack", "far.xyz", "-o", "packed"),
    ):
        assert f"far.xyz, frame 3: {text}" in refused(*command)
    checked = mtt("check", "options.yaml")
    assert checked.code == 1
    assert text in checked.out


def test_a_far_dimer_and_a_wide_vacuum_are_predicted_as_if_they_were_nearer(
    write: Write, mtt: Mtt, trained: Path
) -> None:
    dimer = SOUND.replace("0 0 0.74", "0 {} {}")
    slab = SOUND.replace("energy=-1", 'energy=-1 Lattice="5 0 0 0 5 0 0 0 {}"')
    write({"systems": ["wide.xyz"]}, "eval.yaml")
    for model in ("model.ckpt", "model.pt"):
        energies = []
        for far, vacuum in ((10, 10), (1000, 10_000), (90_000, 90_000)):
            Path("wide.xyz").write_text(dimer.format(far, far) + slab.format(vacuum))
            done = mtt("eval", trained / model, "eval.yaml", "-o", f"{far}.xyz")
            assert done.code == 0, done.err
            read = ase.io.read(f"{far}.xyz", ":")
            energies.append([atoms.get_potential_energy() for atoms in read])
        assert np.allclose(energies[1:], energies[0], rtol=0, atol=1e-9)
