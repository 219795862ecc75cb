"""A tiny real model, and real structures."""

from typing import Dict

import ase.build
import pytest
import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel, TargetInfo


class PairNetwork(MLIPModel):
    """A small network of Gaussians of the distances, summed over the neighbours."""

    __checkpoint_version__ = 1
    __supported_devices__ = ["cuda", "cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __default_metadata__ = ModelMetadata(name="pair network")

    def __init__(self, hypers, dataset_info):
        super().__init__(hypers, dataset_info)
        self.cutoff = float(hypers["cutoff"])
        n_types = len(dataset_info.atomic_types)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(4 * n_types, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1)
        )
        self.n_types = n_types

    def atomic_energies(self, graph: Graph) -> Tensor:
        r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
        grid = torch.arange(1, 5, device=r.device, dtype=r.dtype)
        radial = torch.exp(-((r - grid) ** 2)) * (1 - r / self.cutoff) ** 3
        n_atoms = graph.types.shape[0]
        slots = graph.centers * self.n_types + graph.types[graph.neighbors]
        density = torch.zeros(n_atoms * self.n_types, 4, device=r.device, dtype=r.dtype)
        density = density.index_add(0, slots, radial)
        return self.network(density.reshape(n_atoms, -1))[:, 0]


class TwoTargets(MLIPModel):
    """An energy and a charge per atom, both constant per element."""

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu"]
    __supported_dtypes__ = [torch.float64]
    __default_metadata__ = ModelMetadata()
    __supported_targets__ = ("energy", "scalar", "scalar per atom")

    def __init__(self, hypers, dataset_info):
        super().__init__(hypers, dataset_info)
        self.cutoff = 3.0
        n_types = len(dataset_info.atomic_types)
        self.tables = torch.nn.Parameter(torch.randn(len(self.target_names), n_types))

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        values: Dict[str, Tensor] = {}
        for i, name in enumerate(self.target_names):
            values[name] = self.tables[i][graph.types]
        return values


@pytest.fixture
def two_targets():
    return TwoTargets


@pytest.fixture
def model_class():
    return PairNetwork


@pytest.fixture
def info():
    targets = {"energy": TargetInfo.energy(forces=True, stress=True)}
    return DatasetInfo("angstrom", (1, 6, 8), targets)


@pytest.fixture
def model(info):
    """In float64, with a baseline of a size that float32 could not hold."""
    torch.manual_seed(1)
    model = PairNetwork({"cutoff": 3.5}, info).to(torch.float64)
    model.composition.values[:] = torch.tensor([[-13.6], [-1026.9], [-2041.1]], dtype=torch.float64)
    model.scale.values[:] = 2.5
    return model


@pytest.fixture
def ethanol():
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.05, seed=3)
    return atoms


@pytest.fixture
def crystal():
    """Carbon with an oxygen and a hydrogen in it, in a skewed and strained cell."""
    atoms = ase.build.bulk("C", "diamond", a=3.7) * (2, 2, 1)
    atoms.numbers[[1, 4]] = 8, 1
    atoms.rattle(0.08, seed=5)
    atoms.set_cell(atoms.cell @ [[1.02, 0.03, 0.0], [0.0, 0.97, 0.01], [0.0, 0.0, 1.0]], True)
    return atoms
