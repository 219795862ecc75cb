"""Weights of metatrain's PET under the names and in the shapes of this one."""

import re
from typing import Any, Dict, List

import torch
from torch import Tensor

from mtt.errors import CheckpointError

PREFIX = "backend."
"""From version 16 on in the names of the network's weights."""

NOT_OF_THE_NETWORK = ("additive_models.", "scaler.", "finetune_config", "species_to_species_index")

# patterns of their names, and ours; a weight or a bias follows
_NAMES = (
    (r"edge_embedder", r"neighbor_species"),
    (r"node_embedders\.(\d+)", r"species.\1"),
    (r"gnn_layers\.(\d+)\.edge_embedder", r"layers.\1.geometry"),
    (r"gnn_layers\.(\d+)\.neighbor_embedder", r"layers.\1.species.0"),
    (r"gnn_layers\.(\d+)\.compress\.(\d+)", r"layers.\1.compress.\2"),
    (r"gnn_layers\.(\d+)\.trans\.layers\.(\d+)\.(.+)", r"layers.\1.layers.\2.\3"),
    (r"combination_norms\.(\d+)", r"exchanges.\1.network.0"),
    (r"combination_mlps\.(\d+)\.0", r"exchanges.\1.network.1"),
    (r"combination_mlps\.(\d+)\.2", r"exchanges.\1.network.3"),
    (r"system_conditioning\.charge_embedding", r"conditioning.charge"),
    (r"system_conditioning\.spin_multiplicity_embedding", r"conditioning.spin"),
    (r"system_conditioning\.project\.(\d+)", r"conditioning.network.\1"),
)
_PARTS = {
    "attention.input_linear": "attention.inward",
    "attention.output_linear": "attention.outward",
    "norm_attention": "norm_tokens",
    "norm_mlp": "norm_pairs",
    "mlp.w_in": "pair_network.inward",
    "mlp.w_out": "pair_network.outward",
    "center_contraction": "contract",
    "center_expansion": "expand",
    "norm_center_features": "norm_nodes",
    "center_mlp.w_in": "node_network.inward",
    "center_mlp.w_out": "node_network.outward",
}
_TABLES = r"neighbor_species\.weight|(layers\.\d+\.)?species\.\d+\.weight"  # ours
_HEAD = re.compile(r"(node|edge)_(heads|last_layers)\.(.+)\.(\d+)\.([^.]+)\.(weight|bias)")


def network_weights(
    state: Dict[str, Any], rows: List[int], targets: List[str]
) -> Dict[str, Tensor]:
    """The network's weights; those of targets that are not in ``targets`` are left out.

    :param state: a state dict of any version, after :func:`modern`.
    :param rows: where each element is in their tables of elements.
    :raises CheckpointError: a weight is not known.
    """
    found: Dict[str, Tensor] = {}
    for key, value in state.items():
        head = _HEAD.fullmatch(key)
        if head is not None:
            if head[3] in targets:
                found[_of_head(head, targets)] = value
            continue
        name = _name(key)
        if re.fullmatch(_TABLES, name):
            value = value[rows]
        if re.fullmatch(r"layers\.(?!0\.)\d+\.compress\.0\.weight", name):
            # geometry, element, message there; geometry, message, element here
            geometry, element, message = value.chunk(3, dim=1)
            value = torch.cat([geometry, message, element], dim=1)
        found[name] = value
    return found


def _name(key: str) -> str:
    stem, _, kind = key.rpartition(".")
    for pattern, ours in _NAMES:
        match = re.fullmatch(pattern, stem)
        if match is not None:
            name = match.expand(ours)
            for theirs, part in _PARTS.items():
                if name.endswith(f".{theirs}"):
                    name = name.removesuffix(theirs) + part
                    break
            return f"{name}.{kind}"
    raise CheckpointError(
        f"holds weights that no known PET has: {key}", hint="it may be of changed code"
    )


def _of_head(head: "re.Match[str]", targets: List[str]) -> str:
    """Two layers of a head have SiLU after each; the last layer is the fifth of ours."""
    side = "nodes" if head[1] == "node" else "pairs"
    number = head[5] if head[2] == "heads" else "4"
    return f"readouts.{targets.index(head[3])}.{side}.{head[4]}.{number}.{head[6]}"


def modern(state: Dict[str, Any], version: int) -> Dict[str, Any]:
    """The network's part of a state dict under the names of version 8 and later.

    Before that, tables had a row more, for padding, and networks other names.
    """
    plain = {
        key.removeprefix(PREFIX): value
        for key, value in state.items()
        if not key.removeprefix(PREFIX).startswith(NOT_OF_THE_NETWORK)
    }
    if version >= 8:
        return plain
    found = {}
    for key, value in plain.items():
        if re.search(r"embedding\.weight$|\.(node|neighbor)_embedder\.weight$", key):
            value = value[:-1]
        key = key.replace(".mlp.0.", ".mlp.w_in.").replace(".mlp.3.", ".mlp.w_out.")
        key = key.replace("combination_rmsnorms.", "combination_norms.")
        key = re.sub(r"^embedding\.", "edge_embedder.", key)
        key = re.sub(r"^node_embedding\.", "node_embedders.0.", key)
        key = re.sub(r"^gnn_layers\.(\d+)\.node_embedder\.", r"node_embedders.\1.", key)
        found[key] = value
    return found


def merge_low_rank(state: Dict[str, Any], config: Any) -> Dict[str, Any]:
    """Plain weights W + α / r · B A of layers with low-rank corrections (LoRA).

    :param config: metatrain's ``finetune.config``: rank and alpha.
    :raises CheckpointError: it does not say what the corrections are multiplied by.
    """
    if not any(".lora_A." in key for key in state):
        return state
    merged: Dict[str, Any] = {}
    for key, value in state.items():
        if ".lora_A." in key or ".lora_B." in key:
            continue
        stem, found, rest = key.rpartition(".linear.")
        down = state.get(f"{stem}.lora_A.weight") if found else None
        if down is None:
            merged[key] = value
            continue
        if rest == "weight":
            up = state[f"{stem}.lora_B.weight"]
            factor = _alpha(config) / down.shape[0]
            sum_of_both = value.double() + factor * (up.double() @ down.double())
            value = sum_of_both.to(value.dtype)
        merged[f"{stem}.{rest}"] = value
    return merged


def _alpha(config: Any) -> float:
    alpha = config.get("alpha") if isinstance(config, dict) else None
    if not isinstance(alpha, int | float) or isinstance(alpha, bool):
        raise CheckpointError(
            "holds low-rank corrections (LoRA), but not what they are multiplied by "
            "(finetune_config: config: alpha)",
            hint="merge them in metatrain",
        )
    return float(alpha)
