from typing import Dict

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import Graph, MLIPModel


class Multipoles(MLIPModel):
    """Sums over neighbours of weighted vectors, and the squares of their lengths."""

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu"]
    __supported_dtypes__ = [torch.float64, torch.float32]
    __default_metadata__ = ModelMetadata(name="multipoles")
    __supported_targets__ = ("energy", "polar", "polar per atom", "multipole per atom")

    def __init__(self, hypers, dataset_info):
        super().__init__(hypers, dataset_info)
        self.cutoff = float(hypers["cutoff"])
        n_types = len(dataset_info.atomic_types)
        self.kinds = {name: t.of_kind.name for name, t in dataset_info.targets.items()}
        self.properties = {name: t.properties for name, t in dataset_info.targets.items()}
        self.weights = torch.nn.Parameter(torch.randn(n_types, max(self.properties.values())))

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
        smooth = torch.exp(-r) * (1 - r / self.cutoff) ** 3
        weights = self.weights[graph.types[graph.neighbors]] * smooth
        pairs = graph.vectors[:, :, None] * weights[:, None, :]
        field = pairs.new_zeros(graph.types.shape[0], 3, pairs.shape[2])
        field = field.index_add(0, graph.centers, pairs)
        squares = field.square().sum(dim=1, keepdim=True)
        values: Dict[str, Tensor] = {}
        for name in self.target_names:
            p, kind = self.properties[name], self.kinds[name]
            if kind == "polar":
                values[name] = field[:, :, :p]
            elif kind == "multipole":
                vectors = field[:, :, :p]
                dipoles = torch.stack([vectors[:, 1], vectors[:, 2], vectors[:, 0]], dim=1)
                values[name] = torch.cat([squares[:, :, :p], dipoles], dim=1)
            else:
                values[name] = squares[:, 0, :p]
        return values
