"""SevenNet as a model of mtt: pretrained, or with random weights."""

from copy import deepcopy
from typing import Any, Dict, List, Optional

import torch
from metatomic.torch import ModelMetadata, unit_conversion_factor
from torch import Tensor

from mtt import DatasetInfo, Graph, MLIPModel
from mtt.errors import ArchitectureError, Problem, did_you_mean
from mtt.experimental.sevennet.given import described_by, is_path, plain
from mtt.experimental.sevennet.network import modalities_of, new_network, pretrained_network

NETWORK = {
    "cutoff": 5.0,
    "channels": 32,
    "max_angular": 2,
    "max_radial": 8,
    "layers": 3,
    "radial_width": 64,
    "average_neighbors": 30.0,
}
"""Options of a network with random weights; those of ``default-hypers.yaml``."""
NETWORK_OF_FILE = "sevennet_network"
"""Key of checkpoints: the network, where its weights began as those of a file."""


class SevenNet(MLIPModel):
    """An equivariant message-passing network: NequIP's, with linear self-connections.

    Park, Kim, Hwang and Han, J. Chem. Theory Comput. 20, 4857 (2024).
    """

    species: Tensor  # [n_elements] int64, as the network numbers them

    __checkpoint_version__ = 1
    __supported_devices__ = ["cuda", "cpu"]
    __supported_dtypes__ = [torch.float32, torch.float64]
    __supported_targets__ = ("energy",)
    __no_weight_decay__ = ("edge_embedding",)
    __conformance_exceptions__ = {
        "an inversion turns forces and keeps energies": "the published networks know "
        "rotations, not inversions: mirror images differ by what they have not learnt",
        "second derivatives are continuous at the cutoff": "the published networks fade out "
        "by the XPLOR function, whose second derivative jumps at the cutoff",
    }
    __default_metadata__ = ModelMetadata(
        name="SevenNet",
        references={
            "architecture": [
                "https://doi.org/10.1021/acs.jctc.4c00190",
                "https://doi.org/10.1021/jacs.4c14455",
                "https://doi.org/10.1038/s41467-022-29939-5",
            ],
            "implementation": ["https://github.com/MDIL-SNU/SevenNet"],
        },
    )

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        check_hypers(hypers)
        name, n_targets = hypers["pretrained"], len(dataset_info.targets)
        types = [int(z) for z in dataset_info.atomic_types]
        self.description: Optional[Dict[str, Any]] = None
        self.to_angstrom = 1.0
        self.from_ev: List[float] = [1.0] * n_targets
        if name is None:
            self.network = new_network(hypers["network"], len(types), n_targets)
            species = list(range(len(types)))
            self.cutoff = float(hypers["network"]["cutoff"])
        else:
            self.network, config = pretrained_network(name, n_targets, hypers["modality"])
            self.description = plain(config) if is_path(name) else None
            species = _species(name, types, config["_type_map"])
            self.to_angstrom = _factor(dataset_info.length_unit, "angstrom", name, "length_unit")
            self.from_ev = [
                1.0 / _factor(target.unit, "eV", name, f"unit of {one}")
                for one, target in dataset_info.targets.items()
            ]
            self.cutoff = float(config["cutoff"]) / self.to_angstrom
        self.n_layers = sum(1 for one, _ in self.network.layers.named_children() if "outro" in one)
        self.network.to(torch.get_default_dtype())
        self.register_buffer("species", torch.tensor(species, dtype=torch.int64), False)

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        """The energy of every atom, per target [n_atoms, 1]; in its unit, if pretrained."""
        pairs = torch.stack([graph.centers, graph.neighbors])
        vectors = graph.vectors * self.to_angstrom
        energies = self.network(self.species[graph.types], pairs, vectors)
        results: Dict[str, Tensor] = {}
        for i, name in enumerate(self.target_names):
            results[name] = energies[i] * self.from_ev[i]
        return results

    def atomic_features(self, graph: Graph) -> Dict[str, Tensor]:
        """The scalars of the last layer, and those that the energy of each target is linear in."""
        pairs = torch.stack([graph.centers, graph.neighbors])
        vectors = graph.vectors * self.to_angstrom
        found = self.network.features(self.species[graph.types], pairs, vectors)
        features = {"feature": found[0]}
        for i, name in enumerate(self.target_names):
            features[name] = found[i + 1]
        return features

    def interaction_range(self) -> float:
        return max(self.n_layers * self.cutoff, self.list_cutoff())

    def head_modules(self) -> Dict[str, List[str]]:
        """The last layers, of which each target has its own."""
        return {name: [f"network.readouts.{i}"] for i, name in enumerate(self.target_names)}

    def extend_elements(self, name: str, known: Tensor, places: List[int]) -> Tensor:
        """One row of one layer for each element; published weights have all of theirs.

        The layer divides by the square root of the number of elements.
        """
        fresh: Tensor = (
            self.state_dict()[name].view(len(self.dataset_info.atomic_types), -1).clone()
        )
        fresh[places] = known.view(len(places), -1).to(fresh) * (len(fresh) / len(places)) ** 0.5
        return fresh.flatten()

    def get_checkpoint(self) -> Dict[str, Any]:
        own = {} if self.description is None else {NETWORK_OF_FILE: deepcopy(self.description)}
        return {**super().get_checkpoint(), **own}

    @classmethod
    def load_checkpoint(cls, checkpoint: Dict[str, Any], context: Any) -> "SevenNet":
        name = cls.pretrained(checkpoint.get("model_hypers", {}))
        with described_by(checkpoint.get(NETWORK_OF_FILE), name):
            return super().load_checkpoint(checkpoint, context)

    def before_export(self) -> None:
        self.network.compile_layers()

    @classmethod
    def pretrained(cls, hypers: Dict[str, Any]) -> Optional[str]:
        name = hypers.get("pretrained")
        return None if name is None else str(name)


def check_hypers(hypers: Dict[str, Any]) -> None:
    """Refuse options that do not go together.

    :raises ArchitectureError: one problem for each option.
    """
    name, modality = hypers["pretrained"], hypers["modality"]
    known = modalities_of(name)
    problems: List[Problem] = []
    if modality is not None and modality not in known:
        what, hint = f"{name or 'a new network'} has no modalities", "leave it out"
        if known:
            what = f"there is no modality {modality!r} in {name}"
            hint = did_you_mean(modality, known) or f"it has {', '.join(known)}"
        problems.append(Problem(what, "modality", hint))
    for key, value in hypers["network"].items():
        if name is not None and value != NETWORK[key]:
            what = f"{key} is {value!r} here, but {name} decides that"
            hint = "leave it out, or train from random weights with pretrained: null"
            problems.append(Problem(what, f"network.{key}", hint))
    if problems:
        raise ArchitectureError.collect(problems)


def _species(name: str, types: List[int], known: Dict[int, int]) -> List[int]:
    """What the pretrained network calls the elements ``types``."""
    from ase.data import chemical_symbols

    unknown = [chemical_symbols[z] for z in types if z not in known]
    if unknown:
        absent = [chemical_symbols[z] for z in range(1, max(known)) if z not in known]
        raise ArchitectureError(
            f"{name} does not know {', '.join(unknown)}",
            where="atomic_types",
            hint=f"it knows {len(known)} elements, up to {chemical_symbols[max(known)]}, without "
            f"{', '.join(absent)}; leave those structures out, or train with pretrained: null",
        )
    return [known[z] for z in types]


def _factor(unit: str, theirs: str, name: str, what: str) -> float:
    """How many of ``theirs`` one ``unit`` is."""
    if not unit:
        hint = "give it with the data: the weights are for eV and Å"
        raise ArchitectureError(f"{name} needs the {what}, and none is given", hint=hint)
    return float(unit_conversion_factor(unit, theirs))
