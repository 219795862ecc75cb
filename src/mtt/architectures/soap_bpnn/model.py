"""SOAP power spectra and one small network per element."""

from itertools import pairwise
from typing import Any, Dict, List, Tuple

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel
from mtt.architectures.soap_bpnn.heads import Head, TensorHead, known_mix
from mtt.errors import ArchitectureError, Problem, did_you_mean
from mtt.mlip import check_parts
from mtt.nn import (
    SoapPowerSpectrum,
    SpeciesLinear,
    SpeciesNormLinear,
    layout_of,
    order_of,
    rows_by_species,
    with_known_species,
)


class SoapBPNN(MLIPModel):
    """y_i = NN_t(p_i): a network for each element t on the power spectrum p_i of its atoms.

    Targets share the hidden layers; each has its own head. Those of vectors and tensors gate
    the densities that the power spectrum is made of, which turn with the structure.

    Behler and Parrinello, Phys. Rev. Lett. 98, 146401 (2007); Bartók, Kondor and Csányi,
    Phys. Rev. B 87, 184115 (2013).
    """

    __checkpoint_version__ = 1
    __supported_devices__ = ["cuda", "cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __supported_targets__ = (
        *("energy", "scalar", "scalar per atom", "cartesian", "cartesian per atom"),
        *("spherical", "spherical per atom"),
    )
    __target_hypers__ = ("heads",)
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
        widths: List[int] = [bpnn["num_neurons_per_layer"]] * bpnn["num_hidden_layers"]
        targets = dataset_info.targets
        properties = [target.properties for target in targets.values()]
        self.has_tensors = any(target.of_kind.components for target in targets.values())
        # without a hidden layer the first one gives the values of all targets, side by side
        n_first = widths[0] if widths else sum(properties)
        first = SpeciesNormLinear if bpnn["layernorm"] else SpeciesLinear
        self.first = first(self.n_types, self.soap.n_features, n_first)
        self.hidden = torch.nn.ModuleList(
            [SpeciesLinear(self.n_types, n_in, n_out) for n_in, n_out in pairwise(widths)]
        )
        self.heads = torch.nn.ModuleList()
        for name, target in targets.items() if widths else ():
            mlp = hypers["heads"].get(name, "linear") == "mlp"
            self.heads.append(
                TensorHead(self.soap, widths[-1], target, mlp)
                if target.of_kind.components
                else Head(self.n_types, widths[-1], target.properties, mlp)
            )

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        """The network's values of every atom, per target [n_atoms, *components, properties]."""
        return self.predict_prepared(graph, self.prepare(graph))

    def prepare(self, graph: Graph) -> List[Tensor]:
        """The layout of the pairs, and the order of the atoms."""
        return rows_by_species(graph, self.n_types)

    def predict_prepared(self, graph: Graph, prepared: List[Tensor]) -> Dict[str, Tensor]:
        """The network's values of every atom, per target [n_atoms, *components, properties]."""
        order = order_of(prepared[2:])
        _, values = self.represent(graph, prepared)
        densities: List[Tensor] = []
        if self.has_tensors:
            of_neighbors = graph.types[graph.neighbors]
            densities = self.soap.expansion(graph.vectors, of_neighbors, layout_of(prepared))
        results: Dict[str, Tensor] = {}
        start = 0
        for i, name in enumerate(self.target_names):
            results[name] = values[:, start : self.ends[i]]
            start = self.ends[i]
        for i, head in enumerate(self.heads):
            activated = torch.nn.functional.silu(values)
            results[self.target_names[i]] = head(activated, densities, order.counts)
        for name in self.target_names:
            results[name] = results[name].index_select(0, order.row_of_atom)
        return results

    def represent(self, graph: Graph, prepared: List[Tensor]) -> Tuple[Tensor, Tensor]:
        """The power spectra, and what the shared layers make of them; in the order of rows."""
        layout, order = layout_of(prepared), order_of(prepared[2:])
        features = self.soap(graph.vectors, graph.types[graph.neighbors], layout)
        values = self.first(features, order.counts)
        for layer in self.hidden:
            values = layer(torch.nn.functional.silu(values), order.counts)
        return features, values

    def atomic_features(self, graph: Graph) -> Dict[str, Tensor]:
        """The last hidden layer, and what the last layer of each head multiplies.

        Without hidden layers the power spectra, which the one layer multiplies (after layernorm).
        Weights are separate for each element, and so is what a number of an atom means.
        """
        prepared = self.prepare(graph)
        order = order_of(prepared[2:])
        spectra, values = self.represent(graph, prepared)
        shared = torch.nn.functional.silu(values) if len(self.heads) > 0 else spectra
        features = {"feature": shared.index_select(0, order.row_of_atom)}
        for name in self.target_names:
            features[name] = features["feature"]
        for i, head in enumerate(self.heads):
            own = head.features(shared, order.counts)  # type: ignore[operator]
            features[self.target_names[i]] = own.index_select(0, order.row_of_atom)
        return features

    def head_modules(self) -> Dict[str, List[str]]:
        """The head of each target; without hidden layers the targets share one layer."""
        return {self.target_names[i]: [f"heads.{i}"] for i in range(len(self.heads))}

    def extend_elements(self, name: str, known: Tensor, places: List[int]) -> Tensor:
        """All weights are separate for each element, those of the first layer by its neighbours'.

        Features with a neighbour of a new element count for nothing at first where the atom
        itself is of a known one.
        """
        fresh = self.state_dict()[name]
        if ".mix." in name or ".vectors." in name:
            return known_mix(fresh, known, self.soap, places)
        if name.startswith("first."):
            columns = self.soap.features_of(places).to(fresh.device)
            rows = fresh[places]
            if name.endswith("weight"):
                rows = torch.zeros_like(rows)
            known = rows.index_copy(-1, columns, known.to(fresh.dtype))
        return with_known_species(fresh, known, places)

    def remember_elements(self, history: List[List[int]]) -> None:
        """Each element is normalised over the features that there were when it came."""
        super().remember_elements(history)
        if not isinstance(self.first, SpeciesNormLinear):
            return
        types = [int(z) for z in self.dataset_info.atomic_types]
        counted = torch.ones(self.n_types, self.soap.n_features, dtype=torch.bool)
        for elements in reversed(history):
            places = [types.index(z) for z in elements]
            seen = torch.zeros(self.soap.n_features, dtype=torch.bool)
            seen[self.soap.features_of(places)] = True
            counted[places] = seen
        self.first.normalise_over(counted)


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
    tensors = [name for name, target in info.targets.items() if target.of_kind.components]
    if tensors and hypers["bpnn"]["num_hidden_layers"] == 0:
        what = f"{', '.join(tensors)}: vectors and tensors need a hidden layer"
        problems.append(Problem(what, "bpnn.num_hidden_layers", "write 1 or more"))
    if problems:
        raise ArchitectureError.collect(problems)
    where = "architecture.model.soap.max_angular"
    check_parts(info, hypers["soap"]["max_angular"], where, pseudoscalars=True)
