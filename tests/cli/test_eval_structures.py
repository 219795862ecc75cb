"""``mtt eval`` by structure and by group; ``--quiet``."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest

Mtt = Callable[..., Any]
Write = Callable[..., Path]


@pytest.fixture
def grouped(tiny: dict[str, Any], ethanol: Path, write: Write) -> list[ase.Atoms]:
    """``eval.yaml``, whose data has groups and one force that is wrong."""
    frames = ase.io.read(ethanol, ":")
    for i, atoms in enumerate(frames):
        atoms.info["config_type"] = "hot" if i % 2 else "cold"
    frames[7].calc.results["forces"][0] += 50.0
    ase.io.write("groups.xyz", frames)
    systems = {"read_from": "groups.xyz", "length_unit": "angstrom"}
    write({"systems": systems, "targets": tiny["training_set"]["targets"]}, "eval.yaml")
    return frames


def test_the_worst_structures_groups_references_and_a_table_in_one_command(
    mtt: Mtt, trained: Path, grouped: list[ase.Atoms]
) -> None:
    words = ("--worst", "2", "--by", "config_type", "--with-references", "--per-structure", "e.csv")
    done = mtt("eval", trained / "model.pt", "eval.yaml", "-b", "7", *words)
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    start = next(i for i, line in enumerate(lines) if "the 2 worst structures" in line)
    table = [line.split() for line in lines[start + 1 :] if line.strip()]
    assert table[0][0] == "energy", "the header"
    assert table[3][:3] == ["7", "C2H6O", "hot"]
    assert any(line.split()[:2] == ["hot", "10"] for line in lines)
    assert "wrote e.csv" in done.out
    with Path("e.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["info config_type"] for row in rows[:2]] == ["cold", "hot"]
    predicted = ase.io.read("output.xyz", ":")
    for row, atoms, given in zip(rows, predicted, grouped, strict=True):
        error = atoms.get_forces() - given.get_forces(apply_constraint=False)
        assert float(row["forces MaxAE (eV/Å)"]) == pytest.approx(np.abs(error).max(), rel=1e-6)
        np.testing.assert_array_equal(atoms.arrays["REF_forces"], given.get_forces())


def test_a_key_that_no_structure_has_and_a_table_over_the_data_are_refused(
    mtt: Mtt, trained: Path, grouped: list[ase.Atoms]
) -> None:
    done = mtt("eval", trained / "model.pt", "eval.yaml", "--by", "config-type")
    assert done.code == 1
    assert "groups.xyz: no structure has the key 'config-type'" in done.err
    assert "did you mean 'config_type'" in done.err
    before = Path("eval.yaml").read_bytes()
    Path("table.csv").symlink_to("eval.yaml")
    done = mtt("eval", trained / "model.pt", "eval.yaml", "--per-structure", "table.csv")
    assert done.code == 1
    assert "the errors of structures would replace eval.yaml" in done.err
    assert Path("eval.yaml").read_bytes() == before
    assert not Path("output.xyz").exists()


@pytest.mark.parametrize("width", [120, 60])
def test_the_worst_fit_the_terminal(
    mtt: Mtt,
    trained: Path,
    grouped: list[ase.Atoms],
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    done = mtt("eval", trained / "model.pt", "eval.yaml", "-b", "7", "--worst", "3")
    lines = done.out.splitlines()
    start = next(i for i, line in enumerate(lines) if "the 3 worst structures" in line)
    assert max(map(len, lines[start + 1 :])) <= width
    assert sum("C2H6O" in line for line in lines[start:]) == 3


def test_quiet_prints_results_and_nothing_else(
    mtt: Mtt, trained: Path, write: Write, tiny: dict[str, Any]
) -> None:
    write({key: tiny["training_set"][key] for key in ("systems", "targets")}, "eval.yaml")
    done = mtt("eval", trained / "model.ckpt", "eval.yaml", "-b", "7", "-q")
    assert done.out.startswith("errors on ")
    assert not any(word in done.out for word in ("wrote", "per structure", "best weights"))
    done = mtt("export", trained / "model.ckpt", "-o", "again.pt", "--quiet")
    assert (done.code, done.out, done.err) == (0, "", "")
    tiny["architecture"]["training"]["num_epochs"] = 1
    done = mtt("train", write(tiny), "-q")
    assert (done.code, done.err) == (0, "")
    lines = [line for line in done.out.splitlines() if not line.startswith("warning: ")]
    assert lines[0] == "errors on the training set:"
    assert not any("epoch" in line for line in lines)
    (log,) = Path("outputs").rglob("train.log")
    assert "epoch 1/1" in log.read_text(), "the log has everything"
    assert "wrote" in mtt("export", trained / "model.ckpt", "-o", "loud.pt").out
