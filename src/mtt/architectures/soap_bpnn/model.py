"""SOAP power spectra and one small network per element."""

from itertools import pairwise
from typing import Any, Dict, List

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel
from mtt.errors import ArchitectureError, Problem, did_you_mean
from mtt.nn import (
    SoapPowerSpectrum,
    SpeciesLinear,
    SpeciesNormLinear,
    neighborhoods,
    sort_by_species,
)


class SoapBPNN(MLIPModel):
    """E_i = NN_t(p_i): a network for each element t on the power spectrum p_i of its atoms.

    Behler and Parrinello, Phys. Rev. Lett. 98, 146401 (2007); Bartók, Kondor and Csányi,
    Phys. Rev. B 87, 184115 (2013).
    """

    __checkpoint_version__ = 1
    __supported_devices__ = ["cuda", "cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __default_metadata__ = ModelMetadata(
        name="SOAP-BPNN",
        references={
            "architecture": [
                "https://doi.org/10.1103/PhysRevLett.98.146401",
                "https://doi.org/10.1103/PhysRevB.87.184115",
                "https://doi.org/10.1063/5.0124363",
            ]
        },
    )

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        check_hypers(hypers, dataset_info)
        soap, bpnn = hypers["soap"], hypers["bpnn"]
        self.cutoff = float(soap["cutoff"]["radius"])
        self.n_types = len(dataset_info.atomic_types)
        self.soap = SoapPowerSpectrum(
            cutoff=self.cutoff,
            width=soap["cutoff"]["width"],
            max_radial=soap["max_radial"],
            max_angular=soap["max_angular"],
            n_types=self.n_types,
        )
        width = bpnn["num_neurons_per_layer"]
        n_hidden = bpnn["num_hidden_layers"]
        head = next(iter(hypers["heads"].values()), "linear")
        sizes: List[int] = [self.soap.n_features] + [width] * n_hidden
        if head == "mlp":
            sizes.append(sizes[-1])
        sizes.append(1)
        first = SpeciesNormLinear if bpnn["layernorm"] else SpeciesLinear
        self.first = first(self.n_types, sizes[0], sizes[1])
        self.rest = torch.nn.ModuleList(
            [SpeciesLinear(self.n_types, n_in, n_out) for n_in, n_out in pairwise(sizes[1:])]
        )

    def atomic_energies(self, graph: Graph) -> Tensor:
        """The network's energy of every atom, [n_atoms]."""
        order = sort_by_species(graph.types, self.n_types)
        layout = neighborhoods(graph.centers, order.row_of_atom)
        features = self.soap(graph.vectors, graph.types[graph.neighbors], layout)
        values = self.first(features, order.counts)
        for layer in self.rest:
            values = layer(torch.nn.functional.silu(values), order.counts)
        return values[:, 0].index_select(0, order.row_of_atom)


def check_hypers(hypers: Dict[str, Any], info: DatasetInfo) -> None:
    """Refuse what the schema lets pass, or what came past it.

    :raises ArchitectureError: one problem for each option.
    """
    problems: List[Problem] = []
    if hypers["long_range"]["enable"]:
        problems.append(Problem("long-range interactions are not available", "long_range.enable"))
    if not hypers["legacy"]:
        problems.append(Problem("chemical embeddings are not available", "legacy", "leave it true"))
    for name in hypers["heads"]:
        if name not in info.targets:
            hint = did_you_mean(name, info.targets) or f"the data have: {', '.join(info.targets)}"
            problems.append(Problem(f"there is no target {name!r}", "heads", hint))
    if problems:
        raise ArchitectureError.collect(problems)
