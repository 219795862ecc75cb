"""The network of the package as a module of mtt: elements and pair vectors to atomic energies."""

import copy
from collections import OrderedDict
from functools import lru_cache
from typing import Any, Dict, List, Optional, Tuple

import torch
from torch import Tensor

from mtt.errors import CheckpointError
from mtt.experimental.sevennet.given import (
    announce,
    content_of_file,
    description_of,
    digest_of,
    is_path,
    modalities_in,
)
from mtt.experimental.sevennet.package import building_in, package
from mtt.experimental.sevennet.published import content_of, find

READOUT = ("reduce_input_to_hidden", "reduce_hidden_to_energy", "rescale_atomic_energy")
# replaced by tables of this module, or done by mtt
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RuntimeError, AssertionError)
_LEFT_OUT = ("onehot_idx_to_onehot", "one_hot_modality", "reduce_total_enegy", "force_output")


class Network(torch.nn.Module):
    """Layers of the package, and one read-out of the energy per target.

    Published networks have lengths in Å and energies in eV.

    :param layers: those below the read-out, by the package's names.
    :param readout: the last layers; copied for each target.
    :param n_species: elements that the layers know.
    :param modality: number of the label of the data that is predicted for, of ``n_modalities``.
    """

    def __init__(
        self,
        layers: "OrderedDict[str, torch.nn.Module]",
        readout: "OrderedDict[str, torch.nn.Module]",
        n_species: int,
        n_targets: int,
        modality: int = 0,
        n_modalities: int = 0,
    ) -> None:
        super().__init__()
        self.n_species = n_species
        self.modality = modality
        self.n_modalities = n_modalities
        self.layers = torch.nn.ModuleDict(layers)
        self.readouts = torch.nn.ModuleList(
            [torch.nn.ModuleDict(copy.deepcopy(readout)) for _ in range(n_targets)]
        )

    def forward(self, species: Tensor, pairs: Tensor, vectors: Tensor) -> List[Tensor]:
        """Energies of the atoms [n_atoms, 1] in eV, target by target; see :meth:`represent`."""
        data = self.represent(species, pairs, vectors)
        energies: List[Tensor] = []
        for readout in self.readouts:
            own = data.copy()
            for layer in readout.values():  # type: ignore[operator]
                own = layer(own)
            energies.append(own["atomic_energy"])
        return energies

    def features(self, species: Tensor, pairs: Tensor, vectors: Tensor) -> List[Tensor]:
        """Scalars of the atoms [n_atoms, n]: of the last layer, then of each target's last one."""
        data = self.represent(species, pairs, vectors)
        found: List[Tensor] = [data["x"]]
        for readout in self.readouts:
            own = data.copy()
            for name, layer in readout.items():  # type: ignore[operator]
                if name == "reduce_input_to_hidden":
                    own = layer(own)
            found.append(own["x"])
        return found

    def represent(self, species: Tensor, pairs: Tensor, vectors: Tensor) -> Dict[str, Tensor]:
        """What the layers below the read-outs make of the atoms.

        :param species: [n_atoms] int64, as the layers number the elements.
        :param pairs: [2, P] int64, centres and neighbours.
        :param vectors: [P, 3] from centre to neighbour, Å.
        """
        places = torch.arange(self.n_species, device=species.device)
        one_hot = (species.unsqueeze(1) == places).to(vectors.dtype)
        data: Dict[str, Tensor] = {
            "x": one_hot,
            "node_attr": one_hot,
            "atom_type": species,
            "edge_index": pairs,
            "edge_vec": vectors,
        }
        if self.n_modalities > 0:
            labels = torch.arange(self.n_modalities, device=species.device)
            data["modal_type"] = labels[self.modality]
            data["modal_attr"] = (labels == self.modality).to(vectors.dtype).unsqueeze(0)
        for layer in self.layers.values():
            data = layer(data)
        return data

    def compile_layers(self) -> None:
        """Replace the layers by programs of TorchScript, which need none of their packages."""
        from e3nn.util.jit import script

        with building_in(torch.float64):
            for layers in [self.layers, *self.readouts]:
                assert isinstance(layers, torch.nn.ModuleDict)
                for name, layer in layers.items():
                    layers[name] = script(layer)

    def _apply(self, fn: Any, recurse: bool = True) -> "Network":
        """Coupling coefficients are computed again in the new precision, not rounded twice."""
        from e3nn.o3 import wigner_3j

        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name, buffer in self.named_buffers():
            degrees = name.rpartition("_w3j_")[2].split("_")
            if "_w3j_" in name:
                exact = wigner_3j(*map(int, degrees), dtype=torch.float64)
                buffer.copy_(exact)
        return self


def pretrained_network(name: str, n_targets: int, modality: Optional[str]) -> Tuple[Network, Any]:
    """The network of a published model, or of a file, with its weights, and its configuration.

    :raises CheckpointError: the file cannot be read, or is not of such a network.
    """
    layers, readout, config = _divided_and_described(name)
    n_species = int(config["_number_of_species"])
    modalities = modalities_in(config)
    if not modalities:
        return Network(layers, readout, n_species, n_targets), config
    known = config["_modal_map"]
    chosen = int(known[modality or modalities[0]])
    return Network(layers, readout, n_species, n_targets, chosen, len(known)), config


def modalities_of(name: Optional[str]) -> Tuple[str, ...]:
    """Labels of the data that the weights ``name`` were trained on; its default first."""
    if name is None:
        return ()
    if not is_path(name):
        return find(name).modalities
    return modalities_in(description_of(name) or _from_file(name, digest_of(name))[2])


def _divided_and_described(name: str) -> Tuple[Any, Any, Dict[str, Any]]:
    if not is_path(name):
        return copy.deepcopy(_published(name))
    config = description_of(name)
    if config is not None:  # weights are those of a checkpoint of mtt
        return (*_divided(_built(config)), config)
    return copy.deepcopy(_from_file(name, digest_of(name)))


@lru_cache(maxsize=2)
def _published(name: str) -> Tuple[Any, Any, Dict[str, Any]]:
    """Layers, read-out and configuration; callers copy them, since building takes seconds."""
    return _filled(content_of(name))


@lru_cache(maxsize=2)
def _from_file(name: str, digest: str) -> Tuple[Any, Any, Dict[str, Any]]:
    """The same of a file, whose content has this checksum."""
    content = content_of_file(name)
    try:
        filled = _filled(content)
    except _MALFORMED as error:
        first = str(error).strip().replace("\n", " ")[:200]
        what = f"its weights do not fit the network that it describes ({first})"
        raise CheckpointError(
            what, where=name, hint="it was altered, or is of other code"
        ) from error
    announce(name, digest)
    return filled


def _filled(content: Dict[str, Any]) -> Tuple[Any, Any, Dict[str, Any]]:
    """A network with its weights, and the configuration that it was built by."""
    older = package("scripts.backward_compatibility")
    config = _completed(older.patch_old_config(copy.deepcopy(dict(content["config"]))))
    network = _built(config)
    with building_in(torch.float32):  # as the file
        weights = older.patch_state_dict_if_old(content["model_state_dict"], config, network)
    network.to(torch.float32).load_state_dict(weights)
    return (*_divided(network), config)


def new_network(hypers: Dict[str, Any], n_species: int, n_targets: int) -> Network:
    """A network with random weights, drawn from torch's global generator."""
    n_layers = int(hypers["layers"])
    config = {
        "channel": hypers["channels"],
        "lmax": hypers["max_angular"],
        "is_parity": True,
        "num_convolution_layer": n_layers,
        "cutoff": float(hypers["cutoff"]),
        "cutoff_function": {"cutoff_function_name": "poly_cut", "poly_cut_p_value": 6},
        "radial_basis": {"radial_basis_name": "bessel", "bessel_basis_num": hypers["max_radial"]},
        "weight_nn_hidden_neurons": [hypers["radial_width"]] * 2,
        # messages are sums over neighbours, divided by the square root of their usual number
        "conv_denominator": float(hypers["average_neighbors"]) ** 0.5,
        "self_connection_type": "linear",
        "shift": 0.0,
        "scale": 1.0,
        "_number_of_species": n_species,
        "_type_map": {z: z for z in range(n_species)},
    }
    return Network(*_divided(_built(_completed(config))), n_species, n_targets)


def _completed(config: Dict[str, Any]) -> Dict[str, Any]:
    return {**package("_const").DEFAULT_E3_EQUIVARIANT_MODEL_CONFIG, **config}


def _built(config: Dict[str, Any]) -> Any:
    """The package's own model."""
    with building_in(torch.float64):
        network = package("model_build").build_E3_equivariant_model(copy.deepcopy(config))
    for module in network.modules():
        if hasattr(module, "__codegen__"):
            # e3nn would copy these parts through a pickle, in which they are traced once more: with
            # further buffers, rounded to the precision of the moment
            module.__codegen__ = []
    _say_blocks(network)
    return network


def _say_blocks(network: torch.nn.Module) -> None:
    """What low-rank corrections need of linear layers: the matrices that their weights are made of.

    The platform looks for ``weight_blocks``: shapes [in, out], in the order of the numbers.
    """
    from e3nn.nn import FullyConnectedNet
    from e3nn.o3 import Linear

    for module in network.modules():
        if isinstance(module, Linear) and module.weight_numel > 0:
            blocks = [one.path_shape for one in module.instructions if one.i_in >= 0]
            module.weight_blocks = [(int(n_in), int(n_out)) for n_in, n_out in blocks]
        elif isinstance(module, FullyConnectedNet):
            for layer in module.children():
                layer.weight_blocks = [tuple(layer.weight.shape)]


def _divided(network: Any) -> Tuple[Any, Any]:
    """Layers below the read-out, and the read-out, ready for graphs of any number of structures."""
    network.set_is_batch_data(False)
    layers: OrderedDict[str, torch.nn.Module] = OrderedDict()
    readout: OrderedDict[str, torch.nn.Module] = OrderedDict()
    for name, layer in network.named_children():
        if name not in _LEFT_OUT:
            (readout if name in READOUT else layers)[name] = layer
    return layers, readout
