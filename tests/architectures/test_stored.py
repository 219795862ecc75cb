"""Checkpoints of released versions load, and predict what they predicted."""

from __future__ import annotations

import json
import runpy
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import ase.io
import pytest
import torch

from mtt import evaluate, export, load_model, registry
from mtt.checkpoint import read, read_archive, upgrade
from mtt.checkpoint.archive import ARCHIVE_VERSION
from mtt.testing import predictions
from mtt.workflows.show import show

HERE = Path(__file__).parent
STORED = sorted((HERE.parent / "resources" / "checkpoints").glob("*.ckpt"))

ARCHIVES = sorted((HERE.parent / "resources" / "checkpoints").glob("*.zip"))

# options get new defaults without a new version; where the weights come from is free text
FREE = {"train_hypers", "provenance"}


@pytest.fixture(scope="module")
def stored() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(HERE / "stored.py")))


@pytest.fixture(params=["soap_bpnn", "pet", "density_messages"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_there_are_stored_checkpoints_and_archives(name, stored) -> None:
    assert name in stored.MODELS
    assert any(path.stem.startswith(f"{name}-model") for path in STORED)
    assert any(path.stem.startswith(f"{name}-archive") for path in ARCHIVES)
    assert all(path.stat().st_size < 100_000 for path in [*STORED, *ARCHIVES])


@pytest.mark.parametrize("context", ["restart", "finetune", "export"])
@pytest.mark.parametrize("path", STORED, ids=[path.stem for path in STORED])
def test_a_stored_checkpoint_predicts_what_it_predicted(path, context, stored) -> None:
    checkpoint = read(path)
    architecture = registry.find(checkpoint["architecture_name"]).load()
    upgraded = upgrade(checkpoint, architecture)
    model = architecture.model.load_checkpoint(upgraded, context)
    architecture.trainer.load_checkpoint(upgraded, upgraded["train_hypers"], context)
    numbers = json.loads(path.with_suffix(".json").read_text())
    wanted = numbers["restart" if context == "restart" else "export"]
    assert numbers["restart"] != numbers["export"], "the best weights are not the latest"
    assert_predicts(model, wanted, stored)


@pytest.mark.parametrize("path", ARCHIVES, ids=[path.stem for path in ARCHIVES])
def test_a_stored_archive_predicts_what_it_predicted(path, stored) -> None:
    assert_predicts(load_model(path), json.loads(path.with_suffix(".json").read_text()), stored)


def test_the_format_of_an_archive_does_not_change_without_a_new_version(
    name, stored, tmp_path
) -> None:
    version = registry.find(name).load().model.__checkpoint_version__
    path = stored.archive_of(name, ARCHIVE_VERSION, version)
    assert path in ARCHIVES, f"write {path.name}: python tests/architectures/stored.py"
    today = export(path, tmp_path / "today.zip")
    assert dict(structure(read_archive(today))) == dict(structure(read_archive(path)))
    members = [dict(contents(one)) for one in (path, today)]
    assert members[0] == members[1], "raise ARCHIVE_VERSION, and run tests/architectures/stored.py"


def test_the_format_does_not_change_without_a_new_version(name, stored, tmp_path) -> None:
    today = read(stored.trained(name, tmp_path))
    path = stored.path_of(name, today)
    assert path in STORED, f"write {path.name}: python tests/architectures/stored.py"
    before, now = dict(structure(read(path))), dict(structure(today))
    hint = "raise __checkpoint_version__, write upgrade.py, and run tests/architectures/stored.py"
    assert now == before, hint


def test_the_structure_shows_a_new_key_and_a_new_type() -> None:
    before = {"a": {"b": [1, 2]}, "w": torch.zeros(3), "provenance": {"x": 1}}
    assert dict(structure(before)) == dict(structure({**before, "provenance": {"y": "2"}}))
    assert dict(structure(before)) != dict(structure({**before, "a": {"b": [1, "2"]}}))
    assert dict(structure(before)) != dict(structure({**before, "a": {"b": [1], "c": 1}}))
    assert dict(structure(before)) != dict(structure({**before, "w": torch.zeros(4)}))


def assert_predicts(model: Any, wanted: list[dict[str, Any]], stored: SimpleNamespace) -> None:
    found = predictions(model, stored.structures())
    for one, numbers in zip(found, wanted, strict=True):
        for part, values in numbers.items():
            expected = torch.tensor(values, dtype=torch.float64)
            torch.testing.assert_close(getattr(one["energy"], part), expected, rtol=0.0, atol=1e-10)


def contents(archive: Path) -> Iterator[tuple[str, Any]]:
    """Members of an archive; of ``model.json`` all but the version of its writer."""
    with zipfile.ZipFile(archive) as file:
        for name in file.namelist():
            text = file.read(name)
            if name == "model.json":
                yield name, {**json.loads(text), "mtt_version": None}
            else:
                yield name, text


def structure(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every key with the type, or the shape, of what it holds; items of a list are alike."""
    if isinstance(value, dict):
        yield path, "dict"
        for key, item in value.items():
            if path or key not in FREE:
                yield from structure(item, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        kinds = {pair for item in value for pair in structure(item, f"{path}[]")}
        yield path, type(value).__name__
        yield f"{path}[]", str(sorted(kinds))
    elif isinstance(value, torch.Tensor):
        yield path, f"{value.dtype} {list(value.shape)}"
    else:
        yield path, type(value).__name__


@pytest.mark.parametrize("path", [*STORED, *ARCHIVES], ids=lambda path: path.stem)
def test_a_stored_file_is_taken_by_every_command(path, stored, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = show(path)
    assert told["problem"] is None
    assert set(told["targets"]) == set(stored.TARGETS)
    ase.io.write("data.xyz", stored.structures())
    systems = {"read_from": "data.xyz", "length_unit": "angstrom"}
    (scored,) = evaluate(path, {"systems": systems}, output="out.xyz")
    wanted = json.loads(path.with_suffix(".json").read_text())
    wanted = wanted["export"] if path in STORED else wanted
    for atoms, numbers in zip(ase.io.read(scored.output, ":"), wanted, strict=True):
        # positions of the file have eight decimals
        assert atoms.get_potential_energy() == pytest.approx(sum(numbers["values"][0]), abs=1e-6)
    kept = export(path, "kept.zip")
    assert_predicts(load_model(kept), wanted, stored)
