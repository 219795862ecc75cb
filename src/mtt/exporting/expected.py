"""What a model itself predicts for the trial structures of its exported file."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import NamedTuple

import torch
from metatensor.torch import TensorMap
from metatomic.torch import ModelOutput, NeighborListOptions, System
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.exporting import probe
from mtt.exporting.probe import Structure
from mtt.graph import Graph, Target
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.systems import systems_to_graph


class Reference(NamedTuple):
    """The expected values of a quantity, and the magnitude that its errors are relative to."""

    values: Tensor
    magnitude: float


def predict(
    model: ModelInterface,
    structures: Sequence[Structure],
    lists: list[NeighborListOptions],
    door: torch.dtype,
) -> dict[str, Reference]:
    """What ``model`` itself predicts: every output, and derivatives.

    :param door: dtype of the structures that a model that defines ``forward`` itself gets.
    """
    if isinstance(model, MLIPModel):
        return _training_code(model, structures, lists)
    return _forward(model, structures, lists, door)


def energies_of(model: ModelInterface) -> list[str]:
    """Names of the targets that are energies."""
    return [name for name, info in model.dataset_info.targets.items() if info.is_energy]


def differentiated(model: ModelInterface) -> list[str]:
    """Targets that are not energies, and whose derivatives the model was trained on."""
    targets = model.dataset_info.targets.items()
    return [name for name, info in targets if info.gradients and not info.is_energy]


def _training_code(
    model: MLIPModel, structures: Sequence[Structure], lists: list[NeighborListOptions]
) -> dict[str, Reference]:
    """Physical totals and their derivatives, from the pair vectors."""
    unit = torch.eye(3, dtype=torch.float64)
    systems = [probe.system(one, one["positions"], unit, lists) for one in structures]
    type_index, types = model.get_buffer("type_index"), torch.cat([one.types for one in systems])
    graph = systems_to_graph(systems, lists[0], type_index, model.dtype)
    graph = model.with_inputs(graph, systems)
    bare = copy.deepcopy(model)
    bare.composition.values.zero_()
    without_baseline = bare.predict_targets(graph, all_gradients=True)
    results = {}
    for name, target in model.predict_targets(graph, all_gradients=True).items():
        magnitude = magnitude_of(without_baseline[name].values)
        info = model.dataset_info.targets[name]
        flat = _in_blocks(target.values, info, graph, types)
        results[f"{name}.values"] = Reference(flat, magnitude)
        results |= _slopes(name, info, target)
    for name, features in model.features_of(graph, model.list_cutoff(), model.cutoff).items():
        flat = features.reshape(-1).double()
        results[f"{name}.values"] = Reference(flat, magnitude_of(flat))
    return results


def _slopes(name: str, info: TargetInfo, target: Target) -> dict[str, Reference]:
    """Derivatives of one target, as :data:`mtt.exporting.probe.Results` has them."""
    forces, by_strain = target.forces, target.strain
    if info.is_energy:
        parts = {"forces": forces, "strain": by_strain}
    else:
        if info.is_number and forces is not None:
            forces = -forces
        parts = {"gradient": forces, "strain": by_strain}
        parts = {part: _numbers(info, values) for part, values in parts.items()}
    return {
        f"{name}.{part}": Reference(values, magnitude_of(values))
        for part, values in parts.items()
        if values is not None
    }


def _numbers(info: TargetInfo, values: Tensor | None) -> Tensor | None:
    """[n, k] of [..., *shape]: the k numbers of a target of structures, block by block."""
    if values is None:
        return None
    blocks = info.of_kind.split(values.double().reshape(-1, *info.shape))
    return torch.cat([block.flatten(1) for block in blocks], dim=1)


def _in_blocks(values: Tensor, info: TargetInfo, graph: Graph, types: Tensor) -> Tensor:
    """All numbers, block by block, those of elements of their atoms alone."""
    kind, parts = info.of_kind, []
    for block, part in zip(kind.blocks, kind.split(values), strict=True):
        if block.element and info.per_pair:
            part = part[
                (types[graph.centers] == block.element) & (types[graph.neighbors] == block.second)
            ]
        elif block.element:
            part = part[types == block.element]
        parts.append(part.reshape(-1))
    return torch.cat(parts)


def _forward(
    model: ModelInterface,
    structures: Sequence[Structure],
    lists: list[NeighborListOptions],
    dtype: torch.dtype,
) -> dict[str, Reference]:
    """The model's own forward, with automatic derivatives."""
    energies = energies_of(model)

    def call(systems: list[System], outputs: dict[str, ModelOutput]) -> dict[str, TensorMap]:
        predictions: dict[str, TensorMap] = model(systems, outputs)
        return predictions

    outputs = probe.wanted(model.supported_outputs(), energies)
    given = (outputs, energies, dtype, differentiated(model))
    results = probe.evaluate(call, list(structures), lists, *given)
    return {name: Reference(values, magnitude_of(values)) for name, values in results.items()}


def magnitude_of(values: Tensor) -> float:
    """The largest one; 0 of no values."""
    return float(values.abs().amax()) if values.numel() else 0.0
