"""Forces and stress that stand by default have a loss where the data have them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from mtt import train
from mtt.errors import ConfigError
from mtt.ranks import SerialRanks
from mtt.workflows.train import read_inputs


def losses(options: dict[str, Any]) -> dict[str, Any]:
    """The losses that a training gets."""
    plan = read_inputs(options, Path("model.pt"), None, (), (), True, SerialRanks())
    training: dict[str, Any] = plan.options.architecture["training"]
    return training


@pytest.mark.parametrize("section", [{}, {"forces": True}])
def test_molecules_need_not_say_that_they_have_no_stress(
    section: dict[str, Any], tiny: dict[str, Any]
) -> None:
    tiny["training_set"]["targets"]["energy"] = {"unit": "eV", **section}
    tiny["architecture"]["training"]["stages"] = [
        {"num_epochs": 1, "loss": "mae"},
        {"num_epochs": 1},
    ]
    training = losses(tiny)
    assert set(training["loss"]["energy"]["gradients"]) == {"positions"}
    first, second = training["stages"]
    assert set(first["loss"]["energy"]["gradients"]) == {"positions"}
    assert "loss" not in second
    train(tiny, dry_run=True)


def test_crystals_learn_stress_by_default(tiny: dict[str, Any], alloy: Path) -> None:
    tiny["training_set"] = {
        "systems": {"read_from": str(alloy), "length_unit": "angstrom"},
        "targets": {"energy": {"unit": "eV"}},
    }
    assert set(losses(tiny)["loss"]["energy"]["gradients"]) == {"positions", "strain"}


@pytest.mark.parametrize("loss", [{"stress": "mae"}, {"gradients": {"strain": {"weight": 2.0}}}])
def test_a_loss_that_is_written_needs_labels(loss: dict[str, Any], tiny: dict[str, Any]) -> None:
    tiny["training_set"]["targets"]["energy"] = {"unit": "eV"}
    tiny["architecture"]["training"]["loss"] = {"energy": loss}
    with pytest.raises(ConfigError, match="the data have no strain gradient of this target"):
        train(tiny, dry_run=True)


def test_all_options_of_such_a_run_are_a_file_that_runs(tiny: dict[str, Any], here: Path) -> None:
    tiny["training_set"]["targets"]["energy"] = {"unit": "eV"}
    plan = read_inputs(tiny, Path("model.pt"), None, (), (), True, SerialRanks())
    again = yaml.safe_load(plan.options.to_yaml())
    assert losses(again) == losses(tiny)
