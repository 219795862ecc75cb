"""The physics: the energy of an atom, given its neighbours."""

from typing import Any, Dict, List

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel
from mtt.nn import SmoothCutoff


class MyArchitecture(MLIPModel):
    """E_i = network(densities of the neighbours of atom i, and squares of their dipoles)."""

    __checkpoint_version__ = 1  # raise it when the format changes
    __supported_devices__ = ["cuda", "cpu"]  # the first available one is used
    __supported_dtypes__ = [torch.float32, torch.float64]
    __default_metadata__ = ModelMetadata(name="my_architecture")

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        self.cutoff = float(hypers["cutoff"])  # radius of the platform's neighbour lists
        self.n_types, n, width = len(dataset_info.atomic_types), hypers["n_radial"], hypers["width"]
        self.fade = SmoothCutoff(self.cutoff, hypers["cutoff_width"])
        self.spread = self.cutoff / n  # standard deviation of the Gaussians
        # buffers follow the model to its device and precision, and into checkpoints
        self.register_buffer("centres", torch.linspace(0.0, self.cutoff, n))
        # without biases, an atom without neighbours has exactly its baseline energy
        self.mix = torch.nn.Linear(self.n_types * n, width, bias=False)
        self.element = torch.nn.Linear(self.n_types, 2 * width, bias=False)
        self.hidden = torch.nn.Linear(2 * width, width, bias=False)
        self.last = torch.nn.Linear(width, 1, bias=False)

    def atomic_energies(self, graph: Graph) -> Tensor:
        """[n_atoms], of order 1: the platform adds scale, unit, baselines, forces and stress."""
        r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)  # [n_pairs, 1]
        # every pair fades to 0 at the cutoff, so that energies and forces are continuous
        radial = torch.exp(-0.5 * ((r - self.centres) / self.spread) ** 2) * self.fade(r)
        angular = torch.cat([torch.ones_like(r), graph.vectors / r], dim=1)  # l = 0 and l = 1
        pairs = angular[:, :, None] * radial[:, None, :]  # [n_pairs, 4, n_radial]
        # sums over the neighbours of atom i with element t, in row i * n_types + t
        n_atoms = len(graph.types)
        rows = graph.centers * self.n_types + graph.types[graph.neighbors]
        sums = pairs.new_zeros(n_atoms * self.n_types, 4, pairs.shape[2]).index_add(0, rows, pairs)
        density = sums.reshape(n_atoms, self.n_types, 4, -1).transpose(1, 2).flatten(2)
        # a layer on the channels commutes with rotations; scalars and lengths are invariant
        mixed = self.mix(density)  # [n_atoms, 4, width]
        invariants = torch.cat([mixed[:, 0], mixed[:, 1:].square().sum(dim=1)], dim=1)
        own = torch.nn.functional.one_hot(graph.types, self.n_types).to(invariants.dtype)
        hidden = self.hidden(invariants * (1.0 + self.element(own)))
        energies: Tensor = self.last(torch.nn.functional.silu(hidden))
        return energies[:, 0]

    def head_modules(self) -> Dict[str, List[str]]:
        """Optional: the layers that fine-tuning of heads trains."""
        return {name: ["last"] for name in self.target_names}

    def extend_elements(self, name: str, known: Tensor, places: List[int]) -> Tensor:
        """Optional: weights [width, n_types * ...] for more elements; the known ones stay."""
        fresh: Tensor = self.state_dict()[name].clone()
        columns = fresh.reshape(len(fresh), self.n_types, -1)  # a view
        columns[:, places] = known.reshape(len(known), len(places), -1).to(fresh.dtype)
        return fresh
