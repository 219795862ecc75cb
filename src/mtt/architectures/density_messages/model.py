"""Equivariant message passing: densities around atoms, seen along the pairs between them."""

import logging
from typing import Any, Dict, List, Tuple

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, Graphs, MLIPModel
from mtt.architectures.density_messages.layer import Layer, Pairs
from mtt.architectures.density_messages.pairs import Ends, PairHead
from mtt.architectures.density_messages.tensors import Head, TensorHead, turns
from mtt.mlip import check_parts
from mtt.nn import (
    Conditioning,
    PairBasis,
    lay_out,
    layout_of,
    layout_tensors,
    neighborhoods,
    reverse_pairs,
    with_known_species,
)

log = logging.getLogger(__name__)

AUTO = "auto"
USUAL = 16.0  # neighbours of an atom, before any data were seen


class DensityMessages(MLIPModel):
    """Atoms hold densities in spherical harmonics; pairs hold scalars.

    In each layer a pair looks at the densities of both its atoms in its own direction, and an
    activation turns what it sees into its message; an atom sums the messages of its pairs,
    times their spherical harmonics, to new densities, whose products are invariants that
    change its scalars. All sums over neighbours are batched matrix products; there are no
    tensor products and no Clebsch-Gordan coefficients. Vectors and tensors are read from the
    densities of the last layer, which turn with the structure.

    Akin to Schütt, Unke and Gastegger, ICML 2021, arXiv:2102.03150 (scalars and gated
    vectors), Frank, Unke and Müller, NeurIPS 2022, arXiv:2205.14276 (harmonics as
    coordinates of neighbourhoods), and Batatia et al., NeurIPS 2022, arXiv:2206.07697 (many-body
    messages from densities).
    """

    average_neighbors: Tensor

    __checkpoint_version__ = 4
    __supported_devices__ = ["cuda", "cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __supported_targets__ = (
        *("energy", "scalar", "scalar per atom", "cartesian", "cartesian per atom"),
        *("spherical", "spherical per atom"),
        *("scalar per pair", "cartesian per pair", "spherical per pair"),
    )
    __supported_inputs__ = ("charge", "spin_multiplicity", "number", "number per atom")
    __default_metadata__ = ModelMetadata(
        name="Density messages",
        references={
            "architecture": [
                "https://doi.org/10.48550/arXiv.2102.03150",
                "https://doi.org/10.48550/arXiv.2205.14276",
                "https://doi.org/10.48550/arXiv.2206.07697",
            ]
        },
    )

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        max_angular, n_radial = hypers["max_angular"], hypers["num_radial"]
        where = "architecture.model.max_angular"
        check_parts(dataset_info, max_angular, where, pseudoscalars=True)
        self.cutoff = float(hypers["cutoff"])
        self.n_types = len(dataset_info.atomic_types)
        n_layers, n_features = hypers["num_layers"], hypers["num_features"]
        decay = float(hypers["radial_decay"])
        self.basis = PairBasis(self.cutoff, hypers["cutoff_width"], max_angular, n_radial, decay)
        # sums over neighbours are averages: their products must not grow from layer to layer
        neighbors = hypers["average_neighbors"]
        self.measures = neighbors == AUTO
        average = USUAL if self.measures else float(neighbors)
        self.register_buffer("average_neighbors", torch.tensor(average))
        self.species = torch.nn.Embedding(self.n_types, n_features)
        inputs = self.input_names
        self.conditioning = Conditioning(n_features, inputs) if inputs else None
        self.layers = torch.nn.ModuleList(
            Layer(
                max_angular=max_angular,
                n_radial=n_radial,
                radial_decay=decay,
                n_channels=hypers["num_channels"],
                n_features=n_features,
                normalize=hypers["normalize"],
                first=i == 0,
                last=i == n_layers - 1,
            )
            for i in range(n_layers)
        )
        targets = dataset_info.targets
        self.atom_names: List[str] = [n for n, one in targets.items() if not one.per_pair]
        self.pair_names: List[str] = [n for n, one in targets.items() if one.per_pair]
        self.scalar: List[bool] = [not turns(targets[name]) for name in self.atom_names]
        n_channels, n_scalar = hypers["num_channels"], n_radial + 1
        self.heads = torch.nn.ModuleList(
            TensorHead(n_features, n_channels, targets[name])
            if turns(targets[name])
            else Head(n_features, targets[name].properties)
            for name in self.atom_names
        )
        self.pair_heads = torch.nn.ModuleList(
            PairHead(n_features, n_channels, max_angular, n_scalar, targets[name])
            for name in self.pair_names
        )

    @torch.no_grad()
    @torch.jit.unused
    def look_at(self, graphs: Graphs) -> None:
        """Count the neighbours of the training set, where ``average_neighbors`` is ``auto``."""
        if not self.measures:
            return
        n_pairs, n_atoms = 0, 0
        for graph in graphs():
            n_pairs += graph.centers.shape[0]
            n_atoms += graph.types.shape[0]
        # a number of few binary digits is the same in every precision
        average = max(1.0, round(16 * n_pairs / max(1, n_atoms)) / 16)
        self.average_neighbors.fill_(average)
        unit = self.dataset_info.length_unit
        within = f"{self.cutoff:g} {unit}".strip()
        log.info("an atom has %.1f neighbours within %s on average", average, within)

    def interaction_range(self) -> float:
        """Each layer looks one cutoff further."""
        return max(self.list_cutoff(), len(self.layers) * self.cutoff)

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        """The network's values of every atom, per target [n_atoms, *components, properties]."""
        return self.predict_prepared(graph, self.prepare(graph))

    def prepare(self, graph: Graph) -> List[Tensor]:
        """The table of pairs, one row per atom, and empty ones of an isolated atom per element.

        :return: the layout, and [rows · width] int64, the slot that holds the same pair seen from
            its other end; then the inputs, where there are some.
        """
        n_rows, device = graph.types.shape[0] + self.n_types, graph.types.device
        rows = graph.rows
        layout = neighborhoods(graph.centers, torch.arange(n_rows, device=device), rows)
        reverse = torch.arange(n_rows * layout.width, device=device)
        others = reverse_pairs(graph.centers, graph.neighbors, graph.vectors, n_rows, rows)
        reverse = reverse.index_copy(0, layout.slots, layout.slots[others])
        tables = layout_tensors(layout)
        tables.append(reverse)
        if self.conditioning is not None:
            tables.extend(self.conditioning.prepared(graph))
        return tables

    def predict_prepared(self, graph: Graph, prepared: List[Tensor]) -> Dict[str, Tensor]:
        """The network's values of every atom, per target [n_atoms, *components, properties].

        Targets of pairs have a row for each pair. One isolated atom of each element follows the
        atoms of the batch. Its values are subtracted, so that an isolated atom has exactly those
        of the composition. It has none of the inputs: a charged atom has another energy.
        """
        pairs = self.pairs(graph, prepared)
        x, v = self.represent(graph, prepared, pairs)
        results: Dict[str, Tensor] = {}
        for i, head in enumerate(self.heads):
            results[self.atom_names[i]] = self.without_isolated(head(x, v), graph)
        ends = Ends(x, v, pairs, prepared[0])
        for i, of_pairs in enumerate(self.pair_heads):
            results[self.pair_names[i]] = of_pairs(ends)
        return results

    def represent(
        self, graph: Graph, prepared: List[Tensor], pairs: Pairs
    ) -> Tuple[Tensor, Tensor]:
        """Scalars [n, n_features] and densities of the atoms, then of the isolated ones."""
        isolated = torch.arange(self.n_types, device=graph.types.device)
        x = self.species(torch.cat([graph.types, isolated]))
        if self.conditioning is not None:
            own, alone = x.split([graph.types.shape[0], self.n_types])
            own = own + self.conditioning(prepared[3:], own, graph.system)
            x = torch.cat([own, alone])
        v = x.new_zeros(0)
        for layer in self.layers:
            x, v = layer(pairs, x, v)
        return x, v

    def without_isolated(self, rows: Tensor, graph: Graph) -> Tensor:
        """[n_atoms, ...], the rows of atoms minus that of an isolated atom of their element."""
        values, alone = rows.split([graph.types.shape[0], self.n_types])
        relative: Tensor = values - alone.index_select(0, graph.types)
        return relative

    def atomic_features(self, graph: Graph) -> Dict[str, Tensor]:
        """The scalars of the last layer; and of each head what its last layer multiplies."""
        prepared = self.prepare(graph)
        x, _ = self.represent(graph, prepared, self.pairs(graph, prepared))
        features = {"feature": x[: graph.types.shape[0]]}
        for i, head in enumerate(self.heads):
            if self.scalar[i]:
                own = head.features(x)  # type: ignore[operator]
                features[self.atom_names[i]] = self.without_isolated(own, graph)
        return features

    def pairs(self, graph: Graph, prepared: List[Tensor]) -> Pairs:
        """The functions of all pairs, in their slots; see :meth:`prepare`."""
        layout = layout_of(prepared)
        # empty slots hold a neighbour beyond the cutoff, of which all functions are zero
        functions = self.basis(lay_out(graph.vectors, layout, 2 * self.cutoff))
        table = torch.cat([functions, functions.new_ones(functions.shape[0], 1)], dim=1)
        n_angular, n_functions = self.basis.n_angular, self.basis.n_functions + 1
        basis = table.view(layout.n_rows, layout.width, n_functions)
        angular, scalar = basis.split([n_angular, n_functions - n_angular], dim=2)
        return Pairs(basis, angular * self.average_neighbors.reciprocal(), scalar, prepared[2])

    def head_modules(self) -> Dict[str, List[str]]:
        """The head of each target."""
        names = {"heads": self.atom_names, "pair_heads": self.pair_names}
        return {name: [f"{of}.{i}"] for of, some in names.items() for i, name in enumerate(some)}

    def extend_elements(self, name: str, known: Tensor, places: List[int]) -> Tensor:
        """Each element has its own vector; all else is shared."""
        return with_known_species(self.state_dict()[name], known, places)

    def input_modules(self) -> Dict[str, List[str]]:
        """What each input adds to the scalars."""
        conditioning = self.conditioning
        return {} if conditioning is None else conditioning.modules_by_input("conditioning")

    def scale_input(self, name: str, mean: float, spread: float) -> None:
        """Numbers go in as standard deviations from their mean."""
        if self.conditioning is not None:
            self.conditioning.scale(name, mean, spread)
