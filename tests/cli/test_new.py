"""``mtt new``, and that what it writes works through every command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np

Mtt = Callable[..., Any]
Write = Callable[..., Path]

SMALL = {"cutoff": 3.0, "n_radial": 4, "width": 4}


def test_a_new_architecture_trains_exports_and_predicts(
    mtt: Mtt, write: Write, tiny: dict[str, Any], here: Path
) -> None:
    done = mtt("new", "pair_net", "mine")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("wrote mine/pair_net\n")
    tiny["architecture"] |= {"name": "pair_net", "model": SMALL}
    write(tiny)
    # the lines that it says are next, as they stand there, but for the checks
    lines = [shlex.split(line) for line in re.findall(r"^  mtt (.*)", done.out, re.MULTILINE)]
    assert [words[0] for words in lines] == ["check", "architectures", "train"]
    assert mtt(*lines[0], "--only", "translation").code == 0
    assert "n_radial" in mtt(*lines[1]).out
    trained = mtt(*lines[2])
    assert (trained.code, trained.err) == (0, "")
    assert "epoch 2/2" in trained.out
    folder = lines[2][-1]
    exported = mtt("export", "model.ckpt", "-o", "again.pt", "--architectures", folder)
    assert (exported.code, exported.err) == (0, "")
    write({"systems": tiny["training_set"]["systems"]}, "eval.yaml")
    forces = []
    for model in ("model.pt", "again.pt"):  # without the folder: the files need none of it
        assert mtt("eval", model, "eval.yaml", "-o", "out.xyz").code == 0
        forces.append([frame.get_forces() for frame in ase.io.read("out.xyz", ":")])
    np.testing.assert_array_equal(*forces)
    assert np.abs(forces[0]).max() > 0.0


def test_written_files_are_listed(mtt: Mtt) -> None:
    out = mtt("new", "own").out
    for path in Path("own").iterdir():
        assert f"\n  {path.name} " in out
    assert max(map(len, out.splitlines())) < 80


def test_names_with_blanks_on_the_way_are_quoted(mtt: Mtt) -> None:
    out = mtt("new", "own", "my folder").out
    assert "  mtt check 'my folder/own'\n" in out


def test_nothing_is_written_where_something_is_wrong(refused: Callable[..., str]) -> None:
    assert "write pair_net" in refused("new", "PairNet")
    assert "there is an architecture 'soap_bpnn' already" in refused("new", "soap_bpnn")


def test_a_folder_that_is_there_is_left_alone(mtt: Mtt, refused: Callable[..., str]) -> None:
    assert mtt("new", "own").code == 0
    assert "own: exists already; choose another name" in refused("new", "own")
