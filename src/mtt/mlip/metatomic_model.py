"""A model as metatomic's engines call it, and its export."""

import copy
from typing import Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    System,
)
from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.data.labels.units import declared
from mtt.graph import Graph
from mtt.interface import ModelInterface
from mtt.mlip.aggregation.pool import of_atoms
from mtt.mlip.inputs.stored import with_inputs
from mtt.mlip.inputs.taking import TakesInputs
from mtt.mlip.outputs.pair_targets import of_pairs, pair_samples
from mtt.mlip.systems import atom_samples, selection_mask
from mtt.mlip.tensor_map import Layout, of_samples, tensor_map
from mtt.mlip.trainable.lora import merge_adapters
from mtt.mlip.undeclared import with_undeclared


def outputs_of(info: DatasetInfo) -> Dict[str, ModelOutput]:
    """Energies are declared per atom: engines then get them per structure, too.

    A unit that metatomic does not know goes to the metadata of the exported model alone.
    """
    return {
        name: ModelOutput(
            unit=declared(target.unit),
            sample_kind="atom" if target.is_energy else target.sample_kind,
            description=target.description,
        )
        for name, target in info.targets.items()
    }


def as_outputs(
    predicted: Dict[str, Tensor],
    graph: Graph,
    listed: float,
    systems: List[System],
    outputs: Dict[str, ModelOutput],
    selected_atoms: Optional[Labels],
    poolings: Dict[str, str],
    maps: Dict[str, Tensor],
    layouts: Dict[str, Layout],
) -> Dict[str, TensorMap]:
    """The requested ``outputs``, per structure, pair or, if asked for, per atom; TorchScript.

    :param predicted: per target the physical values of the atoms, [n_atoms, *components,
        properties], or of the pairs; see :func:`mtt.mlip.aggregation.pool.pooled`.
    :param graph: of ``systems``; at least one.
    :param listed: radius of the neighbour list that it is made of.
    :param poolings: how each target is made of its atoms, see :attr:`mtt.TargetInfo.pooling`.
    :param maps: see :meth:`mtt.mlip.aggregation.readout.Readout.matrices`.
    :param layouts: blocks and labels of every target.
    """
    results: Dict[str, TensorMap] = {}
    samples = atom_samples(systems)
    selected = selection_mask(samples, selected_atoms)
    for name, atomic in predicted.items():
        if name in outputs:
            pooling = poolings[name]
            if outputs[name].sample_kind == "atom":
                atomic, pooling = of_atoms(atomic, pooling), "atom"
            values = atomic.to(systems[0].positions.dtype)
            if graph.centers.shape[0] == 0:
                # engines differentiate by the positions, whether there are neighbours or not
                values = values + 0.0 * graph.positions.sum().to(values.dtype)
            if pooling == "pair":
                pairs = pair_samples(systems, listed)
                values, labels, first, second = of_pairs(values, graph, pairs, selected)
                results[name] = tensor_map(values, labels, layouts[name], first, second)
                continue
            of = (values, samples, selected, pooling, len(systems))
            values, labels = of_samples(*of)
            if name in maps:
                values = values @ maps[name].to(values.dtype)
            types = graph.types if selected is None else graph.types[selected]
            results[name] = tensor_map(values, labels, layouts[name], types)
    return results


def exported(
    model: ModelInterface,
    interaction_range: float,
    metadata: Optional[ModelMetadata],
    dtype: torch.dtype,
) -> AtomisticModel:
    """``model`` for metatomic's engines; a copy, which shares nothing with it.

    :param interaction_range: how far the energy of an atom depends on others, baselines included.
    :param metadata: None for the model's own.
    :param dtype: precision of the positions that engines give, and of the energies they get.
    """
    capabilities = ModelCapabilities(
        outputs=model.supported_outputs(),
        atomic_types=list(model.dataset_info.atomic_types),
        interaction_range=interaction_range,
        length_unit=model.dataset_info.length_unit,
        supported_devices=model.__supported_devices__,
        dtype=str(dtype).removeprefix("torch."),
    )
    alone = copy.deepcopy(model).to("cpu").eval()
    merge_adapters(alone)
    alone.before_export()
    metadata = model.metadata if metadata is None else metadata
    metadata = with_undeclared(metadata, model.dataset_info.targets)
    if isinstance(model, TakesInputs):
        metadata = with_inputs(metadata, model)
    return AtomisticModel(alone, metadata, capabilities)
