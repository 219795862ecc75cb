"""Light archives are the models that they were made from, or are not there."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from metatomic.torch import ModelMetadata

from mtt import DatasetInfo, MLIPModel
from mtt.checkpoint import read_archive
from mtt.data import Dataset
from mtt.errors import ArchitectureError, CheckpointError
from mtt.exporting import export_archive
from mtt.registry import Architecture, find

Make = Callable[..., MLIPModel]


@pytest.fixture
def radial_sum(root: Path) -> Architecture:
    """An architecture that implements the bare contract, with a checkpoint of its own form."""
    return find("radial_sum", extra_dirs=[root / "tests" / "resources" / "architectures"]).load()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_model_is_written_verified_and_left_as_it_was(
    make_model: Make, dtype: torch.dtype, tmp_path: Path
) -> None:
    model = make_model(dtype=dtype)
    before = copy.deepcopy(model.state_dict())
    path = export_archive(model, tmp_path / "model.zip", architecture="pairs")
    assert [p.name for p in tmp_path.iterdir()] == ["model.zip"]
    assert model.training
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    again = type(model).load_checkpoint(read_archive(path), "restart")
    assert again.dtype == dtype
    assert all(torch.equal(value, before[name]) for name, value in again.state_dict().items())


def test_the_record_and_new_metadata_are_in_it(model: MLIPModel, tmp_path: Path) -> None:
    path = export_archive(
        model,
        tmp_path / "model.zip",
        ModelMetadata(name="water", authors=["B. Author"]),
        architecture="pairs",
        record={"provenance": {"seed": 1}, "best_epoch": 3},
    )
    content = read_archive(path)
    assert content["metadata"]["name"] == "water"
    assert content["metadata"]["authors"] == ["A. Author", "B. Author"]
    assert (content["architecture_name"], content["best_epoch"]) == ("pairs", 3)
    assert content["provenance"] == {"seed": 1}


def test_frames_of_a_data_set_serve_as_trial_structures(
    model: MLIPModel, dataset: Dataset, tmp_path: Path
) -> None:
    export_archive(model, tmp_path / "model.zip", architecture="pairs", verify_on=dataset)
    assert (tmp_path / "model.zip").exists()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_checkpoint_of_any_form_is_kept(
    radial_sum: Architecture,
    info: DatasetInfo,
    dataset: Dataset,
    dtype: torch.dtype,
    tmp_path: Path,
) -> None:
    torch.manual_seed(0)
    model = radial_sum.model({"cutoff": 4.0, "num_gaussians": 5}, info).to(dtype)
    path = tmp_path / "model.zip"
    export_archive(model, path, architecture="radial_sum", verify_on=dataset)
    again = radial_sum.model.load_checkpoint(read_archive(path), "restart")
    assert again.hypers == model.hypers
    assert again.dataset_info == model.dataset_info
    pairs = zip(model.state_dict().values(), again.state_dict().values(), strict=True)
    assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in pairs)


def forgetful(base: type[MLIPModel]) -> type[MLIPModel]:
    class Forgetful(base):  # type: ignore[misc, valid-type]
        """Leaves something out of its checkpoint that decides its forces."""

        stretch = 1.0

        def vectors(self, graph: Any) -> torch.Tensor:
            return self.stretch * graph.vectors

    return Forgetful


def careless(base: type[MLIPModel]) -> type[MLIPModel]:
    class Careless(base):  # type: ignore[misc, valid-type]
        """Cannot read its own checkpoint."""

        hyper: ClassVar[str] = "width"

        @classmethod
        def load_checkpoint(cls, checkpoint: dict[str, Any], context: str) -> Any:
            return cls(checkpoint["model_hypers"][cls.hyper], context)

    return Careless


def test_a_model_that_does_not_come_back_as_what_it_was_is_refused(
    model: MLIPModel, tmp_path: Path
) -> None:
    (tmp_path / "model.zip").write_bytes(b"precious")
    model.__class__ = forgetful(type(model))
    model.stretch = 1.01
    with pytest.raises(
        ArchitectureError, match=r"model\.zip: the model that is built .* energy\.forces differs by"
    ):
        export_archive(model, tmp_path / "model.zip", architecture="pairs")
    assert [p.name for p in tmp_path.iterdir()] == ["model.zip"]
    assert (tmp_path / "model.zip").read_bytes() == b"precious"


def test_a_model_that_does_not_come_back_at_all_is_refused(
    model: MLIPModel, tmp_path: Path
) -> None:
    model.__class__ = careless(type(model))
    with pytest.raises(
        ArchitectureError, match=r"Careless does not come back from its get_checkpoint.*KeyError"
    ):
        export_archive(model, tmp_path / "model.zip", architecture="pairs")
    assert not list(tmp_path.iterdir())


def test_weights_that_are_not_finite_are_refused(model: MLIPModel, tmp_path: Path) -> None:
    with torch.no_grad():
        model.network[0].weight[0, 0] = torch.nan
    with pytest.raises(CheckpointError, match=r"network\.0\.weight holds values that are not fin"):
        export_archive(model, tmp_path / "model.zip", architecture="pairs")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("model.pt", "a light archive is a .zip file"),
        ("nowhere/model.zip", "cannot be written: .*; there is no folder"),
    ],
)
def test_a_place_that_cannot_be_written_is_found_first(
    model: MLIPModel, name: str, message: str, tmp_path: Path
) -> None:
    with pytest.raises(CheckpointError, match=message):
        export_archive(model, tmp_path / name, architecture="pairs")
