"""The point-edge transformer: attention among the pairs of an atom, messages between atoms."""

from typing import Any, Dict, List, Tuple

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel
from mtt.architectures.pet.cutoff import LogCutoff
from mtt.architectures.pet.messages import Average, Exchange, GNNLayer, Readout
from mtt.architectures.pet.transformer import arrange
from mtt.errors import ArchitectureError, Problem
from mtt.nn import layout_of, layout_tensors, neighborhoods, reverse_pairs, with_known_species

NOT_INVARIANT = "learns rotations and inversions from turned data, and keeps them approximately"


class PET(MLIPModel):
    """Each layer is a transformer whose tokens are an atom and its neighbours.

    The token of a neighbour holds the plain vector to it, so that nothing in the model knows
    of rotations: it learns them from data turned at random. Between layers pairs exchange
    their features with those of the same pair seen from its other end. A neighbour's
    attention and contribution are multiplied by the cutoff function.

    Pozdnyakov and Ceriotti, NeurIPS 2023, arXiv:2305.19302; Mazitov et al., arXiv:2503.14118.
    """

    __checkpoint_version__ = 1
    __supported_devices__ = ["cuda", "cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __supported_targets__ = ("energy", "scalar", "scalar per atom")
    __conformance_exceptions__ = {
        "a rotation turns forces and keeps energies": NOT_INVARIANT,
        "an inversion turns forces and keeps energies": NOT_INVARIANT,
    }
    __default_metadata__ = ModelMetadata(
        name="PET",
        references={
            "architecture": [
                "https://doi.org/10.48550/arXiv.2305.19302",
                "https://doi.org/10.48550/arXiv.2503.14118",
            ]
        },
    )

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        check_hypers(hypers)
        self.cutoff = float(hypers["cutoff"])
        n_types, n_layers = len(dataset_info.atomic_types), hypers["num_gnn_layers"]
        self.log_cutoff = LogCutoff(self.cutoff, hypers["cutoff_width"], hypers["cutoff_function"])
        # messages are averages and every layer is read out, or they are learnt and the last is
        self.residual = hypers["featurizer_type"] == "residual"
        self.neighbor_species = torch.nn.Embedding(n_types, hypers["d_pet"])
        # atoms start afresh in each layer, or once
        self.species = torch.nn.ModuleList(
            torch.nn.Embedding(n_types, hypers["d_node"])
            for _ in range(n_layers if self.residual else 1)
        )
        self.layers = torch.nn.ModuleList(
            GNNLayer(hypers, n_types if i > 0 else 0) for i in range(n_layers)
        )
        exchange = Average if self.residual else Exchange
        self.exchanges = torch.nn.ModuleList(exchange(hypers["d_pet"]) for _ in range(n_layers))
        self.readouts = torch.nn.ModuleList(
            Readout(hypers, target.properties, len(self.species))
            for target in dataset_info.targets.values()
        )

    def interaction_range(self) -> float:
        """Each layer looks one cutoff further, and so do messages that are read out themselves."""
        steps = len(self.layers) + (0 if self.residual else 1)
        return max(self.list_cutoff(), steps * self.cutoff)

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        """The network's values of every atom, per target [n_atoms, properties]."""
        return self.predict_prepared(graph, self.prepare(graph))

    def prepare(self, graph: Graph) -> List[Tensor]:
        """The layout of the pairs, and [P] int64, the same pair seen from its other end."""
        n_atoms = graph.types.shape[0]
        layout = neighborhoods(graph.centers, torch.arange(n_atoms, device=graph.types.device))
        reverse = reverse_pairs(graph.centers, graph.neighbors, graph.vectors, n_atoms)
        tables = layout_tensors(layout)
        tables.append(reverse)
        return tables

    def predict_prepared(self, graph: Graph, prepared: List[Tensor]) -> Dict[str, Tensor]:
        """The network's values of every atom, per target [n_atoms, properties]."""
        layout, reverse = layout_of(prepared), prepared[2]
        lengths = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)
        log_weights = self.log_cutoff(lengths)
        tokens = arrange(layout, graph.centers, log_weights[:, 0])
        geometry = torch.cat([graph.vectors, lengths], dim=1)
        types = graph.types[graph.neighbors]
        messages = self.neighbor_species(types)
        starts: List[Tensor] = [table(graph.types) for table in self.species]
        nodes = starts[0]
        levels: List[Tuple[Tensor, Tensor]] = []
        for i, (layer, exchange) in enumerate(zip(self.layers, self.exchanges, strict=True)):
            if i < len(starts):
                nodes = starts[i]
            nodes, pairs = layer(nodes, messages, geometry, types, tokens)
            messages = exchange(messages, pairs, reverse)
            levels.append((nodes, pairs))
        if not self.residual:
            levels = [(nodes, messages)]
        weights = torch.exp(log_weights)
        results: Dict[str, Tensor] = {}
        for i, readout in enumerate(self.readouts):
            results[self.target_names[i]] = readout(levels, weights, layout)
        return results

    def head_modules(self) -> Dict[str, List[str]]:
        """The readout of each target."""
        return {name: [f"readouts.{i}"] for i, name in enumerate(self.target_names)}

    def extend_elements(self, name: str, known: Tensor, places: List[int]) -> Tensor:
        """Each element has its own vectors, as an atom and as a neighbour."""
        return with_known_species(self.state_dict()[name], known, places)


def check_hypers(hypers: Dict[str, Any]) -> None:
    """Refuse what the schema lets pass, or what came past it.

    :raises ArchitectureError: one problem for each option.
    """
    problems: List[Problem] = []
    if hypers["long_range"]["enable"]:
        problems.append(Problem("long-range interactions are not available", "long_range.enable"))
    if hypers["num_neighbors_adaptive"] is not None:
        hint = "leave it null: all neighbours within cutoff count"
        problems.append(
            Problem("adaptive cutoffs are not available", "num_neighbors_adaptive", hint)
        )
    if hypers["system_conditioning"]:
        what = "conditioning on charge and spin is not available"
        problems.append(Problem(what, "system_conditioning"))
    if hypers["d_pet"] % hypers["num_heads"] != 0:
        what = f"must be a multiple of num_heads ({hypers['num_heads']}), got {hypers['d_pet']}"
        problems.append(Problem(what, "d_pet"))
    if problems:
        raise ArchitectureError.collect(problems)
