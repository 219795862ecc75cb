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
    NeighborListOptions,
    System,
)
from torch import Tensor

from mtt.data.labels.units import is_declarable
from mtt.graph import Graph
from mtt.interface import ModelInterface
from mtt.mlip.free_units import with_units
from mtt.mlip.states import requested_states, with_states
from mtt.mlip.systems import atom_samples, scalar_map, selection_mask, systems_to_graph
from mtt.mlip.trainable.lora import merge_adapters


class Served(ModelInterface):
    """The part of the contract that is about ``System`` and ``TensorMap``."""

    type_index: Tensor
    precision: Tensor
    per_atom: Dict[str, bool]
    means: Dict[str, bool]
    state_inputs: bool

    def list_cutoff(self) -> float:
        """Radius that the neighbour list must have."""
        raise AssertionError("MLIPModel implements it")

    def baseline_range(self) -> float:
        """How far the energy of an atom sees by its baselines."""
        raise AssertionError("MLIPModel implements it")

    def atomic_values(self, graph: Graph) -> Dict[str, Tensor]:
        """Physical values of every atom, per target [n_atoms, properties] float64."""
        raise AssertionError("MLIPModel implements it")

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        options = NeighborListOptions(cutoff=self.list_cutoff(), full_list=True, strict=True)
        return [options]

    def requested_inputs(self) -> Dict[str, ModelOutput]:
        """What systems must carry beside the structure: charge and spin of some models."""
        return requested_states() if self.state_inputs else {}

    def supported_outputs(self) -> Dict[str, ModelOutput]:
        """Energies are declared per atom: engines then get them per structure, too.

        A unit that metatomic does not know goes to the metadata of the exported model alone.
        """
        return {
            name: ModelOutput(
                unit=target.unit if is_declarable(target.unit) else "",
                sample_kind="atom" if target.per_atom or target.is_energy else "system",
                description=target.description,
            )
            for name, target in self.dataset_info.targets.items()
        }

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        """metatomic's call. Energies come per structure or, if asked for, per atom."""
        results: Dict[str, TensorMap] = {}
        if len(systems) == 0 or len(outputs) == 0:
            return results
        options = NeighborListOptions(cutoff=self.list_cutoff(), full_list=True, strict=True)
        graph = systems_to_graph(systems, options, self.type_index, self.precision.dtype)
        if self.state_inputs:
            graph = with_states(graph, systems)
        samples = atom_samples(systems)
        selected = selection_mask(samples, selected_atoms)
        for name, atomic in self.atomic_values(graph).items():
            if name in outputs:
                per_atom = self.per_atom[name] or outputs[name].sample_kind == "atom"
                values = atomic.to(systems[0].positions.dtype)
                if graph.centers.shape[0] == 0:
                    # engines differentiate by the positions, whether there are neighbours or not
                    values = values + 0.0 * graph.positions.sum().to(values.dtype)
                of = (values, samples, selected, per_atom)
                results[name] = scalar_map(*of, name, len(systems), self.means[name])
        return results

    def interaction_range(self) -> float:
        """How far an atom's surroundings reach; message passing multiplies the cutoff."""
        return self.list_cutoff()

    def export(
        self, metadata: Optional[ModelMetadata] = None, *, dtype: torch.dtype = torch.float64
    ) -> AtomisticModel:
        """This model for metatomic's engines; a copy, which shares nothing with this one.

        :param dtype: precision of positions and energies at the door. float64 keeps total
            energies exact; inside, the network keeps its own precision.
        """
        capabilities = ModelCapabilities(
            outputs=self.supported_outputs(),
            atomic_types=list(self.dataset_info.atomic_types),
            interaction_range=max(self.interaction_range(), self.baseline_range()),
            length_unit=self.dataset_info.length_unit,
            supported_devices=self.__supported_devices__,
            dtype=str(dtype).removeprefix("torch."),
        )
        model = copy.deepcopy(self).to("cpu").eval()
        merge_adapters(model)
        metadata = self.metadata if metadata is None else metadata
        described = with_units(metadata, self.dataset_info.targets)
        return AtomisticModel(model, described, capabilities)
