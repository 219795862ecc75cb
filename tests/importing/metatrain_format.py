"""Writes checkpoints in the format of metatrain's PET, of any model of ours of that formulation.

The names and shapes of weights are written down here once more, from the other side.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import metatensor.torch as mts
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap

from mtt import DatasetInfo, TargetInfo, registry
from mtt.mlip import MLIPModel

TYPES = (1, 6, 8)
TINY = {
    **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward"), 4),
    "formulation": "metatrain",
    "cutoff": 3.0,
    "num_heads": 2,
    "num_attention_layers": 1,
    "num_gnn_layers": 1,
}
OLD = {
    "normalization": "LayerNorm",
    "activation": "SiLU",
    "transformer_type": "PostLN",
    "featurizer_type": "residual",
    "cutoff_function": "Cosine",
}
"""What is not an option of versions before 8, and always like this."""

_PARTS = {
    "attention.inward": "attention.input_linear",
    "attention.outward": "attention.output_linear",
    "norm_tokens": "norm_attention",
    "norm_pairs": "norm_mlp",
    "pair_network.inward": "mlp.w_in",
    "pair_network.outward": "mlp.w_out",
    "contract": "center_contraction",
    "expand": "center_expansion",
    "norm_nodes": "norm_center_features",
    "node_network.inward": "center_mlp.w_in",
    "node_network.outward": "center_mlp.w_out",
}
_NAMES = (
    (r"neighbor_species\.(.+)", r"edge_embedder.\1"),
    (r"species\.(.+)", r"node_embedders.\1"),
    (r"layers\.(\d)\.geometry\.(.+)", r"gnn_layers.\1.edge_embedder.\2"),
    (r"layers\.(\d)\.species\.0\.(.+)", r"gnn_layers.\1.neighbor_embedder.\2"),
    (r"layers\.(\d)\.compress\.(.+)", r"gnn_layers.\1.compress.\2"),
    (r"layers\.(\d)\.layers\.(.+)", r"gnn_layers.\1.trans.layers.\2"),
    (r"exchanges\.(\d)\.network\.0\.(.+)", r"combination_norms.\1.\2"),
    (r"exchanges\.(\d)\.network\.1\.(.+)", r"combination_mlps.\1.0.\2"),
    (r"exchanges\.(\d)\.network\.3\.(.+)", r"combination_mlps.\1.2.\2"),
    (r"conditioning\.charge\.(.+)", r"system_conditioning.charge_embedding.\1"),
    (r"conditioning\.spin\.(.+)", r"system_conditioning.spin_multiplicity_embedding.\1"),
    (r"conditioning\.network\.(.+)", r"system_conditioning.project.\1"),
)


class DatasetInfoOfMetatrain:
    """Its attributes are pickled, under the name that metatrain gives the class."""


class TargetInfoOfMetatrain:
    """As the other one."""


_CLASSES = {
    "metatrain.utils.data.dataset.DatasetInfo": DatasetInfoOfMetatrain,
    "metatrain.utils.data.target_info.TargetInfo": TargetInfoOfMetatrain,
}


@cache
def model(*names: str, **changes: Any) -> MLIPModel:
    """A random model of energies called ``names``, in float64, with baselines and scales.

    The same ones each time, which tests leave as they are.
    """
    architecture = _pet()
    energies = {name: TargetInfo.energy(forces=True) for name in names or ("energy",)}
    hypers = {**architecture.model.platform_hypers(), **architecture.default_hypers["model"]}
    generator = torch.Generator().manual_seed(7)
    info = DatasetInfo("angstrom", TYPES, energies)
    made = architecture.model({**hypers, **TINY, **changes}, info).double().eval()
    with torch.no_grad():
        for weights in made.parameters():
            noise = torch.randn(weights.shape, generator=generator, dtype=torch.float64)
            weights.copy_(0.3 * noise + (1.0 if weights.dim() == 1 else 0.0))
        made.composition.values.copy_(torch.randn(3, len(energies), generator=generator))
        made.scale.values.copy_(1 + torch.arange(len(energies)) / 2)
    return made


@cache
def _pet() -> registry.Architecture:
    return registry.find("pet").load()


def content(source: MLIPModel, version: int = 16) -> dict[str, Any]:
    """What a checkpoint of that version holds for ``source``."""
    hypers = {k: v for k, v in source.hypers.items() if k not in ("formulation", "prior")}
    if version < 8:
        hypers = {k: v for k, v in hypers.items() if k not in OLD and k != "d_node"}
    state = _network(source, version)
    state |= _baselines(source, version)
    return {
        "architecture_name": "pet",
        "model_ckpt_version": version,
        "model_data": {"model_hypers": hypers, "dataset_info": _described(source.dataset_info)},
        "metadata": None,
        "epoch": 3,
        "model_state_dict": {name: value + 1 for name, value in state.items()},
        "best_model_state_dict": state,
    }


def write(path: Path, values: Mapping[str, Any]) -> Path:
    """Pickle ``values`` as metatrain does; its modules are there for that moment only."""
    kept = {name: sys.modules.get(name) for name in _modules()}
    try:
        for name in kept:
            sys.modules[name] = ModuleType(name)
        for full, kind in _CLASSES.items():
            kind.__module__, _, kind.__name__ = full.rpartition(".")
            kind.__qualname__ = kind.__name__
            setattr(sys.modules[kind.__module__], kind.__name__, kind)
        torch.save(dict(values), path)
    finally:
        for name, module in kept.items():
            sys.modules.pop(name)
            if module is not None:
                sys.modules[name] = module
    return path


def target(name: str, *, per_atom: bool = False, components: int = 0) -> TargetInfoOfMetatrain:
    """What metatrain stores of a target; one with components is a vector."""
    made = TargetInfoOfMetatrain()
    samples = ["system", "atom"] if per_atom else ["system"]
    empty = Labels(samples, torch.zeros(0, len(samples), dtype=torch.int32))
    axes = [Labels(["xyz"], torch.arange(components)[:, None])] if components else []
    values = torch.zeros(0, *([components] if components else []), 1, dtype=torch.float64)
    block = TensorBlock(values, empty, axes, _property())
    if name.startswith("energy"):
        xyz = Labels(["xyz"], torch.arange(3)[:, None])
        moved = Labels(["sample", "system", "atom"], torch.zeros(0, 3, dtype=torch.int32))
        gradient = TensorBlock(torch.zeros(0, 3, 1).double(), moved, [xyz], _property())
        block.add_gradient("positions", gradient)
    layout = TensorMap(Labels(["_"], torch.tensor([[0]])), [block])
    quantity = "energy" if name.startswith("energy") else "force"
    vars(made).update(layout=layout, quantity=quantity, unit="eV", is_scalar=not components)
    return made


def table(name: str, numbers: list[int], values: torch.Tensor) -> torch.Tensor:
    """A serialised tensor map with a value for each of ``numbers``."""
    samples = Labels([name], torch.tensor(numbers)[:, None])
    block = TensorBlock(values.double()[:, None], samples, [], _property())
    made: torch.Tensor = mts.save_buffer(TensorMap(Labels(["_"], torch.tensor([[0]])), [block]))
    return made


def _property() -> Labels:
    return Labels(["energy"], torch.tensor([[0]]))


def _modules() -> list[str]:
    parents = ("metatrain", "metatrain.utils", "metatrain.utils.data")
    return [*parents, *(full.rpartition(".")[0] for full in _CLASSES)]


def _described(info: DatasetInfo) -> DatasetInfoOfMetatrain:
    made = DatasetInfoOfMetatrain()
    targets = {name: target(name) for name in info.targets}
    vars(made).update(length_unit=info.length_unit, _atomic_types=[8, 1, 6], targets=targets)
    return made


def _network(source: MLIPModel, version: int) -> dict[str, torch.Tensor]:
    index = torch.full([max(TYPES) + 1], -1)
    for row, z in enumerate((6, 8, 1)):  # no table need be in the order of the numbers
        index[z] = row
    prefix = "backend." if version >= 16 else ""
    found = {f"{prefix}species_to_species_index": index}
    for name, value in source.state_dict().items():
        if name.split(".")[0] in ("composition", "scale", "zbl"):
            continue
        value = value.clone()
        if "species." in name:
            value = value[[1, 2, 0]]
            if version < 8:  # a row for padding
                value = torch.cat([value, value[:1]])
        if re.fullmatch(r"layers\.[1-9]\.compress\.0\.weight", name):
            geometry, message, element = value.chunk(3, dim=1)
            value = torch.cat([geometry, element, message], dim=1)
        theirs = _theirs(name, source.target_names)
        found[prefix + (_older(theirs) if version < 8 else theirs)] = value
    return found


def _theirs(name: str, targets: list[str]) -> str:
    head = re.fullmatch(r"readouts\.(\d)\.(node|pair)s\.(\d)\.(\d)\.(.+)", name)
    if head is not None:
        side = "node" if head[2] == "node" else "edge"
        stem = f"{side}_{'last_layers' if head[4] == '4' else 'heads'}.{targets[int(head[1])]}"
        last = f"{targets[int(head[1])]}___0" if head[4] == "4" else head[4]
        return f"{stem}.{head[3]}.{last}.{head[5]}"
    for ours, theirs in _PARTS.items():
        if f".{ours}." in name:
            name = name.replace(f".{ours}.", f".{theirs}.")
            break
    for pattern, theirs in _NAMES:
        if re.fullmatch(pattern, name):
            return re.sub(pattern, theirs, name)
    raise AssertionError(name)


def _older(name: str) -> str:
    name = name.replace(".mlp.w_in.", ".mlp.0.").replace(".mlp.w_out.", ".mlp.3.")
    name = re.sub(r"^edge_embedder\.", "embedding.", name)
    return re.sub(r"^node_embedders\.(\d)\.", r"gnn_layers.\1.node_embedder.", name)


def _baselines(source: MLIPModel, version: int) -> dict[str, torch.Tensor]:
    found = {}
    for i, name in enumerate(source.target_names):
        energies = table("center_type", list(TYPES), source.composition.values[:, i])
        found[f"additive_models.0.{name}_composition_buffer"] = energies
        scale = source.scale.values[i : i + 1]
        if version >= 13:
            parts = {"per_target": scale * 2, "per_property": scale.new_full([1], 0.5)}
        else:
            parts = {"": scale}
        for part, value in parts.items():
            key = f"scaler.{name}_{part}{'_' if part else ''}scaler_buffer"
            if version >= 7:
                found[key] = table("atomic_type", [-1], value)
    if version < 7:
        found["scaler.scales"] = source.scale.values.clone()
    return found
