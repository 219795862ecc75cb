"""Small real models and data: a network over graphs, an author's own model over systems."""

from collections.abc import Callable
from typing import ClassVar, Dict, List, Optional

import ase
import numpy as np
import pytest
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)

from mtt import DatasetInfo, Graph, MLIPModel, ModelInterface, TargetInfo
from mtt.data import Dataset, Frame, FrameLabels

ENERGY = {"energy": TargetInfo.energy(forces=True, stress=True)}


class PairNetwork(MLIPModel):
    """Gaussians of the pair distances through a small network."""

    __checkpoint_version__ = 1
    __supported_devices__: ClassVar[List[str]] = ["cpu"]
    __supported_dtypes__: ClassVar[List[torch.dtype]] = [torch.float32, torch.float64]
    __supported_targets__ = ("energy", "scalar per atom")
    __default_metadata__ = ModelMetadata()

    def __init__(self, hypers, dataset_info, metadata=None):
        super().__init__(hypers, dataset_info, metadata)
        self.cutoff = 4.0
        self.embedding = torch.nn.Embedding(len(dataset_info.atomic_types), 6)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(12, 8), torch.nn.SiLU(), torch.nn.Linear(8, 2)
        )
        self.register_buffer("centers", torch.linspace(1.0, 4.0, 6))

    def predict(self, graph: Graph) -> Dict[str, torch.Tensor]:
        distances = graph.vectors.square().sum(dim=1).sqrt()
        window = 0.5 * (1.0 + torch.cos(torch.pi * distances / 4.0))
        radial = torch.exp(-((distances[:, None] - self.centers) ** 2)) * window[:, None]
        pairs = radial * self.embedding(graph.types[graph.neighbors])
        own = self.embedding(graph.types)
        density = torch.zeros_like(own).index_add(0, graph.centers, pairs)
        atomic = self.network(torch.cat([own, density.square()], dim=1))
        return {name: atomic if self.per_atom[name] else atomic[:, 0] for name in self.target_names}


class PairRepulsion(ModelInterface):
    """An author's model: its own forward over systems, E = Σ (1 - r/c)² over half a list."""

    __checkpoint_version__ = 1
    __supported_devices__: ClassVar[List[str]] = ["cpu"]
    __supported_dtypes__: ClassVar[List[torch.dtype]] = [torch.float64]
    __default_metadata__ = ModelMetadata()

    def __init__(self, hypers, dataset_info, metadata=None):
        super().__init__(hypers, dataset_info, metadata)
        self.strength = torch.nn.Parameter(torch.tensor(0.7, dtype=torch.float64))

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        energies: List[torch.Tensor] = []
        options = NeighborListOptions(cutoff=4.0, full_list=False, strict=True)
        for system in systems:
            vectors = system.get_neighbor_list(options).values[:, :, 0]
            distances = torch.linalg.vector_norm(vectors, dim=1)
            energies.append(self.strength * ((1.0 - distances / 4.0) ** 2).sum())
        # the last structure first: whoever reads this must look at the samples
        numbers = torch.arange(len(systems), dtype=torch.int32).flip(0)
        block = TensorBlock(
            values=torch.stack(energies).flip(0)[:, None],
            samples=Labels(["system"], numbers[:, None]),
            components=torch.jit.annotate(List[Labels], []),
            properties=Labels(["energy"], torch.zeros(1, 1, dtype=torch.int32)),
        )
        keys = Labels(["_"], torch.zeros(1, 1, dtype=torch.int32))
        return {"energy": TensorMap(keys, [block])}

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        return [NeighborListOptions(cutoff=4.0, full_list=False, strict=True)]

    def supported_outputs(self) -> Dict[str, ModelOutput]:
        return {"energy": ModelOutput(unit="eV", sample_kind="system")}

    def restart(self, dataset_info):
        return self

    def get_checkpoint(self):
        return {"model_ckpt_version": 1, "state": self.state_dict()}

    @classmethod
    def load_checkpoint(cls, checkpoint, context):
        raise ValueError("these tests write no checkpoint")

    @classmethod
    def upgrade_checkpoint(cls, checkpoint):
        return checkpoint

    def export(self, metadata=None):
        capabilities = ModelCapabilities(
            outputs=self.supported_outputs(),
            atomic_types=list(self.dataset_info.atomic_types),
            interaction_range=4.0,
            length_unit="angstrom",
            supported_devices=["cpu"],
            dtype="float64",
        )
        return AtomisticModel(self.eval(), metadata or ModelMetadata(), capabilities)


def structures() -> list[ase.Atoms]:
    """A molecule, a crystal, a slab and a lone atom."""
    generator = np.random.default_rng(1)

    def atoms(n: int, numbers: list[int], pbc: list[bool], size: float) -> ase.Atoms:
        grid = np.stack(np.meshgrid(*[np.arange(2)] * 3), axis=-1).reshape(-1, 3)[:n]
        positions = 2.0 * grid + generator.uniform(-0.3, 0.3, (n, 3))
        cell = size * np.array([[1.0, 0.05, 0.0], [0.0, 1.0, -0.1], [0.1, 0.0, 1.1]])
        cell[~np.array(pbc)] = 0.0
        return ase.Atoms(generator.choice(numbers, n), positions, cell=cell, pbc=pbc)

    return [
        atoms(5, [1, 6, 8], [False] * 3, 4.2),
        atoms(8, [6, 8], [True] * 3, 4.2),
        atoms(8, [1, 8], [True, True, False], 4.4),
        atoms(1, [6], [False] * 3, 1.0),
        atoms(7, [1, 6, 8], [True] * 3, 4.3),
    ]


def dataset_of(frames: list[ase.Atoms], info: DatasetInfo, seed: int = 2) -> Dataset:
    """Frames with random labels."""
    generator = np.random.default_rng(seed)

    def labels(atoms: ase.Atoms, target: TargetInfo) -> FrameLabels:
        n = len(atoms) if target.per_atom else 1
        return FrameLabels(
            generator.normal(size=(n, target.properties)),
            generator.normal(size=(len(atoms), 3)) if target.has_forces else None,
            generator.normal(size=(3, 3)) if target.has_strain else None,
        )

    return Dataset.from_frames(
        [
            Frame(
                atoms.numbers.astype(np.int64),
                atoms.positions,
                np.array(atoms.cell),
                atoms.pbc,
                {name: labels(atoms, target) for name, target in info.targets.items()},
                {},
                f"set.xyz, frame {i}",
            )
            for i, atoms in enumerate(frames)
        ],
        info,
    )


@pytest.fixture
def info() -> DatasetInfo:
    return DatasetInfo("angstrom", (1, 6, 8), ENERGY)


@pytest.fixture
def make_dataset(info: DatasetInfo) -> Callable[..., Dataset]:
    """Makes a data set of given targets, frames and length unit."""

    def make(
        targets: dict[str, TargetInfo] = info.targets,
        frames: list[ase.Atoms] | None = None,
        length_unit: str = "angstrom",
    ) -> Dataset:
        chosen = structures() if frames is None else frames
        types = sorted({int(z) for atoms in chosen for z in atoms.numbers})
        return dataset_of(chosen, DatasetInfo(length_unit, types, targets))

    return make


@pytest.fixture
def dataset(make_dataset: Callable[..., Dataset]) -> Dataset:
    return make_dataset()


@pytest.fixture
def make_model() -> Callable[[DatasetInfo], MLIPModel]:
    def make(info: DatasetInfo) -> MLIPModel:
        torch.manual_seed(0)
        model = PairNetwork({}, info).to(torch.float64)
        n_types, width = model.composition.values.shape
        rows = -100.0 * torch.arange(1.0, n_types + 1, dtype=torch.float64)[:, None]
        model.composition.values.copy_(rows.repeat(1, width))
        return model

    return make


@pytest.fixture
def model(make_model: Callable[[DatasetInfo], MLIPModel], info: DatasetInfo) -> MLIPModel:
    return make_model(info)


@pytest.fixture
def authors_model(info: DatasetInfo) -> ModelInterface:
    return PairRepulsion({}, info)
