"""A small real energy model, and two that TorchScript turns into something else."""

from typing import ClassVar, List

import ase
import numpy as np
import pytest
import torch
from metatomic.torch import ModelMetadata

from mtt import DatasetInfo, Graph, MLIPModel, TargetInfo
from mtt.data import Dataset, Frame, FrameLabels


class PairNetwork(MLIPModel):
    """Gaussians of the pair distances through a small network."""

    __checkpoint_version__ = 1
    __supported_devices__: ClassVar[List[str]] = ["cpu"]
    __supported_dtypes__: ClassVar[List[torch.dtype]] = [torch.float32, torch.float64]
    __default_metadata__ = ModelMetadata(name="pairs", authors=["A. Author"])

    def __init__(self, hypers, dataset_info, metadata=None):
        super().__init__(hypers, dataset_info, metadata)
        self.cutoff = 4.0
        self.embedding = torch.nn.Embedding(len(dataset_info.atomic_types), 6)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(12, 8), torch.nn.SiLU(), torch.nn.Linear(8, 1)
        )
        self.register_buffer("centers", torch.linspace(1.0, 4.0, 6))

    def vectors(self, graph: Graph) -> torch.Tensor:
        return graph.vectors

    def atomic_energies(self, graph: Graph) -> torch.Tensor:
        distances = self.vectors(graph).square().sum(dim=1).sqrt()
        window = 0.5 * (1.0 + torch.cos(torch.pi * distances / 4.0))
        radial = torch.exp(-((distances[:, None] - self.centers) ** 2)) * window[:, None]
        pairs = radial * self.embedding(graph.types[graph.neighbors])
        own = self.embedding(graph.types)
        density = torch.zeros_like(own).index_add(0, graph.centers, pairs)
        return self.network(torch.cat([own, density.square()], dim=1))[:, 0]


class OtherForces(PairNetwork):
    """Once compiled: the right energies, and half of the forces."""

    def vectors(self, graph: Graph) -> torch.Tensor:
        if torch.jit.is_scripting():
            return 0.5 * (graph.vectors + graph.vectors.detach())
        return graph.vectors


class OtherEnergies(PairNetwork):
    """Once compiled: energies of a structure that is a thousandth larger."""

    def vectors(self, graph: Graph) -> torch.Tensor:
        if torch.jit.is_scripting():
            return 1.001 * graph.vectors
        return graph.vectors


class NotCompilable(PairNetwork):
    """Uses what TorchScript does not know."""

    def vectors(self, graph: Graph) -> torch.Tensor:
        return sorted([graph.vectors], key=lambda vectors: len(vectors))[0]


class AsksMetadata(PairNetwork):
    """Asks the given metadata whether it is true."""

    def export(self, metadata=None, *, dtype=torch.float64):
        return super().export(metadata or self.metadata, dtype=dtype)


class NeedsItsLibrary(PairNetwork):
    """Works only where this process has been prepared for it."""

    def vectors(self, graph: Graph) -> torch.Tensor:
        return torch.ops.mtt_tests.same(graph.vectors)


MODELS = (PairNetwork, OtherForces, OtherEnergies, NotCompilable, AsksMetadata, NeedsItsLibrary)


@pytest.fixture
def info() -> DatasetInfo:
    return DatasetInfo(
        "angstrom", (1, 6, 8), {"energy": TargetInfo.energy(forces=True, stress=True)}
    )


@pytest.fixture
def make_model(info: DatasetInfo):
    """Makes a model of this file by the name of its class."""

    def make(name: str = "PairNetwork", dtype: torch.dtype = torch.float64) -> MLIPModel:
        torch.manual_seed(0)
        model = next(each for each in MODELS if each.__name__ == name)({}, info)
        weights = torch.tensor([[-13.6], [-1028.5], [-2041.8]], dtype=torch.float64)
        model.composition.values.copy_(weights)
        return model.to(dtype)

    return make


@pytest.fixture
def model(make_model) -> MLIPModel:
    return make_model()


@pytest.fixture
def dataset(info: DatasetInfo) -> Dataset:
    """A molecule, a crystal and a perfect crystal, whose forces are zero."""
    generator = np.random.default_rng(1)
    grid = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3)
    crystal = ase.Atoms("C8", 2.0 * grid, cell=[4.0, 4.0, 4.0], pbc=True)
    rattled = ase.Atoms(
        "C4O4",
        2.1 * grid + generator.uniform(-0.2, 0.2, (8, 3)),
        cell=[[4.2, 0.2, 0.0], [0.0, 4.3, -0.3], [0.1, 0.0, 4.4]],
        pbc=True,
    )
    molecule = ase.Atoms("CH3OH", 1.3 * generator.uniform(-1, 1, (6, 3)) + 2.0 * grid[:6])
    return Dataset.from_frames(
        [
            Frame(
                atoms.numbers.astype(np.int64),
                atoms.positions,
                np.array(atoms.cell),
                atoms.pbc,
                {
                    "energy": FrameLabels(
                        np.zeros((1, 1)), np.zeros((len(atoms), 3)), np.zeros((3, 3))
                    )
                },
                {},
                f"set.xyz, frame {i}",
            )
            for i, atoms in enumerate([crystal, rattled, molecule])
        ],
        info,
    )
