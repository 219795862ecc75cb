"""The physics: what an atom's energy is, given its neighbours."""

import math
from typing import Any, Dict

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel


class Gaussians(MLIPModel):
    """E_i = network(how many neighbours of each element at each distance).

    Behler and Parrinello's radial symmetry functions, Phys. Rev. Lett. 98, 146401 (2007).
    """

    __checkpoint_version__ = 1
    __supported_devices__ = ["cuda", "cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __default_metadata__ = ModelMetadata(name="Gaussians of distances")

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        self.cutoff = float(hypers["cutoff"])
        self.n_types = len(dataset_info.atomic_types)
        n_gaussians = int(hypers["n_gaussians"])
        self.width = self.cutoff / n_gaussians
        centres = torch.linspace(0.0, self.cutoff, n_gaussians)
        self.register_buffer("centres", centres, persistent=False)
        self.network = torch.nn.Sequential(
            torch.nn.Linear(self.n_types * (n_gaussians + 1), hypers["width"]),
            torch.nn.SiLU(),
            torch.nn.Linear(hypers["width"], hypers["width"]),
            torch.nn.SiLU(),
            torch.nn.Linear(hypers["width"], 1),
        )

    def atomic_energies(self, graph: Graph) -> Tensor:
        """[n_atoms] of the network, before the scale and the baselines."""
        distances = torch.linalg.vector_norm(graph.vectors, dim=1)  # [P]
        cosine = torch.cos(math.pi * distances / self.cutoff)
        smooth = 0.25 * (1.0 + cosine) ** 2  # falls to 0 at the cutoff, twice differentiable there
        gaussians = torch.exp(-0.5 * ((distances[:, None] - self.centres) / self.width) ** 2)
        pairs = gaussians * smooth[:, None]  # [P, n_gaussians]

        # one row for each atom and element of its neighbours
        rows = graph.centers * self.n_types + graph.types[graph.neighbors]
        n_atoms = graph.types.shape[0]
        density = pairs.new_zeros(n_atoms * self.n_types, pairs.shape[1]).index_add(0, rows, pairs)

        element = torch.nn.functional.one_hot(graph.types, self.n_types).to(pairs.dtype)
        features = torch.cat([density.reshape(n_atoms, -1), element], dim=1)
        return self.network(features)[:, 0]
