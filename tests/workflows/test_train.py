"""What ``train`` leaves behind, and what it trains on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
import torch
import yaml
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import train
from mtt.checkpoint import read
from mtt.errors import ArchitectureError, ConfigError
from mtt.workflows.run.folder import RunFolder

Fit = Callable[..., RunFolder]
History = Callable[[RunFolder], list[dict[str, Any]]]

VALIDATION_OF_SEED_7 = [7, 3, 4, 15]  # of twenty structures


def frames_of(path: str | Path) -> list[ase.Atoms]:
    frames: list[ase.Atoms] = ase.io.read(path, ":")  # type: ignore[assignment]
    return frames


def weights(folder: RunFolder) -> dict[str, torch.Tensor]:
    return dict(read(folder.checkpoint)["model_state_dict"])


def test_a_run_leaves_a_folder_a_model_and_a_checkpoint(tiny: dict[str, Any], here: Path) -> None:
    result = train(tiny, output="own.pt")
    assert (result.model, result.checkpoint) == (Path("own.pt"), Path("own.ckpt"))
    folder = result.directory
    assert folder is not None
    assert {path.name for path in here.iterdir()} == {"own.pt", "own.ckpt", "outputs"}
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        "options_restart.yaml", "dataset_info.json", "provenance.json", "train.log", "train.csv",
        "history.jsonl", "checkpoints/last.ckpt", "checkpoints/best.ckpt", "model.ckpt",
        "command.json", "evaluation.json", "environment.json", "model.pt",
        "indices/training.txt", "indices/validation.txt", "indices/test.txt",
    }  # fmt: skip
    assert (folder / "model.pt").read_bytes() == Path("own.pt").read_bytes()
    assert (folder / "model.ckpt").read_bytes() == Path("own.ckpt").read_bytes()
    assert list(result.reports) == ["training", "validation", "test"]
    assert "validation forces: RMSE" in (folder / "train.log").read_text()
    info = json.loads((folder / "dataset_info.json").read_text())
    assert info["atomic_types"] == [1, 6, 8]


def test_the_split_is_metatrains(tiny: dict[str, Any], fit: Fit) -> None:
    """Shuffle all with the seed and hold out the last; then the same with what is left."""
    folder = fit({**tiny, "seed": 7})
    generator = np.random.RandomState(7)
    first, second = list(range(20)), list(range(16))
    generator.shuffle(first)
    generator.shuffle(second)
    left = [first[i] for i in second]
    for name, expected in (
        ("validation", first[16:]),
        ("training", left[:14]),
        ("test", left[14:]),
    ):
        found = (folder.path / "indices" / f"{name}.txt").read_text().split()
        assert [int(i) for i in found] == expected
    assert first[16:] == VALIDATION_OF_SEED_7


def test_options_written_out_give_the_same_run(
    tiny: dict[str, Any], fit: Fit, history: History
) -> None:
    del tiny["seed"]
    first = fit(tiny)
    Path("again.yaml").write_text(first.options.read_text())
    second = fit("again.yaml")
    assert second.path != first.path
    assert history(second) == history(first)
    torch.testing.assert_close(weights(second), weights(first), rtol=0.0, atol=0.0)
    assert yaml.safe_load(second.options.read_text()) == yaml.safe_load(first.options.read_text())


def test_a_dry_run_writes_nothing(tiny: dict[str, Any], here: Path) -> None:
    assert train(tiny, dry_run=True, restart="auto").model is None
    assert list(here.iterdir()) == []


def test_overrides_apply_to_a_dict(tiny: dict[str, Any], fit: Fit) -> None:
    before = json.dumps(tiny)
    with pytest.raises(ConfigError, match=r"num_epochs.*-3"):
        train(tiny, overrides=["architecture.training.num_epochs=-3"], dry_run=True)
    assert json.dumps(tiny) == before


def test_several_data_sets_are_divided_one_by_one(
    tiny: dict[str, Any], fit: Fit, ethanol: Path
) -> None:
    ase.io.write("more.xyz", frames_of(ethanol)[:10])
    second = {
        **tiny["training_set"],
        "systems": {"read_from": "more.xyz", "length_unit": "angstrom"},
    }
    folder = fit({**tiny, "training_set": [tiny["training_set"], second]})
    sizes = {
        path.stem: len(path.read_text().split()) for path in (folder.path / "indices").iterdir()
    }
    assert sizes == {
        "training_0": 14, "validation_0": 4, "test_0": 2,
        "training_1": 7, "validation_1": 2, "test_1": 1,
    }  # fmt: skip


@pytest.fixture
def labelled(tiny: dict[str, Any], ethanol: Path) -> dict[str, Any]:
    """Frames with a gap each; forces and charges are NaN in every second one."""
    frames = frames_of(ethanol)
    for i, atoms in enumerate(frames):
        nothing = np.nan if i % 2 else 1.0
        results = {**atoms.calc.results, "forces": nothing * atoms.calc.results["forces"]}
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info["gap"] = 5.0 + 0.1 * i
        atoms.arrays["q"] = nothing * 0.1 * (atoms.numbers - 1.0)
    ase.io.write("labelled.xyz", frames)
    tiny["training_set"]["systems"]["read_from"] = "labelled.xyz"
    return tiny


def test_labels_may_be_missing_in_some_frames(
    labelled: dict[str, Any], fit: Fit, history: History
) -> None:
    rows = history(fit(labelled))
    assert len(rows) == 2
    assert all(np.isfinite(list(row.values())).all() for row in rows)
    assert all(row["training forces RMSE"] > 0.0 for row in rows)


def test_several_targets_train_together(
    labelled: dict[str, Any], fit: Fit, history: History
) -> None:
    labelled["training_set"]["targets"] |= {
        "mtt::gap": {"key": "gap", "unit": "eV"},
        "charge": {"key": "q", "unit": "e", "sample_kind": "atom", "quantity": "charge"},
    }
    folder = fit(labelled)
    assert list(read(folder.checkpoint)["dataset_info"]["targets"]) == [
        "energy", "mtt::gap", "charge",
    ]  # fmt: skip
    rows = history(folder)
    for name in ("energy", "forces", "mtt::gap", "charge"):
        assert [key for key in rows[0] if name in key], name
    assert all(np.isfinite(list(row.values())).all() for row in rows)


def test_a_target_that_cannot_be_learnt_is_refused_before_training(
    labelled: dict[str, Any], fit: Fit, here: Path, root: Path
) -> None:
    labelled["training_set"]["targets"] = {
        "charge": {"key": "q", "unit": "e", "sample_kind": "atom", "quantity": "charge"}
    }
    labelled["architecture"] = {"name": "gaussians"}
    with pytest.raises(ArchitectureError, match=r"cannot predict target 'charge' \(scalar per at"):
        fit(labelled, architectures=[root / "examples" / "architecture"])
    assert [path.name for path in here.iterdir()] == ["labelled.xyz"]


def test_stress_is_learnt(tiny: dict[str, Any], fit: Fit, history: History, alloy: Path) -> None:
    tiny["training_set"]["systems"]["read_from"] = str(alloy)
    tiny["training_set"]["targets"]["energy"]["stress"] = True
    tiny["architecture"]["model"]["soap"]["cutoff"]["radius"] = 4.0
    tiny["architecture"]["training"].update(num_epochs=15, learning_rate=0.01)
    rows = history(fit(tiny))
    assert rows[-1]["training stress RMSE"] < 0.9 * rows[0]["training stress RMSE"]
