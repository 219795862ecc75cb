"""The point-edge transformer: attention among the pairs of an atom, messages between atoms."""

import math
from typing import Any, Dict, List, Tuple

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel
from mtt.architectures.pet.adaptive import AdaptiveCutoff
from mtt.architectures.pet.conditioning import SystemConditioning
from mtt.architectures.pet.cutoff import LogCutoff
from mtt.architectures.pet.messages import Average, Exchange, GNNLayer, Readout, summed
from mtt.architectures.pet.transformer import Tokens, arrange
from mtt.errors import ArchitectureError, Problem
from mtt.nn import layout_of, layout_tensors, neighborhoods, reverse_pairs, with_known_species

NOT_INVARIANT = "learns rotations and inversions from turned data, and keeps them approximately"


class PET(MLIPModel):
    """Each layer is a transformer whose tokens are an atom and its neighbours.

    The token of a neighbour holds the plain vector to it, so that nothing in the model knows
    of rotations: it learns them from data turned at random, for vectors and tensors too. Between
    layers pairs exchange their features with those of the same pair seen from its other end. A
    neighbour's attention and contribution are multiplied by the cutoff function. The cutoff is
    one for all atoms, or each atom has its own (``num_neighbors_adaptive``).

    Pozdnyakov and Ceriotti, NeurIPS 2023, arXiv:2305.19302; Mazitov et al., arXiv:2503.14118.
    """

    __checkpoint_version__ = 2
    __supported_devices__ = ["cuda", "cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __supported_targets__ = (
        *("energy", "scalar", "scalar per atom", "cartesian", "cartesian per atom"),
        *("spherical", "spherical per atom"),
    )
    __conformance_exceptions__ = {
        "a rotation turns forces and keeps energies": NOT_INVARIANT,
        "an inversion turns forces and keeps energies": NOT_INVARIANT,
        "vectors and tensors turn with the structure": NOT_INVARIANT,
        "features are those of atoms": NOT_INVARIANT,
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
        adaptive = hypers["num_neighbors_adaptive"] is not None
        self.adaptive = AdaptiveCutoff(hypers) if adaptive else None
        limits = hypers["max_charge"], hypers["max_spin_multiplicity"]
        conditioned = hypers["system_conditioning"]
        self.conditioning = SystemConditioning(hypers["d_node"], *limits) if conditioned else None
        self.state_inputs = conditioned
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
        self.scalar: List[bool] = [
            not one.of_kind.components for one in dataset_info.targets.values()
        ]
        self.readouts = torch.nn.ModuleList(
            Readout(hypers, math.prod(target.shape), len(self.species))
            for target in dataset_info.targets.values()
        )

    def interaction_range(self) -> float:
        """Each layer looks one cutoff further, and so do messages that are read out themselves.

        With cutoffs of each atom's own so does that of the last atom.
        """
        steps = len(self.layers) + (0 if self.residual else 1)
        steps += 0 if self.adaptive is None else 1
        return max(self.list_cutoff(), steps * self.cutoff)

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        """The network's values of every atom, per target [n_atoms, *components, properties]."""
        return self.predict_prepared(graph, self.prepare(graph))

    def prepare(self, graph: Graph) -> List[Tensor]:
        """The layout of the pairs, and [P] int64, the same pair seen from its other end.

        With cutoffs of each atom's own these are of the pairs that are kept; then come the
        numbers of those, the layout of all pairs, and what :class:`AdaptiveCutoff` prepares.
        The last two are charge and spin of each structure, where they count.
        """
        n_atoms = graph.types.shape[0]
        atoms = torch.arange(n_atoms, device=graph.types.device)
        centers, neighbors, vectors = graph.centers, graph.neighbors, graph.vectors.detach()
        more: List[Tensor] = []
        rows = graph.rows
        if self.adaptive is not None:
            layout = neighborhoods(centers, atoms, rows)
            rows = None
            lengths = torch.linalg.vector_norm(vectors, dim=1)
            start = self.adaptive.prepare(lengths, centers, layout)
            radii = self.adaptive(lengths, centers, layout, start)
            within = lengths <= 0.5 * (radii[centers] + radii[neighbors])
            kept = torch.nonzero(within)[:, 0]
            more.append(kept)
            more.extend(layout_tensors(layout))
            more.extend(start)
            centers, neighbors, vectors = centers[kept], neighbors[kept], vectors[kept]
        tables = layout_tensors(neighborhoods(centers, atoms, rows))
        tables.append(reverse_pairs(centers, neighbors, vectors, n_atoms, rows))
        tables.extend(more)
        if self.conditioning is not None:
            tables.extend(self.conditioning.states(graph))
        return tables

    def predict_prepared(self, graph: Graph, prepared: List[Tensor]) -> Dict[str, Tensor]:
        """The network's values of every atom, per target [n_atoms, *components, properties]."""
        levels, weights = self.levels(graph, prepared)
        layout = layout_of(prepared)
        results: Dict[str, Tensor] = {}
        for i, readout in enumerate(self.readouts):
            name = self.target_names[i]
            values = readout(levels, weights, layout)
            results[name] = values.reshape([-1] + self.sample_shapes[name])
        return results

    def atomic_features(self, graph: Graph) -> Dict[str, Tensor]:
        """Features of atoms, beside the sums of those of their pairs, level by level.

        Those of a head are what its last layers multiply. Rotations change them a little.
        """
        prepared = self.prepare(graph)
        levels, weights = self.levels(graph, prepared)
        layout = layout_of(prepared)
        parts: List[Tensor] = []
        for nodes, pairs in levels:
            parts.append(nodes)
            parts.append(summed(pairs * weights, layout))
        features = {"feature": torch.cat(parts, dim=1)}
        for i, readout in enumerate(self.readouts):
            if self.scalar[i]:
                own = readout.features(levels, weights, layout)  # type: ignore[operator]
                features[self.target_names[i]] = own
        return features

    def levels(
        self, graph: Graph, prepared: List[Tensor]
    ) -> Tuple[List[Tuple[Tensor, Tensor]], Tensor]:
        """The result of :meth:`features`, and the cutoff function of each pair [P, 1]."""
        layout, reverse = layout_of(prepared), prepared[2]
        centers, neighbors, vectors = graph.centers, graph.neighbors, graph.vectors
        lengths = torch.linalg.vector_norm(vectors, dim=1, keepdim=True)
        if self.adaptive is not None:
            whole, kept = layout_of(prepared[4:6]), prepared[3]
            radii = self.adaptive(lengths[:, 0], centers, whole, prepared[6:8])
            centers, neighbors = centers[kept], neighbors[kept]
            vectors, lengths = vectors[kept], lengths[kept]
            reach = 0.5 * (radii[centers] + radii[neighbors])
            log_weights = self.log_cutoff.inside(reach[:, None] - lengths)
        else:
            log_weights = self.log_cutoff(lengths)
        tokens = arrange(layout, centers, log_weights[:, 0])
        geometry = torch.cat([vectors, lengths], dim=1)
        types = graph.types[neighbors]
        levels = self.features(graph, geometry, types, tokens, reverse, prepared)
        return levels, torch.exp(log_weights)

    def features(
        self,
        graph: Graph,
        geometry: Tensor,
        types: Tensor,
        tokens: Tokens,
        reverse: Tensor,
        prepared: List[Tensor],
    ) -> List[Tuple[Tensor, Tensor]]:
        """What is read out, level by level: of atoms [n_atoms, d_node], of pairs [P, d_pet].

        :param geometry: [P, 4], vector and length of each pair.
        :param types: [P] int64, element of each neighbour.
        :param reverse: [P] int64, the number of each pair seen from its other end.
        """
        messages = self.neighbor_species(types)
        starts: List[Tensor] = [table(graph.types) for table in self.species]
        nodes = starts[0]
        levels: List[Tuple[Tensor, Tensor]] = []
        for i, (layer, exchange) in enumerate(zip(self.layers, self.exchanges, strict=True)):
            if i < len(starts):
                nodes = starts[i]
            nodes, pairs = layer(nodes, messages, geometry, types, tokens)
            if self.conditioning is not None:
                nodes = nodes + self.conditioning(prepared[-2], prepared[-1])[graph.system]
            messages = exchange(messages, pairs, reverse)
            levels.append((nodes, pairs))
        return levels if self.residual else [(nodes, messages)]

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
    if hypers["d_pet"] % hypers["num_heads"] != 0:
        what = f"must be a multiple of num_heads ({hypers['num_heads']}), got {hypers['d_pet']}"
        problems.append(Problem(what, "d_pet"))
    if problems:
        raise ArchitectureError.collect(problems)
