"""Baselines and scales from a checkpoint."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt import train
from mtt.checkpoint import read, write
from mtt.errors import CheckpointError, ConfigError, DataError
from mtt.options import read_yaml
from mtt.ranks import SerialRanks
from mtt.workflows.train import check_only, read_inputs


def prepared(options: dict[str, Any]) -> dict[str, Any]:
    """The options of the training as they are run."""
    plan = read_inputs(options, Path("out.pt"), None, (), (), True, SerialRanks())
    training: dict[str, Any] = plan.options.architecture["training"]
    return training


def given(options: dict[str, Any], **training: Any) -> dict[str, Any]:
    options["architecture"]["training"].update(num_epochs=1, **training)
    return options


def test_baselines_and_scales_of_a_checkpoint_become_numbers(
    tiny: dict[str, Any], trained: Path, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = trained / "model.ckpt"
    weights = read(source)["best_model_state_dict"]
    options = given(tiny, atomic_baseline=str(source), fixed_scaling_weights=str(source))
    with caplog.at_level(logging.INFO, "mtt"):
        result = train(options)
    assert f"atomic_baseline: energy from {source}" in caplog.text
    stored = read("model.ckpt")["model_state_dict"]
    for name in ("composition.values", "scale.values"):
        torch.testing.assert_close(stored[name], weights[name], rtol=0, atol=0)
    # the run is whole without the file that they come from
    assert result.directory is not None
    written = read_yaml(result.directory / "options_restart.yaml")["architecture"]["training"]
    table = dict(zip((1, 6, 8), weights["composition.values"][:, 0].tolist(), strict=True))
    assert written["atomic_baseline"] == {"energy": table}
    assert written["fixed_scaling_weights"] == {"energy": weights["scale.values"].item()}


def test_checkpoints_are_named_by_home_folder_and_variables(
    tiny: dict[str, Any], trained: Path, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(trained))
    names = {"atomic_baseline": "~/model.ckpt", "fixed_scaling_weights": "$HOME/model.ckpt"}
    options = given(tiny, **names, finetune={"read_from": "$HOME/model.ckpt"})
    found = prepared(options)
    assert list(found["atomic_baseline"]["energy"]) == [1, 6, 8]
    assert isinstance(found["fixed_scaling_weights"]["energy"], float)
    check_only(options)
    options["architecture"]["training"]["finetune"]["read_from"] = "$HOMES/model.ckpt"
    with pytest.raises(DataError, match=r"'HOMES' is not set.*HOME"):
        check_only(options)


def test_symbols_and_numbers_are_the_same_options(tiny: dict[str, Any]) -> None:
    by_symbol = prepared(given(tiny, atomic_baseline={"energy": {"H": -1, "O": -2.0}}))
    assert by_symbol["atomic_baseline"] == {"energy": {1: -1, 8: -2.0}}


def test_elements_that_the_checkpoint_does_not_know_are_fitted(
    tiny: dict[str, Any], trained: Path, here: Path, caplog: pytest.LogCaptureFixture
) -> None:
    head = "2\nProperties=species:S:1:pos:R:3:forces:R:3"
    frames = [f"{head} energy={-i}.0\nN 0 0 0 0 0 1\nH 0 0 1 0 0 -1\n" for i in range(10)]
    Path("nh.xyz").write_text("".join(frames))
    tiny["training_set"]["systems"]["read_from"] = "nh.xyz"
    with caplog.at_level(logging.INFO, "mtt"):
        found = prepared(given(tiny, atomic_baseline=str(trained / "model.ckpt")))
    assert list(found["atomic_baseline"]["energy"]) == [1]
    assert "those of N are fitted" in caplog.text


@pytest.mark.parametrize("key", ["atomic_baseline", "fixed_scaling_weights"])
def test_checkpoints_that_have_none_of_them_are_refused(
    tiny: dict[str, Any], trained: Path, here: Path, key: str
) -> None:
    with pytest.raises(CheckpointError, match=r"nothing\.ckpt: no such file"):
        prepared(given(tiny, **{key: "nothing.ckpt"}))
    checkpoint = read(trained / "model.ckpt")
    targets = checkpoint["dataset_info"]["targets"]
    targets["energy"]["unit"] = "kcal/mol"
    write("other_unit.ckpt", checkpoint)
    message = rf"training\.{key}: energy is in eV in the data and in kcal/mol in other_unit"
    with pytest.raises(ConfigError, match=message):
        prepared(given(tiny, **{key: "other_unit.ckpt"}))
    targets["energy/b"] = targets.pop("energy")
    write("other.ckpt", checkpoint)
    with pytest.raises(ConfigError, match=r"other.ckpt has none of the targets energy; it has ene"):
        prepared(given(tiny, **{key: "other.ckpt"}))
