"""Light archives wherever a trained model is taken, without naming a class."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner
from metatomic.torch import AtomisticModel

from mtt import evaluate, export, load_model
from mtt.checkpoint import read, read_archive, write
from mtt.cli.main import cli, run
from mtt.errors import CheckpointError, ConfigError
from mtt.registry import find
from mtt.testing import predictions, systems
from mtt.workflows.run.folder import RunFolder

Fit = Callable[..., RunFolder]
ROOT = Path(__file__).resolve().parent.parent
STORED = ROOT / "resources" / "checkpoints" / "soap_bpnn-model-1-trainer-1.ckpt"
FOLDERS = ROOT / "resources" / "architectures"
PLUGGED = {"architectures": [FOLDERS]}
DATA = {"targets": {"energy": {"unit": "eV", "forces": True, "stress": False}}}


@pytest.fixture
def archive(here: Path) -> Path:
    return export(STORED, here / "model.zip")


def same_predictions(one: Any, other: Any) -> bool:
    structures = systems.ordinary((1, 6, 8))
    pairs = zip(predictions(one, structures), predictions(other, structures), strict=True)
    return all(
        torch.equal(getattr(a[name], part), getattr(b[name], part))
        for a, b in pairs
        for name in a
        for part in ("values", "forces", "strain")
    )


def test_it_loads_without_naming_a_class_as_the_best_weights(archive: Path) -> None:
    assert same_predictions(load_model(archive), load_model(STORED))
    stored = read(STORED)
    kept = read_archive(archive)
    torch.testing.assert_close(
        kept["model_state_dict"], stored["best_model_state_dict"], rtol=0.0, atol=0.0
    )
    assert not {"trainer_state", "train_hypers", "epoch"} & set(kept)
    assert kept["best_epoch"] == stored["best_epoch"]


def test_the_same_checkpoint_gives_the_same_bytes(archive: Path) -> None:
    content = archive.read_bytes()
    export(archive, "again.zip")
    assert export(STORED, "model.zip").read_bytes() == content
    assert Path("again.zip").read_bytes() == content


def test_it_is_exported_for_engines(archive: Path) -> None:
    assert isinstance(load_model(export(archive)), AtomisticModel)
    assert Path("model.pt").is_file()


def test_it_is_evaluated_with_the_errors_of_its_checkpoint(
    archive: Path, ethanol: Path, here: Path
) -> None:
    options = {**DATA, "systems": {"read_from": str(ethanol), "length_unit": "angstrom"}}
    one, other = (evaluate(path, options)[0].report.errors for path in (STORED, archive))
    assert one == other
    assert one["forces RMSE"] > 0.0


def test_the_command_line_takes_and_makes_it(ethanol: Path, here: Path) -> None:
    assert run(["export", str(STORED), "-o", "model.zip"]) == 0
    (here / "eval.yaml").write_text(f"systems: {ethanol}\n")
    assert run(["eval", "model.zip", "eval.yaml", "-o", "out.xyz", "-b", "10"]) == 0
    assert (here / "out.xyz").is_file()
    shown = CliRunner().invoke(cli, ["show", "model.zip"]).output
    assert "kind: archive" in shown
    assert "architecture: soap_bpnn" in shown


def test_metadata_are_added(archive: Path, here: Path) -> None:
    (here / "metadata.yaml").write_text("name: water\nauthors: [A. Author]\n")
    described = export(archive, "described.zip", metadata="metadata.yaml")
    assert read_archive(described)["metadata"]["name"] == "water"
    assert load_model(described).metadata.name == "water"


def test_a_model_is_fine_tuned_from_it(tiny: dict[str, Any], fit: Fit) -> None:
    first = fit(tiny)
    kept = export(first.checkpoint, "first.zip")
    assert read_archive(kept)["provenance"]["seed"] == tiny["seed"]
    tiny["architecture"]["training"].update(
        num_epochs=1, learning_rate=1e-30, finetune={"read_from": str(kept)}
    )
    tuned = read(fit(tiny).checkpoint)
    torch.testing.assert_close(
        tuned["model_state_dict"], read_archive(kept)["model_state_dict"], rtol=1e-12, atol=1e-12
    )
    assert tuned["provenance"]["start"] == "finetune"
    assert tuned["provenance"]["source"]["provenance"]["seed"] == tiny["seed"]


def test_a_training_cannot_be_resumed_from_it(
    archive: Path, tiny: dict[str, Any], fit: Fit
) -> None:
    with pytest.raises(CheckpointError, match=r"model\.zip: .* holds no training .*fine-tune"):
        fit(tiny, archive)


def test_what_an_archive_cannot_do_is_refused(archive: Path, here: Path) -> None:
    with pytest.raises(ConfigError, match=r"out\.zip: an archive keeps the precision of its mo"):
        export(STORED, "out.zip", dtype="float32")
    (here / "metadata.yaml").write_text("name: water\n")
    with pytest.raises(CheckpointError, match="this is the archive of a model, not a checkpoint"):
        export(archive, "out.ckpt", metadata="metadata.yaml")
    assert not list(here.glob("*out*"))


def test_damage_is_reported_by_every_reader(archive: Path, here: Path) -> None:
    content = bytearray(archive.read_bytes())
    with zipfile.ZipFile(archive) as file:
        content[file.getinfo("tensors/4").header_offset - 1] ^= 1  # the last byte before it
    archive.write_bytes(content)
    for use in (load_model, export, read_archive):
        with pytest.raises(CheckpointError, match=r"model\.zip: is damaged: .*'tensors/3'"):
            use(archive)
    assert not (here / "model.pt").exists()


@pytest.fixture
def bare(here: Path) -> Path:
    """A checkpoint of an architecture that implements the bare contract, best weights inside."""
    architecture = find("radial_sum", extra_dirs=[FOLDERS]).load()
    torch.manual_seed(0)
    info = load_model(STORED).dataset_info
    model = architecture.model({"cutoff": 3.0, "num_gaussians": 4}, info).to(torch.float64)
    best = {name: 2 * value for name, value in model.state_dict().items()}
    content = {**model.get_checkpoint(), "best_weights": best, "architecture_name": "radial_sum"}
    write("bare.ckpt", {**content, "optimizer": {"step": torch.tensor(3.0)}})
    return here / "bare.ckpt"


def test_an_architecture_of_the_bare_contract_is_kept_too(bare: Path) -> None:
    kept = export(bare, "bare.zip", **PLUGGED)
    content = read_archive(kept)
    torch.testing.assert_close(dict(content["weights"]), read(bare)["best_weights"], rtol=0, atol=0)
    assert not {"optimizer", "best_weights"} & set(content)
    assert same_weights(load_model(kept, **PLUGGED), load_model(bare, **PLUGGED))
    assert isinstance(load_model(export(kept, "bare.pt", **PLUGGED)), AtomisticModel)


def test_an_archive_of_an_older_model_is_upgraded(bare: Path, here: Path) -> None:
    kept = export(bare, "bare.zip", **PLUGGED)
    folder = here / "newer" / "radial_sum"
    shutil.copytree(FOLDERS / "radial_sum", folder, ignore=shutil.ignore_patterns("__pycache__"))
    source = (folder / "model.py").read_text()
    source = source.replace("__checkpoint_version__ = 1", "__checkpoint_version__ = 2")
    upgrade = (
        'weights = {**checkpoint["weights"], "shift": checkpoint["weights"]["shift"] + 1.0}\n'
        '        keys = ("architecture_name", "hypers", "info")\n'
        "        kept = {key: checkpoint[key] for key in keys}\n"
        '        return {**kept, "model_ckpt_version": 2, "weights": weights}\n'
    )
    assert source.count("        return checkpoint\n") == 1
    (folder / "model.py").write_text(
        source.replace("        return checkpoint\n", f"        {upgrade}")
    )
    old, new = load_model(kept, **PLUGGED), load_model(kept, architectures=[folder.parent])
    assert (type(old).__checkpoint_version__, type(new).__checkpoint_version__) == (1, 2)
    assert torch.equal(new.shift, old.shift + 1.0)
    newer = export(kept, "newer.zip", architectures=[folder.parent])
    with pytest.raises(CheckpointError, match=r"newer\.zip: is of model version 2, newer than"):
        load_model(newer, **PLUGGED)


def same_weights(one: Any, other: Any) -> bool:
    pairs = zip(one.state_dict().items(), other.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def test_low_rank_corrections_are_merged_in_it(tiny: dict[str, Any], fit: Fit) -> None:
    first = fit(tiny)
    finetune = {"read_from": str(first.checkpoint), "method": "lora", "config": {"rank": 2}}
    tiny["architecture"]["training"].update(num_epochs=1, finetune=finetune)
    tuned = fit(tiny).checkpoint
    kept = export(tuned, "tuned.zip")
    names = read(first.checkpoint)["model_state_dict"].keys()
    assert read_archive(kept)["model_state_dict"].keys() == names
    assert read(tuned)["model_state_dict"].keys() != names
    assert same_predictions(load_model(kept), load_model(tuned))
