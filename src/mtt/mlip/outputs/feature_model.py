"""What a model says of its parts: features of atoms, and heads that read them."""

from typing import Dict, List, Optional

import torch
from metatensor.torch import Labels, TensorMap
from metatomic.torch import ModelOutput, System
from torch import Tensor

from mtt.data.info import DatasetInfo
from mtt.graph import Graph
from mtt.interface import ModelInterface
from mtt.mlip.outputs.features import asks_for, feature_maps, feature_names
from mtt.mlip.systems import seen_pairs


class FeatureModel(ModelInterface):
    """A model that may say what its features and heads are."""

    feature_names: Dict[str, str]  # output to the key of atomic_features, and an empty entry

    def set_up_features(self, dataset_info: DatasetInfo) -> None:
        """Name the features that the model offers.

        :param dataset_info: with targets that the model can predict.
        """
        offered = type(self).atomic_features is not FeatureModel.atomic_features
        self.feature_names = feature_names(offered, dataset_info.targets)

    def atomic_features(self, graph: Graph) -> Dict[str, Tensor]:
        """Features of every atom, which no rotation changes: [n_atoms, n] each.

        An architecture that has some overrides this, and exported files and ``mtt eval`` offer
        them. They are computed only when they are asked for.

        :param graph: as :meth:`mtt.MLIPModel.predict` gets it, with at least one atom.
        :return: ``"feature"``, what all heads share; and by the name of every target whose kind is
            invariant, what the last layer of its head is linear in.
        """
        nothing: Dict[str, Tensor] = {}
        return nothing

    def head_modules(self) -> Dict[str, List[str]]:
        """Names of the modules or parameters that serve only one target, by target.

        The same kinds in the same order for every target. Empty: unknown.
        """
        return {}

    def with_features(
        self,
        results: Dict[str, TensorMap],
        graph: Graph,
        listed: float,
        cutoff: float,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels],
    ) -> Dict[str, TensorMap]:
        """``results`` with the features that ``outputs`` asks for; TorchScript.

        :param listed: radius of the neighbour list of ``graph``, at least ``cutoff``.
        """
        if asks_for(outputs, list(self.feature_names.keys())):
            found: Dict[str, Tensor] = {}
            if graph.types.shape[0] > 0:
                found = self.atomic_features(seen_pairs(graph, listed, cutoff))
            names = self.feature_names
            results.update(feature_maps(found, names, graph, systems, outputs, selected_atoms))
        return results

    @torch.jit.unused
    @torch.no_grad()
    def features_of(self, graph: Graph, listed: float, cutoff: float) -> Dict[str, Tensor]:
        """Output to [n_atoms, n] features of the atoms of ``graph``, detached.

        :param listed: radius of the neighbour list of ``graph``, at least ``cutoff``.
        """
        found = self.atomic_features(seen_pairs(graph, listed, cutoff))
        return {output: found[key].detach() for output, key in self.feature_names.items() if output}
