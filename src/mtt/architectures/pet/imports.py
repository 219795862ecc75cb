"""Checkpoints of metatrain's PET, of all its versions, as models of this architecture.

The format is that of metatrain 2026.4 and earlier (BSD-3-Clause): a dict of hypers, a description
of the data, and state dicts, of which the best one is taken, as metatrain's own export does.
"""

import json
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import metatensor.torch as mts
import torch
from metatensor.torch import TensorMap
from torch import Tensor

from mtt import DatasetInfo, Imported, TargetInfo
from mtt.architectures.pet.metatrain_hypers import VERSIONS, hypers_of
from mtt.architectures.pet.metatrain_names import (
    PREFIX,
    merge_low_rank,
    modern,
    network_weights,
)
from mtt.errors import CheckpointError

CLASSES = (
    "metatrain.utils.data.dataset.DatasetInfo",
    "metatrain.utils.data.target_info.TargetInfo",
    "torch.ScriptObject",  # metatensor's and metatomic's objects, serialised by themselves
)

NAME = "pet"


def read(content: Any) -> Optional[Imported]:
    """The model in the content of a checkpoint of metatrain's PET; None for another one.

    :raises CheckpointError: a version or a model that is not known, or cannot be had here.
    """
    left_out = []
    while isinstance(content, dict) and "wrapped_model_checkpoint" in content:
        name = content.get("architecture_name")
        left_out.append(f"what {name!r} of metatrain adds to the model (its uncertainties)")
        content = content["wrapped_model_checkpoint"]
    ours = isinstance(content, dict) and "model_data" not in content
    if not isinstance(content, dict) or ours or content.get("architecture_name") != NAME:
        return None
    version = content.get("model_ckpt_version")
    if not isinstance(version, int) or version not in VERSIONS:
        raise CheckpointError(
            f"is a checkpoint of version {version!r} of metatrain's PET; known are "
            f"{VERSIONS[0]} to {VERSIONS[-1]}",
            hint="a newer mtt may know it",
        )
    state = _weights(content, version)
    hypers = hypers_of(content["model_data"]["model_hypers"], version, state)
    described = content["model_data"]["dataset_info"]
    targets, others = _targets(described["targets"])
    left_out += others
    types = tuple(sorted(int(z) for z in described["_atomic_types"]))
    index = state[_INDEX if _INDEX in state else PREFIX + _INDEX]
    rows = [int(index[z]) for z in types]
    network = merge_low_rank(modern(state, version), _finetuning(content))
    return Imported(
        program="metatrain",
        kind=f"PET, checkpoint version {version}",
        hypers=hypers,
        info=DatasetInfo(described["length_unit"], types, targets),
        weights=network_weights(network, rows, list(targets)),
        composition={name: _composition(state, name, types) for name in targets},
        scales={name: _scale(state, name, list(described["targets"])) for name in targets},
        metadata=_metadata(content.get("metadata")),
        left_out=left_out,
    )


_INDEX = "species_to_species_index"


def _weights(content: Mapping[str, Any], version: int) -> Dict[str, Any]:
    """The best weights, where the file keeps them apart from the latest."""
    latest, best = content["model_state_dict"], content.get("best_model_state_dict")
    # the large models from before version 8 are used as they were at last
    if not best or (version < 8 and "node_embedding.weight" in latest):
        best = latest
    return dict(best)


def _finetuning(content: Mapping[str, Any]) -> Any:
    """``finetune.config`` of the training, wherever a version keeps it."""
    states = [content.get("best_model_state_dict"), content.get("model_state_dict")]
    places = [state.get("finetune_config") for state in states if state]
    places.append((content.get("train_hypers") or {}).get("finetune"))
    return next((one["config"] for one in places if one and one.get("config")), None)


def _targets(described: Mapping[str, Any]) -> Tuple[Dict[str, TargetInfo], List[str]]:
    """Energies, and sentences about all other targets.

    :raises CheckpointError: there is no energy.
    """
    targets: Dict[str, TargetInfo] = {}
    others = []
    for name, one in described.items():
        layout = _decoded(one["layout"]["state"][0])
        first = layout.block(0)
        plain = len(layout.keys) == 1 and not first.components and len(first.properties) == 1
        if one["quantity"] == "energy" and plain and first.samples.names == ["system"]:
            gradients = first.gradients_list()
            targets[name] = TargetInfo.energy(
                one["unit"], forces="positions" in gradients, stress="strain" in gradients
            )
        else:
            others.append(f"the target {name!r}, which is not the energy of a structure")
    if not targets:
        raise CheckpointError(
            f"has no energy of structures among its targets ({', '.join(described)})",
            hint="only energies can be imported yet",
        )
    return targets, others


def _composition(state: Mapping[str, Any], name: str, types: Sequence[int]) -> Tensor:
    """[n_types, 1] float64, the energy of each element."""
    block = _decoded(state[f"additive_models.0.{name}_composition_buffer"]).block(0)
    numbers = dict(zip(block.samples.values[:, 0].tolist(), block.values[:, 0], strict=True))
    if any(z not in numbers for z in types):
        raise CheckpointError(f"lacks the energies of some elements, of the target {name!r}")
    return torch.stack([numbers[z] for z in types])[:, None].to(torch.float64)


def _scale(state: Mapping[str, Any], name: str, all_targets: List[str]) -> float:
    """What the network's energies are multiplied by."""
    if "scaler.scales" in state:  # up to version 6, in the order of the targets
        return float(state["scaler.scales"][all_targets.index(name)])
    whole = f"scaler.{name}_scaler_buffer"
    parts = [f"scaler.{name}_per_{one}_scaler_buffer" for one in ("target", "property")]
    factor = 1.0
    for key in parts if parts[0] in state else [whole]:
        values = _decoded(state[key]).block(0).values
        if values.numel() != 1:
            raise CheckpointError(f"scales the target {name!r} by {values.numel()} numbers, not 1")
        factor *= float(values)
    return factor


def _decoded(buffer: Tensor) -> TensorMap:
    """A tensor map from its own serialised form, by metatensor's reader of it."""
    try:
        return mts.load_buffer(buffer.contiguous())
    except RuntimeError as error:
        first = str(error).partition("\n")[0]
        raise CheckpointError(f"holds a damaged tensor map: {first}") from error


def _metadata(stored: Any) -> Dict[str, Any]:
    """Fields of metatomic's metadata, which are stored as JSON."""
    if not isinstance(stored, Mapping) or "state" not in stored:
        return {}
    values = json.loads(stored["state"][0])
    fields = ("name", "description", "authors", "references", "extra")
    return {key: values[key] for key in fields if values.get(key)}
