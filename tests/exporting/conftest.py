"""A small real energy model, made for these tests."""

from __future__ import annotations

import pytest
import torch
from metatomic.torch import ModelMetadata

from mtt import DatasetInfo, Graph, MLIPModel, TargetInfo

CUTOFF = 4.0


class PairNetwork(MLIPModel):
    """Smooth two-body features of every atom through a small network."""

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __default_metadata__ = ModelMetadata(name="pairs", authors=["A. Author"])

    def __init__(self, hypers, dataset_info, metadata=None):
        super().__init__(hypers, dataset_info, metadata)
        self.cutoff = CUTOFF
        n_types = len(dataset_info.atomic_types)
        self.embedding = torch.nn.Embedding(n_types, 6)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(12, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1)
        )
        self.register_buffer("centers", torch.linspace(1.0, CUTOFF, 6))

    def atomic_energies(self, graph: Graph) -> torch.Tensor:
        distances = graph.vectors.square().sum(dim=1).sqrt()
        window = 0.5 * (1.0 + torch.cos(torch.pi * distances / 4.0))
        radial = torch.exp(-((distances[:, None] - self.centers) ** 2)) * window[:, None]
        pairs = radial * self.embedding(graph.types[graph.neighbors])
        own = self.embedding(graph.types)
        density = torch.zeros_like(own).index_add(0, graph.centers, pairs)
        return self.network(torch.cat([own, density.square()], dim=1))[:, 0]


@pytest.fixture
def info() -> DatasetInfo:
    return DatasetInfo(
        "angstrom", (1, 6, 8), {"energy": TargetInfo.energy(forces=True, stress=True)}
    )


@pytest.fixture(params=["float64", "float32"])
def model(request: pytest.FixtureRequest, info: DatasetInfo) -> MLIPModel:
    torch.manual_seed(0)
    network = PairNetwork({}, info)
    network.composition.values.copy_(
        torch.tensor([[-13.6], [-1028.5], [-2041.8]], dtype=torch.float64)
    )
    return network.to(getattr(torch, request.param))
