"""Values that depend on the element: baselines, predictions, exported blocks, files."""

from __future__ import annotations

import copy
from typing import Any

import ase
import ase.build
import ase.io
import numpy as np
import pytest
import torch
from metatomic.torch import ModelEvaluationOptions, ModelOutput, load_atomistic_model

from mtt import Dataset, DatasetInfo, TargetInfo
from mtt.errors import ArchitectureError
from mtt.evaluation.predict import predict
from mtt.exporting import load_exported, probe
from mtt.exporting.structures import structure
from mtt.mlip.fitting import fit_weights
from mtt.registry import find
from mtt.testing import graph_of

BASIS = {
    1: [{"o3_lambda": 0, "num": 2}],
    6: [{"o3_lambda": 0}],
    8: [{"o3_lambda": 0, "num": 1}, {"o3_lambda": 1, "num": 2}, {"o3_lambda": 2}],
}
SECTION: dict[str, Any] = {
    "mtt::p": {"key": "p", "sample_kind": "atom", "type": {"spherical": {"irreps": BASIS}}}
}
MEANS = {1: [0.5, -0.25], 6: [2.0], 8: [1.5]}
TINY = {"soap": {"max_angular": 2, "max_radial": 2, "cutoff": {"radius": 3.0, "width": 1.0}}}


def molecules() -> list[ase.Atoms]:
    random = np.random.default_rng(2)
    frames = []
    for name in ("CH3CH2OH", "H2O", "CH4"):
        atoms = ase.build.molecule(name)
        rows = np.full((len(atoms), 12), np.nan)
        for row, number in zip(rows, atoms.numbers, strict=True):
            means = MEANS[int(number)]
            row[: len(means)] = means
            if number == 8:
                row[1:12] = random.normal(size=11)
        atoms.arrays["p"] = rows
        frames.append(atoms)
    return frames


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return Dataset.from_atoms(molecules(), SECTION, length_unit="angstrom")


@pytest.fixture(scope="module")
def model(dataset: Dataset) -> Any:
    architecture = find("soap_bpnn").load()
    torch.manual_seed(3)
    hypers = {**copy.deepcopy(architecture.default_hypers["model"]), **TINY}
    hypers["bpnn"] = {"num_hidden_layers": 1, "num_neurons_per_layer": 4, "layernorm": True}
    made = architecture.model(hypers, dataset.info).double().eval()
    made.fit_baselines(dataset, architecture.trainer.platform_hypers())
    return made


def test_baselines_are_the_means_of_each_element(dataset: Dataset, model: Any) -> None:
    weights = fit_weights(dataset, dataset.info, {}, {})["mtt::p"]
    kind = dataset.info.targets["mtt::p"].of_kind
    own = torch.from_numpy(kind.own(np.array([1, 6, 8])))
    assert weights[0, own[0]].tolist() == pytest.approx(MEANS[1])
    assert weights[1, own[1]].tolist() == pytest.approx(MEANS[6])
    assert weights[2, own[2]].tolist() == pytest.approx([1.5] + [0.0] * 11)
    assert not bool(weights[~own].any())
    assert 0.1 < model.scales["mtt::p"] < 2.0  # of what there is


def test_predictions_are_zero_where_an_element_has_none(model: Any) -> None:
    atoms = molecules()[0]
    values = model.predict_targets(graph_of(model, [atoms]))["mtt::p"].values[..., 0]
    own = torch.from_numpy(model.dataset_info.targets["mtt::p"].of_kind.own(atoms.numbers))
    assert torch.equal(values != 0, own)


def test_exported_blocks_are_of_elements_and_come_back(
    model: Any, dataset: Dataset, tmp_path: Any
) -> None:
    copy.deepcopy(model).export().save(str(tmp_path / "model.pt"))
    exported = load_atomistic_model(str(tmp_path / "model.pt"))
    lists, unit = exported.requested_neighbor_lists(), torch.eye(3, dtype=torch.float64)
    contents = [structure(atoms, lists) for atoms in molecules()[1:]]
    systems = [probe.system(one, one["positions"], unit, lists) for one in contents]
    outputs = {"mtt::p": ModelOutput(sample_kind="atom")}
    asked = ModelEvaluationOptions(length_unit="angstrom", outputs=outputs)
    found = exported(systems, asked, check_consistency=True)["mtt::p"]
    assert found.keys.names == ["o3_lambda", "o3_sigma", "atom_type"]
    keys = [[0, 1, 1], [0, 1, 6], [0, 1, 8], [1, 1, 8], [2, 1, 8]]
    assert found.keys.values.tolist() == keys
    hydrogen, carbon, *_, vectors, tensors = found.blocks()
    assert hydrogen.samples.values.tolist() == [[0, 1], [0, 2], *([1, i] for i in range(1, 5))]
    assert carbon.samples.values.tolist() == [[1, 0]]
    assert vectors.values.shape == (1, 3, 2)
    assert vectors.properties.values.tolist() == [[0], [1]]
    assert tensors.values.shape == (1, 5, 1)
    # mtt eval reads the same from the exported file as from the model
    (own,) = predict(model, dataset, batch_size=3)
    (other,) = predict(load_exported(tmp_path / "model.pt"), dataset, batch_size=3)
    other_values, own_values = (one.targets["mtt::p"].values for one in (other, own))
    torch.testing.assert_close(other_values, own_values, rtol=0, atol=1e-10)


def test_elements_are_of_atoms() -> None:
    kind = Dataset.from_atoms(molecules(), SECTION).info.targets["mtt::p"].kind
    info = TargetInfo(kind=kind)
    architecture = find("density_messages").load()
    with pytest.raises(ArchitectureError, match=r"mtt::p: .* depend on the element are of atoms"):
        architecture.model(
            copy.deepcopy(architecture.default_hypers["model"]),
            DatasetInfo("angstrom", (1, 6, 8), {"mtt::p": info}),
        )
