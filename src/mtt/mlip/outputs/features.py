"""Features of atoms as outputs of a model; what takes tensors is compiled by TorchScript.

``feature`` is metatomic's name of what a model knows of an atom before its heads, and
``mtt::aux::<target>_last_layer_features`` is metatrain's of what the last layer of a head is linear
in (Bigi et al., arXiv:2403.02251). Those of a structure are sums over its atoms, or over those that
are selected, as in metatrain; metatomic's standard leaves it open. The last layer of an extensive
target then gives its value from the features of the structure.
"""

from collections.abc import Mapping
from typing import Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import ModelOutput, System
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.graph import Graph
from mtt.mlip.systems import atom_samples, selection_mask
from mtt.mlip.tensor_map import of_samples

FEATURE = "feature"


def last_layer_name(target: str) -> str:
    """Output with the last-layer features of ``target``; without ``mtt::``, as in metatrain."""
    return f"mtt::aux::{target.removeprefix('mtt::')}_last_layer_features"


def is_feature(output: str) -> bool:
    """Whether an output of this name holds features of atoms."""
    last_layer = output.startswith("mtt::aux::") and output.endswith("_last_layer_features")
    return output == FEATURE or last_layer


def feature_names(offered: bool, targets: Mapping[str, TargetInfo]) -> Dict[str, str]:
    """Output to key of ``MLIPModel.atomic_features``, and the entry of an empty name.

    Targets that turn with the structure have no last-layer features: a linear layer of invariant
    numbers does not give them. An empty entry, since TorchScript does not know the type of an empty
    mapping.

    :param offered: whether the model has features at all.
    """
    names = {"": ""}
    if offered:
        names[FEATURE] = FEATURE
        scalars = [
            name
            for name, target in targets.items()
            if target.of_kind.is_invariant and not target.per_pair
        ]
        names |= {last_layer_name(name): name for name in scalars}
    return names


def feature_outputs(names: Mapping[str, str]) -> Dict[str, ModelOutput]:
    """The outputs of :func:`feature_names` as metatomic declares them."""
    return {
        output: ModelOutput(
            sample_kind="atom",
            description="features of atoms, sums over the atoms of a structure"
            if output == FEATURE
            else f"what the last layer of {names[output]} is linear in",
        )
        for output in names
        if output
    }


def asks_for(outputs: Dict[str, ModelOutput], names: List[str]) -> bool:
    """Whether any of ``names`` is among ``outputs``; TorchScript."""
    found = False
    for name in names:
        found = found or name in outputs
    return found


def feature_maps(
    found: Dict[str, Tensor],
    names: Dict[str, str],
    graph: Graph,
    systems: List[System],
    outputs: Dict[str, ModelOutput],
    selected_atoms: Optional[Labels],
) -> Dict[str, TensorMap]:
    """The features that ``outputs`` asks for, per atom or as sums of structures; TorchScript.

    :param found: key to [n_atoms, n] features; empty without any atom.
    :param names: output to key.
    :param graph: of ``systems``; at least one.
    """
    samples = atom_samples(systems)
    selected = selection_mask(samples, selected_atoms)
    results: Dict[str, TensorMap] = {}
    for output, key in names.items():
        if output in outputs:
            like = systems[0].positions
            values = like.new_zeros([0, 0]) if len(found) == 0 else found[key].to(like.dtype)
            if graph.centers.shape[0] == 0:
                # they can be differentiated by the positions, whether there are neighbours or not
                values = values + 0.0 * like.sum()
            pooling = "atom" if outputs[output].sample_kind == "atom" else "sum"
            rows, labels = of_samples(values, samples, selected, pooling, len(systems))
            number = torch.arange(rows.shape[1], dtype=torch.int32, device=rows.device)
            block = TensorBlock(rows, labels, [], Labels(["feature"], number[:, None]))
            zero = torch.zeros(1, 1, dtype=torch.int32, device=rows.device)
            results[output] = TensorMap(Labels(["_"], zero), [block])
    return results
