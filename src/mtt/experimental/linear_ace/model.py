"""A linear atomic cluster expansion in the principal components of the density."""

from typing import Any, Dict, List

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, Graphs
from mtt.experimental.linear_ace.columns import Layers, columns
from mtt.experimental.linear_ace.density import Density
from mtt.experimental.linear_ace.features import Features
from mtt.experimental.linear_ace.mixing import Mixing, principal_channels
from mtt.experimental.linear_ace.products import choose_products
from mtt.mlip import Columns, LinearMLIPModel
from mtt.nn import (
    layout_of,
    order_of,
    rows_by_species,
)


class LinearACE(LinearMLIPModel):
    """E = Σ_i Σ_k w_k,t(i) B_k(i): one weight per element and product of densities.

    Drautz, Phys. Rev. B 99, 014104 (2019); Kovács et al., J. Chem. Theory Comput. 17, 7696 (2021).
    """

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu", "cuda"]
    __supported_dtypes__ = [torch.float64]
    __supported_targets__ = ("energy",)
    __default_metadata__ = ModelMetadata(
        name="Linear ACE",
        references={
            "architecture": [
                "https://doi.org/10.1103/PhysRevB.99.014104",
                "https://doi.org/10.1021/acs.jctc.1c00647",
                "https://doi.org/10.1063/5.0057229",
            ]
        },
    )

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        self.cutoff = float(hypers["cutoff"]["radius"])
        self.n_types = len(dataset_info.atomic_types)
        self.density = Density(
            cutoff=self.cutoff,
            width=hypers["cutoff"]["width"],
            max_radial=hypers["max_radial"],
            max_angular=hypers["max_angular"],
            smearing=hypers["smearing"],
            n_types=self.n_types,
        )
        products = choose_products(self.density.k_per_l, hypers["features"], hypers["order"])
        self.features = Features(products)
        sizes = zip(self.density.k_per_l, products.channels, strict=True)
        self.mixing = torch.nn.ModuleList([Mixing(self.n_types, k, q) for k, q in sizes])
        self.weights = torch.nn.Parameter(torch.zeros(self.n_types, products.n_features))

    # ------------------------------------------------------------- prediction

    def prepare(self, graph: Graph) -> List[Tensor]:
        """The layout of the pairs, and the order of the atoms."""
        return rows_by_species(graph, self.n_types)

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        return self.predict_prepared(graph, self.prepare(graph))

    def predict_prepared(self, graph: Graph, prepared: List[Tensor]) -> Dict[str, Tensor]:
        """The energy of every atom [n_atoms]."""
        order = order_of(prepared[2:])
        channels = self.channels(graph, prepared)
        energies = self.features(channels, self.weights, order.counts)
        return {self.target_names[0]: energies.index_select(0, order.row_of_atom)}

    def channels(self, graph: Graph, prepared: List[Tensor]) -> List[Tensor]:
        """The densities of each degree, mixed; atoms in the order of rows."""
        layout, order = layout_of(prepared), order_of(prepared[2:])
        densities = self.density(graph.vectors, graph.types[graph.neighbors], layout)
        channels: List[Tensor] = []
        for l, mix in enumerate(self.mixing):
            channels.append(mix(densities[l], order.counts))
        return channels

    def atomic_features(self, graph: Graph) -> Dict[str, Tensor]:
        """The products of densities, which the energies are linear in."""
        prepared = self.prepare(graph)
        order = order_of(prepared[2:])
        products = self.features.values(self.channels(graph, prepared)).t()
        found = products.index_select(0, order.row_of_atom)
        return {"feature": found, self.target_names[0]: found}

    # ---------------------------------------------------------------- fitting

    @property
    def n_weights(self) -> int:
        return self.weights.numel()

    def set_weights(self, weights: Tensor) -> None:
        with torch.no_grad():
            self.weights.copy_(weights.view_as(self.weights))

    @torch.no_grad()
    def look_at(self, graphs: Graphs) -> None:
        """Channels become the principal components of the densities of the training set."""
        principal_channels(self.density, self._mixing(), graphs())

    @torch.no_grad()
    def columns(self, graph: Graph, *, forces: bool, strain: bool) -> Columns:
        layers = Layers(self.density, self._mixing(), self.features)
        return columns(layers, graph, forces=forces, strain=strain)

    def _mixing(self) -> List[Mixing]:
        return [mix for mix in self.mixing if isinstance(mix, Mixing)]
