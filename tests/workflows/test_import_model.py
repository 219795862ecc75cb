"""An imported checkpoint is an ordinary one: shown, exported, evaluated, fine-tuned."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase.io
import pytest
import torch

from mtt import evaluate, export, load_model, train
from mtt.checkpoint import read
from mtt.errors import CheckpointError
from mtt.testing import predictions
from mtt.workflows.import_model import import_model
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.show import show

Fit = Callable[..., RunFolder]


@pytest.fixture
def theirs(metatrain_format: SimpleNamespace, here: Path) -> Path:
    """A checkpoint in the format of metatrain's PET, in float64."""
    model = metatrain_format.model(d_node=6)
    return Path(metatrain_format.write(here / "theirs.ckpt", metatrain_format.content(model)))


@pytest.fixture
def tuning(tiny: dict[str, Any], theirs: Path) -> dict[str, Any]:
    """Options that fine-tune it: what ``mtt import`` prints."""
    done = import_model(theirs, "ours.ckpt")
    training = {"batch_size": 4, "num_epochs": 1, "finetune": {"read_from": "ours.ckpt"}}
    tiny["architecture"] = {
        "name": done.architecture,
        "model": done.hypers,
        "training": training,
    }
    return tiny


def energies(model: Any, ethanol: Path) -> list[float]:
    frames = ase.io.read(ethanol, ":3")
    return [float(one["energy"].values) for one in predictions(model, frames)]


def test_it_says_where_it_comes_from(theirs: Path) -> None:
    done = import_model(theirs, "ours.ckpt")
    known = show(done.path)
    assert (known["kind"], known["problem"], known["architecture"]) == ("checkpoint", None, "pet")
    assert known["provenance"]["imported"] == {
        "program": "metatrain",
        "kind": "PET, checkpoint version 16",
        "file": "theirs.ckpt",
        "sha256": hashlib.sha256(theirs.read_bytes()).hexdigest(),
        "left_out": [],
    }
    direct = show(theirs)
    assert direct["kind"] == "checkpoint of metatrain"
    assert direct["provenance"] == known["provenance"]
    assert direct["model_hypers"] == known["model_hypers"]


def test_a_file_of_metatrain_serves_wherever_a_checkpoint_does(
    theirs: Path, ethanol: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import_model(theirs, "ours.ckpt")
    wanted = energies(load_model("ours.ckpt"), ethanol)
    caplog.set_level("INFO", "mtt")
    export(theirs, "direct.zip")
    assert f"{theirs}: imported from metatrain (PET, checkpoint version 16)" in caplog.text
    assert energies(load_model("direct.zip"), ethanol) == wanted
    assert show("direct.zip")["provenance"]["imported"]["program"] == "metatrain"
    frames = ase.io.read(ethanol, ":3")
    ase.io.write("data.xyz", frames)
    systems = {"read_from": "data.xyz", "length_unit": "angstrom"}
    (scored,) = evaluate(theirs, {"systems": systems}, output="out.xyz")
    found = [one.get_potential_energy() for one in ase.io.read(scored.output, ":")]
    assert found == pytest.approx(wanted, abs=1e-6)


def test_it_is_fine_tuned_from_its_own_predictions(
    tuning: dict[str, Any], theirs: Path, fit: Fit
) -> None:
    # the file itself; the checkpoint that is imported from it is one like any other
    finetune = {"read_from": str(theirs), "baseline": "keep"}
    tuning["architecture"]["training"]["finetune"] = finetune
    known = read(fit(tuning).path / "model.ckpt")["provenance"]
    assert max(known["step_0"]["differences"].values()) < 1e-9
    assert known["source"]["provenance"]["imported"]["program"] == "metatrain"
    assert known["source"]["sha256"] == hashlib.sha256(theirs.read_bytes()).hexdigest()


def test_it_is_not_resumed(tuning: dict[str, Any], theirs: Path) -> None:
    del tuning["architecture"]["training"]["finetune"]
    message = r"imported from metatrain \(PET, .*no training to resume; fine-tune it"
    for path in (theirs, "ours.ckpt"):
        with pytest.raises(CheckpointError, match=message):
            train(tuning, restart=path)


def test_precision_and_baselines_are_kept(
    metatrain_format: SimpleNamespace, theirs: Path, ethanol: Path
) -> None:
    source = metatrain_format.model(d_node=6)
    import_model(theirs, "ours.ckpt")
    model = load_model("ours.ckpt")
    assert model.dtype == torch.float64
    torch.testing.assert_close(model.composition.values, source.composition.values)
    assert model.scales == source.scales
    assert energies(model, ethanol) == pytest.approx(energies(source, ethanol), abs=1e-9)
