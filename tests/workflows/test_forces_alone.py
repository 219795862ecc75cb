"""An energy that is learnt from its derivatives alone: the whole way, to the evaluation."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import pytest

from mtt import evaluate
from mtt.errors import ConfigError

Fit = Callable[..., Any]
History = Callable[[Any], list[dict[str, Any]]]


@pytest.fixture
def alone(tiny: dict[str, Any], here: Path) -> dict[str, Any]:
    """Tiny options for the forces of ethanol, without its energies."""
    frames = ase.io.read(tiny["training_set"]["systems"]["read_from"], ":")
    for atoms in frames:
        atoms.calc.results = {"forces": atoms.calc.results["forces"]}
        atoms.info.clear()
    ase.io.write("forces.xyz", frames)
    tiny["training_set"]["systems"]["read_from"] = "forces.xyz"
    tiny["architecture"]["training"]["best_model_metric"] = "mae_prod"
    return tiny


def test_it_trains_and_is_evaluated_by_its_forces(
    alone: dict[str, Any], fit: Fit, history: History, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="mtt"):
        folder = fit(alone)
    said = [one.getMessage() for one in caplog.records]
    (undetermined,) = [one for one in said if "has no label of energy itself" in one]
    assert "its constant is not determined" in undetermined
    lines = [one for one in said if one.startswith("epoch ")]
    assert lines
    assert not any("nan" in one or "energy" in one for one in lines)
    assert any("mae_prod" in one for one in said)
    caplog.clear()
    data = {"systems": "forces.xyz", "targets": {"energy": {"unit": "eV"}}}
    (one,) = evaluate(folder.checkpoint, data)
    assert [row.quantity for row in one.report.rows] == ["forces"]
    warnings = [one.getMessage() for one in caplog.records if one.levelname == "WARNING"]
    assert warnings == [
        "forces.xyz: no 'energy' in any structure: energy has forces alone here, which do "
        "not determine its constant"
    ]
    alone["architecture"]["training"]["num_epochs"] = 3
    assert len(history(fit(alone, restart=folder.checkpoint))) > len(lines)


def test_a_metric_of_the_energy_itself_is_refused(alone: dict[str, Any], fit: Fit) -> None:
    alone["architecture"]["training"]["best_model_metric"] = "energy RMSE"
    with pytest.raises(ConfigError, match="no validation structure has a label for energy RMSE"):
        fit(alone)


def test_energies_in_another_set_determine_the_constant(
    alone: dict[str, Any], tiny_options: dict[str, Any], fit: Fit, caplog: pytest.LogCaptureFixture
) -> None:
    alone["training_set"] = [alone["training_set"], tiny_options["training_set"]]
    alone["test_set"] = 0.0
    fit(alone)
    assert "has no label of energy itself" not in caplog.text
