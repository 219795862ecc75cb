"""The examples do what they say: their options train, their scripts make their data."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ase.io
import numpy as np
import pytest

from mtt import evaluate, train

SHORT = ["architecture.training.num_epochs=1", "architecture.training.batch_size=64"]
NO_REPORT = [*SHORT, "report=false"]


@pytest.fixture
def here(tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that looks like the root of the repository to an options file."""
    (tmp_path / "examples").symlink_to(root / "examples")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.fresh_process
def test_quickstart_trains_exports_and_evaluates(here: Path) -> None:
    trained = train("examples/quickstart/options.yaml", overrides=SHORT)
    assert trained.model == Path("model.pt")
    assert (here / "model.ckpt").is_file()
    (scored,) = evaluate(
        "model.pt", "examples/quickstart/eval.yaml", output="output.xyz", batch_size=100
    )
    assert scored.output == Path("output.xyz")
    assert len(ase.io.read("output.xyz", ":")) == 600


def test_alloy_trains_on_stress(here: Path) -> None:
    trained = train("examples/alloy/options.yaml", overrides=NO_REPORT)
    rows = [row for report in trained.reports.values() for row in report.rows]
    assert any("stress" in row.quantity for row in rows)


def test_dipoles_and_polarizabilities_train_and_are_written(here: Path) -> None:
    trained = train("examples/dipole/options.yaml", overrides=NO_REPORT)
    quantities = {row.quantity for row in trained.reports["test"].rows}
    assert {"mtt::dipole", "mtt::polarizability xy", "mtt::dipole z"} <= quantities
    (scored,) = evaluate("model.pt", {"systems": "examples/data/ethanol_dipoles.xyz"},
                         output="output.xyz", batch_size=100)  # fmt: skip
    assert scored.output is not None
    (first, *_) = ase.io.read(scored.output, ":")
    assert first.info["mtt_dipole"].shape == (3,)
    polarizability = first.info["mtt_polarizability"].reshape(3, 3)
    np.testing.assert_allclose(polarizability, polarizability.T, rtol=1e-6)


def test_blocks_of_fock_matrices_are_read(here: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "mtt")
    train("examples/fock/options.yaml", dry_run=True)
    assert "nothing was trained" in caplog.text
    assert "density_messages with" in caplog.text


def test_dipoles_of_ethanol_are_those_of_the_frames_of_the_other_file(root: Path) -> None:
    data = root / "examples" / "data"
    frames = ase.io.read(data / "ethanol_dipoles.xyz", ":")
    others = ase.io.read(data / "ethanol.xyz", "::3")
    assert len(frames) == 200
    for one, other in zip(frames, others, strict=True):
        np.testing.assert_array_equal(one.positions, other.positions)
        np.testing.assert_allclose(one.get_potential_energy(), other.get_potential_energy(),
                                   atol=1e-5)  # fmt: skip
        assert (np.linalg.eigvalsh(one.info["polarizability"]) > 0).all()
        assert 0 < np.linalg.norm(one.get_dipole_moment()) < 1


def test_linear_model_is_solved_at_once(here: Path) -> None:
    small = ["architecture.model.features=30", "architecture.model.max_angular=2"]
    trained = train("examples/linear/options.yaml", overrides=small)
    (forces,) = [row for row in trained.reports["test"].rows if row.quantity == "forces"]
    assert forces.rmse < 300.0  # meV/Å, of forces of 2 eV/Å


def test_architecture_outside_of_the_package_trains(here: Path) -> None:
    trained = train(
        "examples/architecture/options.yaml",
        overrides=NO_REPORT,
        architectures=["examples/architecture"],
    )
    assert trained.model is not None


def test_alloy_is_made_again_byte_for_byte(tmp_path: Path, root: Path) -> None:
    data = root / "examples" / "data"
    subprocess.run(
        [sys.executable, str(data / "make_alloy.py"), str(tmp_path / "alloy.xyz")],
        check=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert (tmp_path / "alloy.xyz").read_bytes() == (data / "alloy.xyz").read_bytes()


def test_forces_of_ethanol_add_up_to_nothing(root: Path) -> None:
    frames = ase.io.read(root / "examples" / "data" / "ethanol.xyz", ":")
    assert len(frames) == 600
    totals = [frame.get_forces().sum(axis=0) for frame in frames]
    np.testing.assert_allclose(totals, 0.0, atol=1e-4)  # written with 1e-5 eV/Å
