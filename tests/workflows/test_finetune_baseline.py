"""A fine-tuning to labels of another reference: from the options to the exported model."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt import train
from mtt.checking import Selection, check_target, find_targets
from mtt.checkpoint import read
from mtt.errors import CheckpointError
from mtt.exporting import export_model, load_exported
from mtt.testing import predictions, systems
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run.load_model import load_checkpoint, model_from

Fit = Callable[..., RunFolder]
OFFSET = 400.0  # eV per structure of nine atoms


@pytest.fixture(scope="session")
def trained(
    tiny_options: dict[str, Any], fit: Fit, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A checkpoint of the tiny model; read only."""
    folder = tmp_path_factory.mktemp("source")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        return fit(copy.deepcopy(tiny_options)).checkpoint.resolve()


@pytest.fixture
def tuning(tiny: dict[str, Any], trained: Path, here: Path, ethanol: Path) -> dict[str, Any]:
    """Options that fine-tune it to the same structures with shifted energies."""
    moved = re.sub(
        r"energy=(\S+)", lambda one: f"energy={float(one[1]) - OFFSET}", ethanol.read_text()
    )
    (here / "shifted.xyz").write_text(moved)
    tiny["training_set"]["systems"]["read_from"] = "shifted.xyz"
    tiny["architecture"]["training"].update(num_epochs=1, finetune={"read_from": str(trained)})
    return {**tiny, "final_eval": False}


def test_the_offset_is_refitted_and_the_first_epoch_begins_without_it(
    tuning: dict[str, Any], trained: Path, history: Callable[..., Any]
) -> None:
    heard: list[Any] = []
    result = train(tuning, listeners=[lambda category, values, _: heard.append((category, values))])
    assert result.directory is not None
    folder = RunFolder(result.directory)
    (first,) = history(folder)
    assert first["training energy RMSE"] < 300.0  # meV per atom, of an offset of 44,444
    (table,) = [values for category, values in heard if category == "step_0"]
    rows = {row.quantity: row for row in table["report"].rows}
    assert table["dataset"] == "14 structures of the training set"
    assert rows["energy"].rmse == pytest.approx(1e3 * OFFSET / 9, rel=0.01)
    assert set(rows) == {"energy", "energy total", "forces", "energy, refitted"}
    origin = json.loads((folder.path / "provenance.json").read_text())
    stored = origin["step_0"]["labels"]
    assert origin["baseline"] == "auto"
    assert stored["targets"]["energy"]["baseline"] == "refitted"
    before, after = (
        read(path)[weights]["composition.values"]
        for path, weights in (
            (trained, "best_model_state_dict"),
            (folder.checkpoint, "model_state_dict"),
        )
    )
    moved = float((after - before)[0, 0])
    assert stored["targets"]["energy"]["offset"]["H"] == pytest.approx(moved, rel=1e-12)
    log = folder.log.read_text()
    assert "step 0: energy 4.4" in log
    assert "The baseline is refitted (finetune.baseline: auto)" in log


def test_a_restart_keeps_what_was_refitted_and_refuses_another_wish(
    tuning: dict[str, Any], fit: Fit
) -> None:
    folder = fit(tuning)
    known = read(folder.checkpoint)
    tuning["architecture"]["training"]["num_epochs"] = 2
    again = read(fit(tuning, "auto").checkpoint)
    assert again["epoch"] == 2
    for name in ("composition.values", "scale.values"):
        assert torch.equal(again["model_state_dict"][name], known["model_state_dict"][name])
    assert again["provenance"]["step_0"] == known["provenance"]["step_0"]
    tuning["architecture"]["training"]["finetune"]["baseline"] = "keep"
    with pytest.raises(CheckpointError, match=r"finetune.baseline is 'keep' in the options and"):
        fit(tuning, folder.checkpoint)


def test_a_given_atomic_baseline_is_that_of_the_exported_model(
    tuning: dict[str, Any], fit: Fit
) -> None:
    given = {1: -13.25, 6: -1029.5, 8: -2043.75}
    tuning["architecture"]["training"]["atomic_baseline"] = {"energy": given}
    folder = fit(tuning)
    model = model_from(*load_checkpoint(folder.checkpoint), "export")
    assert model.composition.values[:, 0].tolist() == list(given.values())
    structures = systems.ordinary((1, 6, 8))
    whole = predictions(load_exported(export_model(model, folder.model)), structures)
    model.composition.values.zero_()
    for atoms, one, network in zip(structures, whole, predictions(model, structures), strict=True):
        wanted = sum(given[int(z)] for z in atoms.numbers)
        found = float(one["energy"].values - network["energy"].values)
        assert found == pytest.approx(wanted, abs=1e-8)


@pytest.mark.parametrize(
    ("baseline", "severity", "words"),
    [
        ("auto", "note", "The baseline is refitted (finetune.baseline: auto)"),
        ("keep", "suspicious", "The baseline is kept (finetune.baseline: keep)"),
    ],
)
def test_mtt_check_finds_the_offset(
    tuning: dict[str, Any], here: Path, baseline: str, severity: str, words: str
) -> None:
    tuning["architecture"]["training"]["finetune"]["baseline"] = baseline
    (here / "tune.yaml").write_text(json.dumps(tuning))
    (target,) = find_targets(["tune.yaml"])
    result = check_target(target, Selection())
    (found,) = [one for one in result.findings if one.check == "fine-tuning"]
    assert result.passed
    assert found.severity == severity
    assert words in found.what
    assert "-44." in found.what
    assert [Path(place.file).name for place in found.places] == ["shifted.xyz"]
    assert not Path("outputs").exists()


def test_mtt_check_says_what_is_in_order(tuning: dict[str, Any], here: Path, ethanol: Path) -> None:
    tuning["training_set"]["systems"]["read_from"] = str(ethanol)
    (here / "tune.yaml").write_text(json.dumps(tuning))
    (target,) = find_targets(["tune.yaml"])
    (found,) = [
        one for one in check_target(target, Selection()).findings if one.check == "fine-tuning"
    ]
    assert found.severity == "fine"
    assert "the source predicts 14 structures of the training set with an RMSE of energy" in (
        found.what
    )
