"""Derivatives and features in the files of ``mtt eval``: read back, they are what they were."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar, Dict, List

import ase
import ase.io
import metatensor.torch as mts
import numpy as np
import pytest
import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel, TargetInfo
from mtt.data import Dataset
from mtt.errors import ConfigError
from mtt.evaluation import evaluate

VECTOR = 'cartesian {"rank": 1}'
TARGETS = {
    "energy": TargetInfo.energy(),
    "mtt::mu": TargetInfo(kind=VECTOR, gradients=("positions", "strain"), unit="e*Å"),
}


class Fields(MLIPModel):
    """An energy and a dipole, sums over the neighbours; features are what they are made of."""

    __checkpoint_version__ = 1
    __supported_devices__: ClassVar[List[str]] = ["cpu"]
    __supported_dtypes__: ClassVar[List[torch.dtype]] = [torch.float64]
    __supported_targets__ = ("energy", "cartesian")
    __default_metadata__ = ModelMetadata()

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        self.cutoff = 4.0

    def fields(self, graph: Graph) -> Tensor:
        squares = graph.vectors.square().sum(dim=1, keepdim=True)
        weights = torch.exp(-squares) * (1.0 + graph.types[graph.neighbors, None])
        zeros = graph.vectors.new_zeros(graph.types.shape[0], 3)
        return zeros.index_add(0, graph.centers, graph.vectors * weights)

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        found = self.fields(graph)
        norms = found.square().sum(dim=1)
        return {"energy": norms, "mtt::mu": (found * (1.0 + norms[:, None]))[:, :, None]}

    def atomic_features(self, graph: Graph) -> Dict[str, Tensor]:
        norms = self.fields(graph).square().sum(dim=1, keepdim=True)
        return {"feature": torch.cat([norms, norms**2], dim=1), "energy": norms}


@pytest.fixture(scope="module")
def model() -> Fields:
    return Fields({}, DatasetInfo("angstrom", (1, 6, 8), TARGETS)).double().eval()


@pytest.fixture(scope="module")
def structures() -> list[ase.Atoms]:
    random = np.random.default_rng(0)
    sizes = ("H2O", "CO2", "CH4")
    return [ase.Atoms(one, random.normal(0, 1, (len(ase.Atoms(one)), 3))) for one in sizes]


def test_derivatives_are_read_back_as_labels(
    model: Fields, structures: list[ase.Atoms], tmp_path: Path
) -> None:
    path = tmp_path / "out.xyz"
    evaluate(model, Dataset.from_atoms(structures, {}), output=path, batch_size=2)
    frames = ase.io.read(path, ":")
    assert frames[0].arrays["mtt_mu_gradient"].shape == (3, 9)
    assert frames[0].info["mtt_mu_strain"].shape == (27,)
    gradients = {"positions": {"key": "mtt_mu_gradient"}, "strain": {"key": "mtt_mu_strain"}}
    target = {"key": "mtt_mu", "type": {"cartesian": {"rank": 1}}, "gradients": gradients}
    data = Dataset.from_atoms(frames, {"mtt::mu": target})
    for tested in (model, model.export()):
        errors = evaluate(tested, data, extended=True).errors
        assert errors["mtt::mu RMSE"] < 1e-12
        assert errors["mtt::mu gradient RMSE"] < 1e-12
        assert errors["mtt::mu strain MAE"] < 1e-12
        assert errors["mtt::mu gradient O MaxAE"] < 1e-12
        assert not any("cosine" in name for name in errors)


def test_an_exported_file_knows_which_derivatives_it_was_trained_on(
    model: Fields, structures: list[ase.Atoms], tmp_path: Path
) -> None:
    path = tmp_path / "out.xyz"
    evaluate(model.export(), Dataset.from_atoms(structures, {}), output=path)
    assert "mtt_mu_gradient" in ase.io.read(path, "0").arrays


def test_metatensor_reads_targets_gradients_and_labels(
    model: Fields, structures: list[ase.Atoms], tmp_path: Path
) -> None:
    labelled = [one.copy() for one in structures]
    for one in labelled:
        one.info["E"] = 1.5
    asked = {"energy": {"key": "E", "unit": "eV"}}
    data = Dataset.from_atoms(labelled, asked)
    evaluate(model, data, output=tmp_path / "a.mts", batch_size=2, references=True)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a_REF_energy.mts", "a_energy.mts"]
    evaluate(model, Dataset.from_atoms(structures, {}), output=tmp_path / "b.mts", batch_size=2)
    energy = mts.load(str(tmp_path / "b_energy.mts")).block()
    dipole = mts.load(str(tmp_path / "b_mtt::mu.mts")).block()
    assert energy.samples.values[:, 0].tolist() == [0, 1, 2]
    assert [one.names for one in dipole.components] == [["xyz"]]
    slope = dipole.gradient("positions")
    assert slope.samples.names == ["sample", "system", "atom"]
    assert slope.samples.values[3].tolist() == [1, 1, 0]
    whole = _targets(model, structures)
    torch.testing.assert_close(dipole.values, whole["mtt::mu"].values)
    torch.testing.assert_close(slope.values, whole["mtt::mu"].forces)
    torch.testing.assert_close(energy.gradient("positions").values[..., 0], -whole["energy"].forces)
    torch.testing.assert_close(energy.gradient("strain").values[..., 0], whole["energy"].strain)
    labels = mts.load(str(tmp_path / "a_REF_energy.mts")).block()
    assert labels.values[:, 0].tolist() == [1.5, 1.5, 1.5]


def _targets(model: Fields, structures: list[ase.Atoms]) -> Any:
    from mtt.evaluation import predict

    (batch,) = predict(model, Dataset.from_atoms(structures, {}), batch_size=3)
    return batch.targets


@pytest.mark.parametrize("sample_kind", ["atom", "system"])
def test_features_are_written_where_they_are_asked_for(
    model: Fields, structures: list[ase.Atoms], tmp_path: Path, sample_kind: Any
) -> None:
    data = Dataset.from_atoms(structures, {})
    xyz, tensors = tmp_path / "out.xyz", tmp_path / "out.mts"
    for one in (xyz, tensors):
        evaluate(model, data, output=one, features=sample_kind, batch_size=2)
    block = mts.load(str(tmp_path / "out_feature.mts")).block()
    frame = ase.io.read(xyz, "1")
    of_atoms = sample_kind == "atom"
    assert block.samples.names == (["system", "atom"] if of_atoms else ["system"])
    found = frame.arrays["feature"] if of_atoms else frame.info["feature"]
    rows = block.values[block.samples.column("system") == 1].numpy()
    np.testing.assert_array_equal(found, rows if of_atoms else rows[0])
    (tmp_path / "of_file").mkdir()
    evaluate(model.export(), data, output=tmp_path / "of_file" / "out.mts", features=sample_kind)
    for name in ("feature", "mtt::aux::energy_last_layer_features"):
        both = [
            mts.load(str(path / f"out_{name}.mts")) for path in (tmp_path, tmp_path / "of_file")
        ]
        assert mts.allclose(*both, rtol=1e-12, atol=1e-12)


def test_a_model_without_features_says_so(structures: list[ase.Atoms], tmp_path: Path) -> None:
    class Bare(Fields):
        atomic_features = MLIPModel.atomic_features

    bare = Bare({}, DatasetInfo("angstrom", (1, 6, 8), TARGETS)).double()
    data = Dataset.from_atoms(structures, {})
    with pytest.raises(ConfigError, match="the model offers no features"):
        evaluate(bare, data, output=tmp_path / "out.xyz", features="atom")
    assert not list(tmp_path.iterdir())
