"""The baseline of a tensor is its trace, or its part of l = 0, by composition; nothing else."""

from __future__ import annotations

from typing import Any

import ase
import numpy as np
import pytest
import torch

from mtt import Dataset, DatasetInfo
from mtt.errors import ConfigError
from mtt.mlip.fitting import fit_scales, fit_weights
from mtt.options.training import BaselineOptions

TYPES = (1, 6)
OF_ELEMENT = {1: 0.3, 6: 1.1}
SECTION = {
    "mtt::alpha": {"key": "alpha", "type": {"cartesian": {"rank": 2, "symmetric": True}}},
    "mtt::mean": {"key": "alpha", "type": {"cartesian": {"rank": 2}}, "extensive": False},
    "mtt::parts": {
        "key": "parts",
        "type": {"spherical": {"irreps": [{"o3_lambda": 2}, {"o3_lambda": 0}]}},
        "sample_kind": "atom",
    },
}
OFF = np.array([[0.0, 0.2, 0.0], [0.2, 0.0, -0.1], [0.0, -0.1, 0.0]])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    frames = []
    for n in range(1, 9):
        numbers = [1] * n + [6] * (1 + n % 3)
        atoms = ase.Atoms(numbers, 2.0 * np.arange(3 * len(numbers)).reshape(-1, 3))
        total = sum(OF_ELEMENT[z] for z in numbers)
        atoms.info["alpha"] = total * np.eye(3) + (-1) ** n * OFF
        rows = [[0.1, -0.1, 0.1, 0.0, 0.2, OF_ELEMENT[z]] for z in numbers]
        atoms.arrays["parts"] = np.array(rows)
        frames.append(atoms)
    return Dataset.from_atoms(frames, SECTION)


def fitted(dataset: Dataset, given: dict[str, Any] | None = None) -> dict[str, torch.Tensor]:
    info = DatasetInfo("", TYPES, dataset.info.targets)
    return fit_weights(dataset, info, given or {}, {})


def test_the_trace_is_fitted_and_the_rest_is_zero(dataset: Dataset) -> None:
    tables = fitted(dataset)
    for row, z in zip(tables["mtt::alpha"], TYPES, strict=True):
        np.testing.assert_allclose(row.reshape(3, 3), OF_ELEMENT[z] * np.eye(3), atol=1e-9)
    for row, z in zip(tables["mtt::parts"], TYPES, strict=True):
        np.testing.assert_allclose(row, [0, 0, 0, 0, 0, OF_ELEMENT[z]], atol=1e-12)
    mean = dataset.target("mtt::mean").values[..., 0].diagonal(dim1=1, dim2=2).mean()
    for row in tables["mtt::mean"]:
        np.testing.assert_allclose(row.reshape(3, 3), float(mean) * np.eye(3), atol=1e-12)


def test_the_scale_is_that_of_what_the_baseline_leaves(dataset: Dataset) -> None:
    info = DatasetInfo("", TYPES, dataset.info.targets)
    options = BaselineOptions(atomic_baseline={}, fixed_scaling_weights={}, scale_targets=True)
    scales = fit_scales(dataset, info, fitted(dataset), options, {})
    sizes = dataset.n_atoms.double()
    expected = np.sqrt(float((1 / sizes**2).mean()) * (OFF**2).mean())
    assert scales["mtt::alpha"] == pytest.approx(expected, rel=1e-9)


def test_a_number_of_an_element_is_that_of_the_diagonal(dataset: Dataset) -> None:
    row = fitted(dataset, {"mtt::alpha": {"H": 0.5, "C": 2.0}})["mtt::alpha"][1]
    np.testing.assert_allclose(row.reshape(3, 3), 2.0 * np.eye(3))
    atoms = ase.Atoms("H", info={"mu": np.zeros(3)})
    section = {"mtt::mu": {"key": "mu", "type": {"cartesian": {"rank": 1}}}}
    with pytest.raises(ConfigError, match="mtt::mu is a cartesian, which turns with the structure"):
        fitted(Dataset.from_atoms([atoms], section), {"mtt::mu": 1.0})
