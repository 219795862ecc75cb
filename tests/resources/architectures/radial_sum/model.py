from typing import Any, Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)

from mtt import DatasetInfo, ModelInterface


class RadialSum(ModelInterface):
    """Energy of an atom: a linear map of Gaussians of the distances to its neighbours."""

    __checkpoint_version__ = 1
    __supported_devices__ = ["cpu"]
    __supported_dtypes__ = [torch.float64, torch.float32]
    __default_metadata__ = ModelMetadata(name="radial sum")
    __conformance_exceptions__ = {
        "targets that cannot be learnt are refused": "it takes everything for an energy",
        "second derivatives are continuous at the cutoff": "its cutoff function is a cosine",
        "a restart refuses unknown elements and targets": "it goes on as it is",
        "engines may ask for some of the atoms": "it gives the energy of whole structures only",
    }

    def __init__(self, hypers: Dict[str, Any], dataset_info: DatasetInfo) -> None:
        super().__init__(hypers, dataset_info)
        (self.target,) = dataset_info.targets
        self.cutoff = float(hypers["cutoff"])
        n = int(hypers["num_gaussians"])
        self.register_buffer("centers", torch.linspace(0.5, self.cutoff, n))
        self.linear = torch.nn.Linear(n, 1, bias=False)
        self.shift = torch.nn.Parameter(torch.zeros(max(dataset_info.atomic_types) + 1))

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        return [NeighborListOptions(cutoff=self.cutoff, full_list=False, strict=True)]

    def supported_outputs(self) -> Dict[str, ModelOutput]:
        unit = self.dataset_info.targets[self.target].unit
        return {self.target: ModelOutput(unit=unit, sample_kind="system")}

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        results: Dict[str, TensorMap] = {}
        if self.target not in outputs:
            return results
        options = NeighborListOptions(cutoff=self.cutoff, full_list=False, strict=True)
        energies: List[torch.Tensor] = []
        for system in systems:
            distances = torch.linalg.vector_norm(system.get_neighbor_list(options).values, dim=1)
            smooth = 0.5 * (1.0 + torch.cos(distances * (torch.pi / self.cutoff)))
            features = torch.exp(-4.0 * (distances - self.centers) ** 2) * smooth
            atoms = self.shift[system.types.to(torch.long)].sum()
            energies.append(self.linear(features).sum() + atoms)
        n = len(systems)
        block = TensorBlock(
            values=torch.stack(energies).reshape(n, 1),
            samples=Labels(["system"], torch.arange(n, dtype=torch.int32).reshape(n, 1)),
            components=torch.jit.annotate(List[Labels], []),
            properties=Labels(["energy"], torch.zeros(1, 1, dtype=torch.int32)),
        )
        keys = Labels(["_"], torch.zeros(1, 1, dtype=torch.int32))
        results[self.target] = TensorMap(keys, [block])
        return results

    def restart(self, dataset_info: DatasetInfo) -> "RadialSum":
        return self

    def get_checkpoint(self) -> Dict[str, Any]:
        return {
            "model_ckpt_version": self.__checkpoint_version__,
            "hypers": self.hypers,
            "info": self.dataset_info.to_dict(),
            "weights": self.state_dict(),
        }

    @classmethod
    def load_checkpoint(cls, checkpoint: Dict[str, Any], context: str) -> "RadialSum":
        model = cls(checkpoint["hypers"], DatasetInfo.from_dict(checkpoint["info"]))
        weights = checkpoint["weights" if context == "restart" else "best_weights"]
        model.to(weights["shift"].dtype).load_state_dict(weights)
        return model

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: Dict[str, Any]) -> Dict[str, Any]:
        return checkpoint

    def export(self, metadata: Optional[ModelMetadata] = None) -> AtomisticModel:
        metadata = self.metadata if metadata is None else metadata
        capabilities = ModelCapabilities(
            outputs=self.supported_outputs(),
            atomic_types=list(self.dataset_info.atomic_types),
            interaction_range=self.cutoff,
            length_unit=self.dataset_info.length_unit,
            supported_devices=self.__supported_devices__,
            dtype=str(self.shift.dtype).removeprefix("torch."),
        )
        return AtomisticModel(self.eval(), metadata, capabilities)
