"""Predictions of models that take metatomic's systems: exported ones, and those of authors.

Forces and stress come from automatic differentiation, through the positions and through a
strain on positions and cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelEvaluationOptions,
    ModelOutput,
    NeighborListOptions,
    System,
    register_autograd_neighbors,
)
from torch import Tensor

from mtt.data.batching.pairs import values_of_pairs
from mtt.data.info import TargetInfo
from mtt.data.labels.units import declared
from mtt.data.target_kind import TargetKind
from mtt.errors import ArchitectureError, ConfigError
from mtt.evaluation.features import Asked, feature_rows
from mtt.graph import Target
from mtt.interface import ModelInterface

Call = Callable[[list[System]], dict[str, TensorMap]]


def caller(
    model: ModelInterface | AtomisticModel,
    asked: Asked,
    length_unit: str,
    check_consistency: bool,
) -> Call:
    """The model as a function of systems alone.

    An exported model converts from ``length_unit``, and to the units of ``targets``.

    :raises ConfigError: consistency is to be checked, and values of pairs are asked for.
    """
    of_pairs = [name for name, target in asked.targets.items() if target.per_pair]
    if check_consistency and of_pairs:
        what = f"metatomic's checks do not know values of pairs, such as {of_pairs[0]}"
        raise ConfigError(what, hint="leave --check-consistency out")
    outputs = {
        name: ModelOutput(unit=declared(target.unit), sample_kind=target.sample_kind)
        for name, target in asked.targets.items()
    }
    outputs |= {name: ModelOutput(sample_kind=asked.sample_kind) for name in asked.features}
    if isinstance(model, ModelInterface):
        return lambda systems: model(systems, outputs)
    options = ModelEvaluationOptions(length_unit=length_unit, outputs=outputs)
    return lambda systems: model(systems, options, check_consistency=check_consistency)


def precision(model: ModelInterface | AtomisticModel) -> torch.dtype:
    """The dtype in which the model wants its systems."""
    if not isinstance(model, ModelInterface):
        declared: torch.dtype = getattr(torch, model.capabilities().dtype)
        return declared
    floating = (p.dtype for p in model.parameters() if p.is_floating_point())
    return next(floating, model.__supported_dtypes__[0])


def on_device(target: Target, device: torch.device) -> Target:
    """``target`` with all its tensors on ``device``."""
    return Target(
        target.values.to(device),
        None if target.forces is None else target.forces.to(device),
        None if target.strain is None else target.strain.to(device),
    )


def requested_lists(model: ModelInterface | AtomisticModel) -> list[NeighborListOptions]:
    """The neighbour lists that systems must carry."""
    lists: list[NeighborListOptions] = model.requested_neighbor_lists()
    return lists


def predict_systems(
    call: Call, systems: Sequence[System], asked: Asked, pairs: Tensor | None = None
) -> tuple[dict[str, Target], dict[str, Tensor]]:
    """Physical totals of the targets, with their derivatives, and the features.

    Energies have forces and strain, other targets those of their ``gradients``.

    :param systems: with neighbour lists, in the model's precision and on its device.
    :param pairs: [P, 6] of which values of pairs are wanted, see ``PairRows.samples``.
    :raises ArchitectureError: an output has not one row for each structure or atom, or not the
        components of its kind.
    """
    unit = torch.eye(3, dtype=systems[0].positions.dtype, device=systems[0].positions.device)
    strain = unit.repeat(len(systems), 1, 1).requires_grad_(True)
    positions = [system.positions.detach().requires_grad_(True) for system in systems]
    strained = [_strained(*each) for each in zip(systems, positions, strain, strict=True)]
    n_atoms = [len(system) for system in systems]
    found = call(strained)
    predictions = {}
    for name, target in asked.targets.items():
        if target.per_pair:
            assert pairs is not None, "values of pairs are of given pairs"
            values = values_of_pairs(name, found[name], target, pairs)
        else:
            values = _values(name, found[name], n_atoms, target)
        forces, strain_gradient = None, None
        # a constant has no derivative to speak of, and several energies have no single one
        if target.is_energy and values.shape[1] == 1 and values.requires_grad:
            forces, strain_gradient = _derivatives(values, positions, strain)
            forces = -forces
        elif target.gradients and not target.is_energy:
            forces, strain_gradient = _of_components(values, target, positions, strain)
        predictions[name] = Target(values.detach().double(), forces, strain_gradient)
    n = len(systems) if asked.sample_kind == "system" else sum(n_atoms)
    return predictions, {name: feature_rows(name, found[name], n) for name in asked.features}


def _derivatives(
    values: Tensor, positions: Sequence[Tensor], strain: Tensor
) -> tuple[Tensor, Tensor]:
    """Of the sum of ``values``: by the positions [n_atoms, 3], by a symmetric strain [n, 3, 3]."""
    leaves = [*positions, strain]
    *by_position, by_strain = torch.autograd.grad(
        values.sum(), leaves, retain_graph=True, allow_unused=True, materialize_grads=True
    )
    return torch.cat(by_position), (by_strain + by_strain.transpose(1, 2)) / 2


def _of_components(
    values: Tensor, target: TargetInfo, positions: Sequence[Tensor], strain: Tensor
) -> tuple[Tensor | None, Tensor | None]:
    """Derivatives of every number of a sample, in the form of :class:`mtt.graph.Target`."""
    columns = values.flatten(1).unbind(1)
    if not values.requires_grad:  # constants
        columns = tuple(0.0 * (column + strain.sum(dim=(1, 2))) for column in columns)
    found = [_derivatives(column, positions, strain) for column in columns]
    forces, strains = (torch.stack(parts, -1) for parts in zip(*found, strict=True))
    shape = target.gradient_shape
    sign = -1.0 if target.is_number else 1.0
    return (
        sign * forces.reshape(*forces.shape[:2], *shape) if target.has_forces else None,
        strains.reshape(*strains.shape[:3], *shape) if target.has_strain else None,
    )


def _strained(system: System, positions: Tensor, strain: Tensor) -> System:
    """``system`` as a function of ``positions`` and ``strain``, with all that it carries."""
    result = System(system.types, positions @ strain, system.cell @ strain, system.pbc)
    for options in system.known_neighbor_lists():
        pairs = system.get_neighbor_list(options)
        block = TensorBlock(
            pairs.values.detach().clone(), pairs.samples, pairs.components, pairs.properties
        )
        register_autograd_neighbors(result, block, False)
        result.add_neighbor_list(options, block)
    for name in system.known_data():
        result.add_data(name, system.get_data(name))
    return result


def _values(name: str, tensor: TensorMap, n_atoms: Sequence[int], target: TargetInfo) -> Tensor:
    """Values [n, *components, properties] of the target's kind.

    :raises ArchitectureError: not one row for each structure or atom, or other components.
    """
    kind = target.of_kind
    if len(kind.blocks) == 1 and not kind.elements:  # keys may be other ones, elements say
        parts = [tensor.blocks()]
    else:
        parts = [tensor.blocks(_key(kind, block.key).to(tensor.device)) for block in kind.blocks]
    if not all(parts):
        keys = ", ".join(kind.key_names)
        raise ArchitectureError(f"the model gave {name!r} without all blocks ({keys}) of its kind")
    if kind.elements:
        rows = [_rows_of_atoms(block, n_atoms) for blocks in parts for block in blocks]
    else:
        rows = [_rows(name, blocks, n_atoms, target.per_atom) for blocks in parts]
    try:
        return kind.joined(rows)
    except RuntimeError as error:
        shapes = ", ".join(str(list(row.shape[1:])) for row in rows)
        what = f"the model gave {shapes} numbers for a sample of {name!r}, a {kind.name}"
        raise ArchitectureError(what) from error


def _key(kind: TargetKind, key: Sequence[int]) -> Labels:
    return Labels(list(kind.key_names), torch.tensor([list(key)]))


def _rows_of_atoms(block: TensorBlock, n_atoms: Sequence[int]) -> Tensor:
    """[Σ n_atoms, numbers of an atom] of a block that some of the atoms have; zero for others."""
    counts = torch.tensor(n_atoms, device=block.values.device)
    first = counts.cumsum(0) - counts
    places = first[block.samples.column("system").long()] + block.samples.column("atom").long()
    values = block.values.reshape(len(places), math.prod(block.values.shape[1:]))
    rows = values.new_zeros(int(counts.sum()), values.shape[1])
    filled: Tensor = rows.index_copy(0, places, values)
    return filled


def _rows(
    name: str, blocks: Sequence[TensorBlock], n_atoms: Sequence[int], per_atom: bool
) -> Tensor:
    """[n, numbers of a sample], one row for each structure or atom, in their order.

    Blocks may each hold some of the samples (one block per element, say).
    """
    counts = torch.tensor(n_atoms)
    first = counts.cumsum(0) - counts
    places, values = [], []
    for block in blocks:
        place = block.samples.column("system").long()
        if per_atom:
            place = first.to(place.device)[place] + block.samples.column("atom").long()
        places.append(place)
        values.append(block.values.reshape(len(place), -1))
    order = torch.cat(places)
    n = int(counts.sum()) if per_atom else len(n_atoms)
    if not torch.equal(order.sort().values, torch.arange(n, device=order.device)):
        what = "atom" if per_atom else "structure"
        raise ArchitectureError(f"the model gave {len(order)} rows of {name!r}, not one per {what}")
    return torch.cat(values)[order.argsort()]
