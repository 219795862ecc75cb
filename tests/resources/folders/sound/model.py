import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import Graph, MLIPModel


class Sound(MLIPModel):
    """Without a mistake; the tests copy the folder and put one in."""

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __default_metadata__ = ModelMetadata(name="sound")

    def __init__(self, hypers, dataset_info):
        super().__init__(hypers, dataset_info)
        self.cutoff = float(hypers["cutoff"])
        self.n_types = len(dataset_info.atomic_types)
        self.register_buffer("grid", torch.arange(1.0, 5.0))
        self.network = torch.nn.Sequential(
            torch.nn.Linear(5 * self.n_types, hypers["width"]),
            torch.nn.SiLU(),
            torch.nn.Linear(hypers["width"], 1),
        )

    def atomic_energies(self, graph: Graph) -> Tensor:
        n_atoms = graph.types.shape[0]
        r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
        smooth = (1 - r / self.cutoff) ** 3
        pairs = torch.exp(-((r - self.grid) ** 2)) * smooth
        slots = graph.centers * self.n_types + graph.types[graph.neighbors]
        density = pairs.new_zeros(n_atoms * self.n_types, 4).index_add(0, slots, pairs)
        density = density.reshape(n_atoms, -1)
        element = torch.nn.functional.one_hot(graph.types, self.n_types).to(density.dtype)
        return self.network(torch.cat([density, element], dim=1))[:, 0]
