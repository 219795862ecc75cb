"""Probes of a model's physics: they find what is so, and say why where they cannot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT

from mtt import load_model
from mtt.report.charts.lines import line_chart
from mtt.report.probes.cells import strains, volumes
from mtt.report.probes.consistency import consistency
from mtt.report.probes.dimers import zbl
from mtt.report.probes.dynamics import drift
from mtt.report.probes.predictor import Predicted
from mtt.report.probes.probe import Clock
from mtt.report.probes.run import OVER, run_probes


def plain(atoms: ase.Atoms) -> dict[str, Any]:
    return {
        "numbers": atoms.numbers.tolist(),
        "positions": atoms.positions.tolist(),
        "cell": np.asarray(atoms.cell).tolist(),
        "pbc": atoms.pbc.tolist(),
    }


class Emt:
    """A predictor whose truth is known: effective medium theory of ASE."""

    angstrom = 1.0
    elements = (29,)
    cutoff = 0.0

    def __call__(self, structures: Any) -> Predicted:
        energies, forces = [], []
        for atoms in structures:
            mine = atoms.copy()
            mine.calc = EMT()
            energies.append(mine.get_potential_energy())
            forces.append(mine.get_forces())
        return Predicted(np.array(energies), forces)


def test_a_trained_model_passes_the_probes_that_its_data_allow(
    trained: Path, ethanol: Path
) -> None:
    model = load_model(trained / "model.ckpt")
    found = run_probes(model, [plain(ase.io.read(ethanol, 0))], seconds=20.0)
    assert [one["key"] for one in found] == ["consistency", "cutoff", "dimers", "speed", "drift"]
    assert [one["problem"] for one in found] == [""] * 5
    assert [line["title"] for line in found[2]["curves"]] == [
        "H–H", "H–C", "H–O", "C–C", "C–O", "O–O",
    ]  # fmt: skip
    charts = [line_chart(line) for one in found for line in one["curves"]]
    assert all(chart is not None and chart.alt for chart in charts)


def test_probes_without_time_are_left_out_and_say_so(trained: Path, ethanol: Path) -> None:
    model = load_model(trained / "model.ckpt")
    found = run_probes(model, [plain(ase.io.read(ethanol, 0))], seconds=0.0)
    assert {one["problem"] for one in found} == {OVER}


def test_a_model_without_a_unit_of_length_says_what_the_probes_need(
    trained: Path, ethanol: Path
) -> None:
    model = load_model(trained / "model.ckpt")
    model.dataset_info = replace(model.dataset_info, length_unit="")
    (found,) = run_probes(model, [plain(ase.io.read(ethanol, 0))], seconds=20.0)
    assert found["problem"] == "the unit of length is not given (length_unit under systems)"


def test_an_exact_potential_is_consistent_and_a_broken_one_is_not() -> None:
    atoms = bulk("Cu", cubic=True)
    atoms.rattle(0.1, seed=1)
    numbers = dict(consistency(Emt(), [atoms]).numbers)  # type: ignore[arg-type]
    for name in ("rotation", "inversion", "translation", "exchange of atoms"):
        energy, force = (
            float(text.split()[0]) for text in numbers[f"change under {name}"].split(", ")
        )
        assert energy < 1e-8
        assert force < 1e-8
    assert float(numbers["force against slope of the energy"].split()[0]) < 0.05

    class Wrong(Emt):
        def __call__(self, structures: Any) -> Predicted:
            energies, forces = super().__call__(structures)
            tilted = [
                e + 0.1 * atoms.positions[0, 0]
                for e, atoms in zip(energies, structures, strict=True)
            ]
            return Predicted(np.array(tilted), forces)

    broken = dict(consistency(Wrong(), [atoms]).numbers)  # type: ignore[arg-type]
    assert float(broken["change under translation"].split()[0]) > 1e-3


def test_the_volume_of_lowest_energy_is_found() -> None:
    atoms = bulk("Cu", a=3.6)
    found = volumes(Emt(), atoms)  # type: ignore[arg-type]
    points = np.array(found.curves[0]["lines"]["model"])
    assert points[:, 1].min() == 0
    assert points[points[:, 1].argmin(), 0] == pytest.approx(11.6, rel=0.04)  # a = 3.59 Å of EMT
    lines = strains(Emt(), atoms).curves[0]["lines"]  # type: ignore[arg-type]
    np.testing.assert_allclose(np.array(lines["xx"])[:, 1], np.array(lines["yy"])[:, 1], atol=1e-6)


def test_the_total_energy_of_an_exact_potential_does_not_drift() -> None:
    found = drift(Emt(), bulk("Cu", cubic=True), Clock(60.0))  # type: ignore[arg-type]
    change = np.array(found.curves[0]["lines"]["model"])[:, 1]
    assert len(change) == 200
    assert np.abs(change).max() < 0.5  # meV/atom
    assert drift(Emt(), bulk("Cu"), Clock(0.0)).problem == "the time was over after 1 steps"  # type: ignore[arg-type]


def test_the_screened_repulsion_is_that_of_the_literature() -> None:
    # two bare protons at a distance far below the screening length
    close = np.array([1e-4])
    assert zbl(1, 1, close)[0] == pytest.approx(14.399645 / 1e-4, rel=1e-3)
    # Si-Si at 1 Å: a = 0.8854 a0 / (2 · 14^0.23) = 0.12767 Å
    x = 1.0 / 0.12767
    phi = 0.18175 * np.exp(-3.1998 * x) + 0.50986 * np.exp(-0.94229 * x)
    phi += 0.28022 * np.exp(-0.4029 * x) + 0.02817 * np.exp(-0.20162 * x)
    assert zbl(14, 14, np.array([1.0]))[0] == pytest.approx(196 * 14.399645 * phi, rel=1e-3)
