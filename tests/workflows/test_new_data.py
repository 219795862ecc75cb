"""Trained models and other data: what a restart refuses, fine-tuning does."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import pytest
import torch

from mtt import train
from mtt.checkpoint import read
from mtt.errors import ArchitectureError, CheckpointError, ConfigError
from mtt.scaffold import write_architecture
from mtt.workflows.run.folder import RunFolder

Fit = Callable[..., RunFolder]
Change = Callable[[list[Any]], None]


@pytest.fixture
def first(tiny: dict[str, Any], fit: Fit) -> RunFolder:
    return fit(tiny)


def tuned(options: dict[str, Any], source: RunFolder, **finetune: Any) -> dict[str, Any]:
    changed = copy.deepcopy(options)
    asked = {"read_from": str(source.checkpoint), **finetune}
    changed["architecture"]["training"].update(num_epochs=1, finetune=asked)
    return changed


def rewritten(options: dict[str, Any], change: Change) -> dict[str, Any]:
    """``options`` with other data."""
    systems = options["training_set"]["systems"]
    frames = ase.io.read(systems["read_from"], ":")
    change(frames)
    ase.io.write("other.xyz", frames)
    systems["read_from"] = "other.xyz"
    return options


def sulfur(frames: list[Any]) -> None:
    for atoms in frames[::2]:
        atoms.symbols[atoms.symbols == "O"] = "S"


def nudged(frames: list[Any]) -> None:
    frames[3].positions[0, 0] += 1e-7


def pulled(frames: list[Any]) -> None:
    forces = frames[3].calc.results["forces"]
    forces[0, 0] += 1e-7


@pytest.mark.parametrize("change", [nudged, pulled])
def test_a_restart_notices_a_position_and_a_force(
    tiny: dict[str, Any], fit: Fit, change: Change
) -> None:
    rewritten(tiny, lambda frames: None)
    run = fit(tiny)
    again = copy.deepcopy(tiny)
    assert fit(again, run.checkpoint).path.samefile(run.path)
    with pytest.raises(CheckpointError, match=r"ckpt: the training or .* fine-tune: arch"):
        fit(rewritten(again, change), run.checkpoint)


def test_a_restart_names_new_elements_and_targets(
    tiny: dict[str, Any], first: RunFolder, fit: Fit
) -> None:
    rewritten(tiny, sulfur)
    tiny["training_set"]["targets"]["energy/high"] = {"key": "energy", "unit": "eV"}
    with pytest.raises(CheckpointError) as caught:
        fit(tiny, first.checkpoint)
    text = str(caught.value)
    assert "ckpt: the model does not know S; it was made for H, C, O; fine-tune it" in text
    assert "ckpt: the model has no target 'energy/high'; it has: energy; fine-tune it" in text
    assert text.count("architecture.training.finetune.read_from") == 3


def test_new_elements_and_a_new_target_are_learned_exported_and_resumed(
    tiny: dict[str, Any], first: RunFolder, fit: Fit
) -> None:
    options = rewritten(tuned(tiny, first), sulfur)
    options["training_set"]["targets"]["energy/high"] = {"key": "energy", "unit": "eV"}
    options["architecture"]["model"]["heads"] = {"energy/high": "mlp"}
    result = train(options)
    assert result.model is not None
    assert result.checkpoint is not None
    stored = read(result.checkpoint)
    assert stored["dataset_info"]["atomic_types"] == [1, 6, 8, 16]
    assert list(stored["dataset_info"]["targets"]) == ["energy", "energy/high"]
    assert stored["element_history"] == [[1, 6, 8]]
    assert stored["provenance"]["step_0"]["structures"] > 0
    assert "the head of energy/high is new" in stored["provenance"]["step_0"]["explained"]
    options["architecture"]["training"]["num_epochs"] = 2
    gone_on = read(fit(options, "auto").checkpoint)
    assert (gone_on["epoch"], gone_on["element_history"]) == (2, [[1, 6, 8]])


def test_a_run_resumes_with_a_head_that_it_inherited(
    tiny: dict[str, Any], first: RunFolder, fit: Fit
) -> None:
    options = tuned(tiny, first, method="heads", inherit_heads={"energy/high": "energy"})
    targets = options["training_set"]["targets"]
    targets["energy/high"] = targets.pop("energy") | {"key": "energy"}
    begun = fit(options)
    start = read(begun.checkpoint)["provenance"]["step_0"]["differences"]
    assert start["energy/high values"] == start["energy/high forces"] == 0.0
    options["architecture"]["training"]["num_epochs"] = 2
    stored = read(fit(options, "auto").checkpoint)
    source = read(first.checkpoint)["best_model_state_dict"]
    changed = [n for n, v in stored["model_state_dict"].items() if not torch.equal(v, source[n])]
    assert changed == ["heads.0.last.weight"]


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """A folder with an architecture that leaves out what is optional."""
    folder = write_architecture("plain", tmp_path / "architectures")
    model = folder / "model.py"
    model.write_text(model.read_text().partition("    def head_modules")[0])
    return folder.parent


def test_an_architecture_that_cannot_learn_more_elements_says_so(
    tiny: dict[str, Any], fit: Fit, plain: Path
) -> None:
    folders = [plain]
    training = tiny["architecture"]["training"]
    tiny["architecture"] = {"name": "plain", "training": training}
    source = fit(tiny, architectures=folders)
    options = rewritten(tuned(tiny, source), sulfur)
    with pytest.raises(ArchitectureError, match=r"ckpt: .* know S, and Plain cannot .* H, C, O"):
        fit(options, architectures=folders)
    options = tuned(tiny, source, method="heads")
    with pytest.raises(ConfigError, match=r"method: Plain does not say which .* it has mix"):
        fit(options, architectures=folders)
    fit(
        tuned(tiny, source, method="heads", config={"head_modules": ["last"]}),
        architectures=folders,
    )


def test_the_contract_alone_is_trained_in_full(
    tiny: dict[str, Any], fit: Fit, root: Path, here: Path
) -> None:
    stored = root / "tests" / "resources" / "architectures" / "radial_sum"
    shutil.copytree(stored, here / "plugged" / "radial_sum")
    (here / "plugged" / "radial_sum" / "schema-hypers.json").unlink()
    training = {"num_epochs": 1, "finetune": {"read_from": None}}
    tiny["architecture"] = {"name": "radial_sum", "model": {"cutoff": 3.0}, "training": training}
    source = fit(tiny, architectures=[here / "plugged"])
    folder = fit(tuned(tiny, source), architectures=[here / "plugged"])
    known = read(folder.checkpoint)["provenance"]
    assert set(known["step_0"]["differences"].values()) == {0.0}
    assert known["source"]["provenance"]["start"] == "new"
    with pytest.raises(ConfigError, match=r"finetune.method: radial_sum is trained in full: it"):
        fit(tuned(tiny, source, method="heads"), architectures=[here / "plugged"])
