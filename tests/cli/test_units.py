"""What tables say where no unit is given."""

from __future__ import annotations

import ase
import pytest

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
