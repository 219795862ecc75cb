"""What tables say where no unit is given."""

from __future__ import annotations

import io

import ase
import numpy as np
import pytest
from rich.console import Console

from mtt.cli.render import terminal
from mtt.data import Dataset
from mtt.data.statistics import statistics
from mtt.evaluation.report import Report, Row, Timing

TIMING = Timing(1.0, 1, 1)


def test_errors_without_a_unit_say_so(capsys: pytest.CaptureFixture[str]) -> None:
    rows = (Row("energy", 1.0, 1.0, "meV/atom", 1), Row("forces", 1.0, 1.0, "", 3))
    terminal.errors("data", Report({}, rows, TIMING))
    lines = capsys.readouterr().out.splitlines()
    assert "unit not given" in next(line for line in lines if "forces" in line)
    assert "meV/atom" in next(line for line in lines if "energy" in line)


@pytest.mark.parametrize("unit", ["", "eV"])
def test_statistics_without_a_unit_say_so(capsys: pytest.CaptureFixture[str], unit: str) -> None:
    frames = [ase.Atoms("H", info={"energy": -13.6, "gap": 1.0})]
    targets = {"energy": {"unit": unit}, "mtt::gap": {"key": "gap"}}
    terminal.statistics("data", statistics(Dataset.from_atoms(frames, targets)))
    text = capsys.readouterr().out
    if unit:
        line = next(line for line in text.splitlines() if "mtt::gap" in line)
        assert "not given" in line
    else:
        assert "unit not given: energy, energy (per atom), mtt::gap" in text
        assert "unit" not in text.replace("unit not given", "")


def test_labels_have_the_digits_in_which_they_differ_and_say_what_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    frames = [
        ase.Atoms("OH", [[0, 0, 0], [0, 0, 1]], info={"energy": -4209.4657 - 0.1 * i})
        for i in range(3)
    ]
    for i, atoms in enumerate(frames):
        atoms.arrays["forces"] = np.array([[0, 0, 1.0], [0, 0, -1.0]]) * i
    targets = {"energy": {"unit": "eV", "forces": True}}
    terminal.statistics("data", statistics(Dataset.from_atoms(frames, targets)))
    shown = capsys.readouterr().out.splitlines()[2:]
    head, total, per_atom, forces = [line.split() for line in shown if "─" not in line][:4]
    assert head == ["unit", "structures", "mean", "std", "min", "max"]
    words = ["total", "energy", "eV", "3", "-4209.5657", "0.0816", "-4209.6657", "-4209.4657"]
    assert total == words
    assert per_atom[:5] == ["energy", "per", "atom", "eV", "3"]
    assert forces == ["energy", "forces", "eV/Å", "6", "atoms", "0.000", "0.745", "-2.000", "2.000"]


def test_errors_of_energies_are_named_per_atom_and_total(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ("energy", "energy total", "energy, refitted", "forces", "mtt::gap")
    rows = tuple(Row(name, 1.0, 1.0, "meV", 1200) for name in names)
    terminal.errors("data", Report({}, rows, TIMING))
    lines = capsys.readouterr().out.splitlines()
    found = [line.split("  1 ")[0].strip() for line in lines if "1,200" in line]
    refitted = "energy per atom, baseline refitted"
    assert found == ["energy per atom", "total energy", refitted, "forces", "mtt::gap"]
    assert "components" in lines[2]


@pytest.mark.parametrize(("width", "n"), [(120, 6), (80, 6), (60, 4)])
def test_a_narrow_terminal_gets_fewer_statistics_and_whole_numbers(
    monkeypatch: pytest.MonkeyPatch, width: int, n: int
) -> None:
    screen = io.StringIO()
    console = Console(file=screen, force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr(terminal, "_shared", [console])
    frames = [ase.Atoms("H", info={"energy": -9391.2345 - 0.1 * i}) for i in range(3)]
    terminal.statistics("data", statistics(Dataset.from_atoms(frames, {"energy": {"unit": "eV"}})))
    lines = [line.split() for line in screen.getvalue().splitlines()]
    (head,) = [line for line in lines if line[:1] == ["unit"]]
    (total,) = [line for line in lines if line[:1] == ["total"]]
    assert len(head) == n
    assert "-9391.3345" in total
