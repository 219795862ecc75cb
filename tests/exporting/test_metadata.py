"""Metadata from the user's file, and into a checkpoint."""

from __future__ import annotations

from pathlib import Path

import pytest
from metatomic.torch import ModelMetadata

from mtt import MLIPModel
from mtt.checkpoint import read, write
from mtt.errors import CheckpointError, ConfigError
from mtt.exporting import export_model, load_exported, read_metadata, rewrite_metadata

METADATA = """
name: water
authors: [B. Author]
references:
  model: ["doi:10.1000/1"]
extra: {license: CC-BY}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "metadata.yaml"
    path.write_text(METADATA)
    return path


def test_every_field_of_the_file_arrives_in_the_exported_model(
    model: MLIPModel, file: Path, tmp_path: Path
) -> None:
    path = export_model(model, tmp_path / "model.pt", read_metadata(file))
    metadata = load_exported(path).metadata()
    assert metadata.name == "water"
    assert list(metadata.authors) == ["A. Author", "B. Author"]
    assert list(metadata.references["model"]) == ["doi:10.1000/1"]
    assert metadata.extra["license"] == "CC-BY"


def test_wrong_fields_are_named_together(tmp_path: Path) -> None:
    path = tmp_path / "metadata.yaml"
    path.write_text("nam: water\nauthors: B. Author\nreferences: {modell: []}\n")
    with pytest.raises(ConfigError, match=r"did you mean 'name'\?") as caught:
        read_metadata(path)
    assert len(caught.value.problems) == 3


def test_a_checkpoint_gets_new_metadata_and_keeps_the_rest(
    model: MLIPModel, file: Path, tmp_path: Path
) -> None:
    source, target = tmp_path / "model.ckpt", tmp_path / "named.ckpt"
    write(source, {**model.get_checkpoint(), "architecture_name": "pairs"})
    assert rewrite_metadata(source, target, read_metadata(file)) == target
    old, new = read(source), read(target)
    assert new["metadata"]["name"] == "water"
    assert new["metadata"]["authors"] == ["A. Author", "B. Author"]
    assert old["metadata"]["name"] == "pairs"
    assert set(new) == set(old)


def test_metadata_go_into_checkpoints_only(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"a checkpoint is written as \.ckpt"):
        rewrite_metadata(tmp_path / "model.ckpt", tmp_path / "model.txt", ModelMetadata())
