"""Exported files are the models that they were made from, or are not there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from metatomic.torch import ModelMetadata, load_atomistic_model

from mtt import MLIPModel
from mtt.errors import ArchitectureError, CheckpointError
from mtt.exporting import export_model


def test_an_exported_model_is_verified_and_takes_its_name(model: MLIPModel, tmp_path: Path) -> None:
    path = export_model(model, tmp_path / "model.pt", ModelMetadata(authors=["B. Author"]))
    assert [p.name for p in tmp_path.iterdir()] == ["model.pt"]
    loaded = load_atomistic_model(str(path))
    assert loaded.capabilities().dtype == "float64"
    assert list(loaded.metadata().authors) == ["A. Author", "B. Author"]
