"""Fine-tuning: the best weights of another run, everything else anew."""

from __future__ import annotations

import copy
import hashlib
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from mtt import train
from mtt.checkpoint import read
from mtt.errors import ArchitectureError, CheckpointError, ConfigError, MttError
from mtt.exporting import export_model, load_exported
from mtt.ranks import SerialRanks
from mtt.testing import predictions, systems
from mtt.training import TrainingInterrupted
from mtt.workflows.run.folder import RunFolder
from mtt.workflows.run.load_model import load_checkpoint, model_from
from mtt.workflows.train import begin, read_inputs

Fit = Callable[..., RunFolder]
Tensors = dict[str, torch.Tensor]
CORRECTED = ".parametrizations.weight.original"


@pytest.fixture(scope="session")
def trained(tiny_options: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint of the tiny model; read only."""
    folder = tmp_path_factory.mktemp("source")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        train(copy.deepcopy(tiny_options))
    return folder / "model.ckpt"


@pytest.fixture
def source(trained: Path, here: Path) -> Path:
    """It, in the folder of the test."""
    return Path(shutil.copy(trained, here / "source.ckpt"))


@pytest.fixture
def tuning(tiny: dict[str, Any], source: Path) -> dict[str, Any]:
    """Options that fine-tune it, with another seed and fewer structures."""
    tiny["seed"] = 8
    tiny["validation_set"] = 0.5
    tiny["architecture"]["training"].update(num_epochs=1, finetune={"read_from": str(source)})
    return tiny


def by(options: dict[str, Any], method: str, **config: Any) -> dict[str, Any]:
    """``options`` with another method, and a decay that moves whatever is not frozen."""
    training = options["architecture"]["training"]
    training["finetune"].update(method=method, config=config)
    training.update(weight_decay=0.1, optimizer="adamw", learning_rate=0.01)
    return options


def weights(path: Path, key: str = "model_state_dict") -> Tensors:
    stored: Tensors = read(path)[key]
    return stored


def plain(state: Tensors) -> Tensors:
    """The base weights under their usual names."""
    names = {name.replace(CORRECTED, ".weight"): value for name, value in state.items()}
    return {name: value for name, value in names.items() if ".parametrizations." not in name}


def unchanged(state: Tensors, source: Path) -> set[str]:
    """Names of the tensors that are the source's, bit for bit."""
    base = weights(source, "best_model_state_dict")
    return {name for name, value in state.items() if torch.equal(value, base[name])}


def test_it_starts_with_the_best_weights(tuning: dict[str, Any], source: Path, fit: Fit) -> None:
    tuning["architecture"]["training"]["learning_rate"] = 1e-30
    stored = read(fit(tuning).checkpoint)
    best = weights(source, "best_model_state_dict")
    torch.testing.assert_close(stored["model_state_dict"], best, rtol=1e-12, atol=1e-12)
    assert stored["epoch"] == 1
    assert "finetuning" not in stored


def test_the_first_predictions_are_those_of_the_source_and_the_encoder_bit_for_bit(
    tuning: dict[str, Any], source: Path
) -> None:
    for method, config in (
        ("full", {}),
        ("heads", {}),
        ("lora", {}),
        ("freeze", {"freeze": ["first"]}),
    ):
        start = begin(
            read_inputs(
                by(tuning, method, **config), Path("m.pt"), None, (), (), False, SerialRanks()
            )
        )
        found = start.provenance["step_0"]
        assert found["structures"] == 8
        assert set(found["differences"]) == {"energy values", "energy forces", "energy strain"}
        assert set(found["differences"].values()) == {0.0}
        assert found["explained"] == []
        own = plain(start.model.state_dict())
        assert unchanged(own, source) == set(own)


def test_frozen_weights_stay_bit_for_bit_under_weight_decay(
    tuning: dict[str, Any], source: Path, fit: Fit
) -> None:
    folder = fit(by(tuning, "freeze", freeze=["first"]))
    state = weights(folder.checkpoint)
    tables = {"composition.values", "scale.values"}
    first = {name for name in state if name.startswith("first.")}
    assert unchanged(state, source) == first | tables
    optimizer = read(folder.checkpoint)["trainer_state"]["parts"]["optimizer"]
    assert sum(len(group["params"]) for group in optimizer["param_groups"]) == len(state) - 5


def test_heads_train_and_nothing_else(tuning: dict[str, Any], source: Path, fit: Fit) -> None:
    own = weights(fit(by(tuning, "heads")).checkpoint)
    assert set(own) - unchanged(own, source) == {"heads.0.last.weight"}
    chosen = weights(fit(by(tuning, "heads", head_modules=["first.linear"])).checkpoint)
    assert set(chosen) - unchanged(chosen, source) == {"first.linear.weight"}


def test_low_rank_corrections_train_over_a_frozen_base_and_are_merged_for_export(
    tuning: dict[str, Any], source: Path, fit: Fit
) -> None:
    folder = fit(by(tuning, "lora", rank=2, alpha=4, target_modules=["first.linear"]))
    checkpoint, architecture = load_checkpoint(folder.checkpoint)
    state = checkpoint["model_state_dict"]
    assert unchanged(plain(state), source) == set(plain(state))
    up = state["first.linear.parametrizations.weight.0.up"]
    assert up.shape == (3, 4, 2)
    assert float(up.abs().max()) > 0.0
    live, merged = (model_from(checkpoint, architecture, c) for c in ("restart", "export"))
    assert set(merged.state_dict()) == set(plain(state))
    live.load_state_dict(checkpoint["best_model_state_dict"])
    exact = live.get_submodule("first.linear").weight
    torch.testing.assert_close(merged.state_dict()["first.linear.weight"], exact, rtol=0, atol=0)
    assert_same_predictions(live, merged, folder)


def assert_same_predictions(live: Any, merged: Any, folder: RunFolder) -> None:
    """Also those of the exported file."""
    structures = systems.ordinary((1, 6, 8))
    exported = load_exported(export_model(live, folder.model))
    wanted = predictions(live, structures)
    for model in (merged, exported):
        for one, two in zip(wanted, predictions(model, structures), strict=True):
            for part in ("values", "forces", "strain"):
                numbers = getattr(one["energy"], part), getattr(two["energy"], part)
                torch.testing.assert_close(*numbers, rtol=1e-12, atol=1e-12)


def test_a_stopped_run_resumes_bit_for_bit(tuning: dict[str, Any], fit: Fit) -> None:
    by(tuning, "lora", rank=1, alpha=2)["architecture"]["training"]["num_epochs"] = 3
    straight = fit(tuning)

    def stop(category: str, values: Any, epoch: int) -> None:
        if category == "progress" and epoch == 2 and values["batch"] == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(TrainingInterrupted):
        fit(tuning, listeners=[stop])
    resumed = fit(tuning, "auto")
    assert resumed.path != straight.path
    one, two = read(resumed.checkpoint), read(straight.checkpoint)
    assert one["finetuning"] == two["finetuning"]
    for key in ("model_state_dict", "best_model_state_dict"):
        torch.testing.assert_close(one[key], two[key], rtol=0, atol=0)
    moments = (stored["trainer_state"]["parts"]["optimizer"]["state"] for stored in (one, two))
    torch.testing.assert_close(*moments, rtol=0, atol=0)
    assert one["provenance"]["step_0"] == two["provenance"]["step_0"]
    tuning["architecture"]["training"]["finetune"]["config"]["rank"] = 2
    with pytest.raises(CheckpointError, match=r"finetune.config.rank is 2 in the options and 1"):
        fit(tuning, resumed.checkpoint)


def test_a_chain_of_three_records_the_origin_of_its_weights(
    tuning: dict[str, Any], source: Path, fit: Fit
) -> None:
    second = fit(by(tuning, "lora", rank=1)).checkpoint
    tuning["architecture"]["training"]["finetune"] = {"read_from": str(second)}
    third = read(fit(by(tuning, "heads")).checkpoint)["provenance"]
    assert (third["start"], third["method"]) == ("finetune", "heads")
    assert third["source"]["path"] == str(second)
    assert third["source"]["sha256"] == hashlib.sha256(second.read_bytes()).hexdigest()
    assert third["source"]["epoch"] == read(second)["best_epoch"]
    before = third["source"]["provenance"]
    assert (before["start"], before["method"], before["config"]) == (
        "finetune",
        "lora",
        {"rank": 1},
    )
    assert before["source"]["sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert before["source"]["provenance"]["start"] == "new"
    assert before["source"]["provenance"]["seed"] == 1


def test_it_resumes_from_its_own_checkpoint(tuning: dict[str, Any], fit: Fit) -> None:
    folder = fit(tuning)
    tuning["architecture"]["training"]["num_epochs"] = 2
    assert fit(tuning, "auto").path.samefile(folder.path)
    assert read(folder.checkpoint)["epoch"] == 2
    assert read(folder.checkpoint)["provenance"]["start"] == "finetune"
    section = tuning["architecture"]["training"]["finetune"]
    section["read_from"] = shutil.copy(section["read_from"], "moved.ckpt")  # the same bytes
    read_inputs(tuning, Path("model.pt"), folder.checkpoint, (), (), True, SerialRanks())
    for other in (None, str(folder.checkpoint)):
        section["read_from"] = other
        with pytest.raises(CheckpointError, match=rf"finetune.read_from is {other!r} in the opt"):
            read_inputs(
                tuning, None, folder.checkpoint, (), (), True, SerialRanks()
            )  # nothing is written


def other_model(options: dict[str, Any]) -> None:
    options["architecture"]["model"]["soap"]["cutoff"]["radius"] = 3.0


def other_architecture(options: dict[str, Any]) -> None:
    training = options["architecture"]["training"]
    options["architecture"] = {"name": "gaussians", "training": training}


def missing_file(options: dict[str, Any]) -> None:
    options["architecture"]["training"]["finetune"]["read_from"] = "nowhere.ckpt"


def misspelt_pattern(options: dict[str, Any]) -> None:
    by(options, "freeze", freeze=["frist.*", "heads"])


def everything(options: dict[str, Any]) -> None:
    by(options, "freeze", freeze=["*"])


def unknown_layer(options: dict[str, Any]) -> None:
    by(options, "lora", target_modules=["heads.0.lost"])


def misspelt_option(options: dict[str, Any]) -> None:
    by(options, "lora", rnak=3)


def unknown_target(options: dict[str, Any]) -> None:
    options["architecture"]["training"]["finetune"]["inherit_heads"] = {"energi": "energy"}


def other_unit(options: dict[str, Any]) -> None:
    options["training_set"]["targets"]["energy"]["unit"] = "hartree"


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (other_model, CheckpointError, r"cutoff.radius is 3.0 in the options and 2.5 in the"),
        (other_architecture, CheckpointError, r"a checkpoint of .*'soap_bpnn'.*'gaussians'"),
        (missing_file, CheckpointError, r"nowhere.ckpt: no such file"),
        (misspelt_pattern, ConfigError, r"config.freeze: 'frist.\*' matches none .*'first'\?"),
        (everything, ConfigError, r"config.freeze: nothing is left to train; the model has first"),
        (unknown_layer, ConfigError, r"target_modules: 'heads.0.lost' .* mean 'heads.0.last'"),
        (misspelt_option, ConfigError, r"config.rnak: unknown key.* mean 'rank'"),
        (unknown_target, ConfigError, r"inherit_heads.energi: the data have no target 'energi'"),
        (other_unit, ArchitectureError, r"source.ckpt: energy: unit is 'hartree' in the data and"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_is_written(
    tuning: dict[str, Any],
    fit: Fit,
    root: Path,
    change: Callable[[dict[str, Any]], None],
    kind: type[MttError],
    message: str,
) -> None:
    change(tuning)
    with pytest.raises(kind, match=message):
        fit(tuning, architectures=[root / "examples" / "architecture"])
    assert not Path("outputs").exists()
