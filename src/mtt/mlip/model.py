"""The base class of models whose predictions are sums over atoms, energies above all."""

import copy
from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Mapping, Optional, Sequence

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

from mtt.baselines.exact import ExactTable
from mtt.checkpoint import metadata_from_dict, metadata_to_dict, upgrade_steps
from mtt.data.info import DatasetInfo
from mtt.graph import Graph, Target
from mtt.interface import Context, ModelInterface
from mtt.mlip.derivatives import detached, forces, pair_gradient, strain
from mtt.mlip.fitting import fit_scales, fit_weights, make_zbl, zbl_energies
from mtt.mlip.steps import folder_steps
from mtt.mlip.support import check_restart, check_targets
from mtt.mlip.systems import (
    atom_samples,
    pairs_within,
    scalar_map,
    selection_mask,
    systems_to_graph,
)

if TYPE_CHECKING:
    from mtt.data import Dataset


class MLIPModel(ModelInterface):
    """Everything of the contract but the physics.

    An author writes ``__init__``, which sets ``self.cutoff``, and one method: either

    - ``atomic_energies(graph) -> Tensor [n_atoms]``, for one energy target, or
    - ``predict(graph) -> Dict[str, Tensor [n_atoms, properties]]`` with an entry for every
      target of ``dataset_info``; values of structures are summed over their atoms.

    Both return the network's own numbers, in the network's precision. This class multiplies
    them by the scale of the target and adds the baselines (composition, ZBL) in float64.

    :raises ArchitectureError: the data hold a target that ``__supported_targets__`` lacks.
    """

    __supported_targets__: ClassVar[Sequence[str]] = ("energy",)
    """What can be learnt: ``"energy"``, ``"scalar"`` (of structures), ``"scalar per atom"``."""

    __jit_unused_properties__: ClassVar[List[str]] = ["dtype", "device", "scales"]

    type_index: Tensor
    precision: Tensor

    cutoff: float
    """Radius of the neighbour list, in ``dataset_info.length_unit``."""

    def __init__(
        self,
        hypers: Dict[str, Any],
        dataset_info: DatasetInfo,
        metadata: Optional[ModelMetadata] = None,
    ) -> None:
        super().__init__(hypers, dataset_info, metadata)
        single = type(self).predict is MLIPModel.predict
        check_targets(type(self).__name__, self.__supported_targets__, single, dataset_info)
        targets = dataset_info.targets
        self.target_names: List[str] = list(targets)
        self.energy_names: List[str] = [n for n, t in targets.items() if t.is_energy]
        self.per_atom: Dict[str, bool] = {n: t.per_atom for n, t in targets.items()}
        # all targets side by side: [n_types, Σ properties] and [n_targets]
        widths = [target.properties for target in targets.values()]
        self.ends: List[int] = torch.tensor(widths).cumsum(0).tolist()
        self.composition = ExactTable(torch.zeros(len(dataset_info.atomic_types), sum(widths)))
        self.scale = ExactTable(torch.ones(len(targets)))
        self.zbl = make_zbl(hypers, dataset_info)
        index = torch.full([max(dataset_info.atomic_types) + 1], -1, dtype=torch.long)
        index[list(dataset_info.atomic_types)] = torch.arange(len(dataset_info.atomic_types))
        self.register_buffer("type_index", index, persistent=False)
        # follows every .to(dtype), and so always tells the network's precision
        self.register_buffer("precision", torch.zeros(0), persistent=False)

    # ---------------------------------------------------------------- physics

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        """The network's numbers for every atom, per target [n_atoms, properties]."""
        return {self.target_names[0]: self.atomic_energies(graph)}  # type: ignore[operator]

    def atomic_values(self, graph: Graph) -> Dict[str, Tensor]:
        """Physical values of every atom, per target [n_atoms, properties] float64."""
        raw = self.predict(self.within_cutoff(graph))
        baseline = self.composition(graph.types)
        values: Dict[str, Tensor] = {}
        start = 0
        for i, name in enumerate(self.target_names):
            end = self.ends[i]
            network = raw[name]
            if network.dim() == 1:
                network = network[:, None]
            scaled = network.to(torch.float64) * self.scale.values[i]
            values[name] = scaled + baseline[:, start:end]
            start = end
        if self.zbl is not None:
            repulsion = self.zbl(graph).to(torch.float64)[:, None]
            for name in self.energy_names:
                values[name] = values[name] + repulsion
        return values

    def list_cutoff(self) -> float:
        """Radius that the neighbour list must have: the network's, or the ZBL baseline's."""
        cutoff = float(self.cutoff)
        if self.zbl is not None:
            cutoff = max(cutoff, float(self.zbl.cutoff))
        return cutoff

    def within_cutoff(self, graph: Graph) -> Graph:
        """``graph`` with the pairs that the network may see."""
        if self.list_cutoff() <= self.cutoff:
            return graph
        return pairs_within(graph, self.cutoff)

    def predict_targets(
        self, graph: Graph, *, create_graph: bool = False, all_gradients: bool = False
    ) -> Dict[str, Target]:
        """Physical totals of every target, with forces and strain from one gradient.

        :param create_graph: keep what a loss needs to differentiate forces once more.
        :param all_gradients: forces and strain of every energy, also where the data that
            the model was made for have no labels of them.
        :return: ``values`` float64; ``forces`` and ``strain`` in the network's precision.
        """
        infos = self.dataset_info.targets
        wanted = [name for name in self.energy_names if all_gradients or infos[name].gradients]
        if wanted:
            graph = graph._replace(vectors=graph.vectors.detach().requires_grad_(True))
        predictions: Dict[str, Target] = {}
        for name, atomic in self.atomic_values(graph).items():
            values = atomic
            if not self.per_atom[name]:
                zeros = atomic.new_zeros(graph.n_systems, atomic.shape[1])
                values = zeros.index_add(0, graph.system, atomic)
            predictions[name] = Target(values)
        for name in wanted:
            values = predictions[name].values
            gradient = pair_gradient(values, graph, create_graph)
            both = all_gradients or infos[name].has_strain
            predictions[name] = Target(
                values,
                forces(gradient, graph) if all_gradients or infos[name].has_forces else None,
                strain(gradient, graph) if both else None,
            )
        if not create_graph:
            return {name: detached(target) for name, target in predictions.items()}
        return predictions

    # --------------------------------------------------------------- training

    @property
    def dtype(self) -> torch.dtype:
        """The network's precision."""
        return self.precision.dtype

    @property
    def device(self) -> torch.device:
        return self.precision.device

    @property
    def scales(self) -> Dict[str, float]:
        """The scale of each target, in its unit (of its forces, where it has some)."""
        return dict(zip(self.target_names, self.scale.values.tolist(), strict=True))

    def fit_baselines(self, dataset: "Dataset", hypers: Mapping[str, Any]) -> None:
        """Fit composition weights (least squares, float64) and scales to a training set.

        :param hypers: training options: ``atomic_baseline``, ``scale_targets``,
            ``fixed_scaling_weights``.
        """
        given = hypers.get("atomic_baseline") or {}
        offset = self._zbl_energies(dataset)
        weights = fit_weights(dataset, self.dataset_info, given, offset)
        scales = fit_scales(dataset, self.dataset_info, weights, hypers)
        columns = torch.cat([weights[name] for name in self.target_names], dim=1)
        self.composition.values.copy_(columns)
        ordered = [scales[name] for name in self.target_names]
        self.scale.values.copy_(torch.tensor(ordered, dtype=torch.float64))

    def _zbl_energies(self, dataset: "Dataset") -> Dict[str, Tensor]:
        if self.zbl is None:
            return {}
        types = self.dataset_info.atomic_types
        energies = zbl_energies(self.zbl, dataset, types, self.list_cutoff())
        return dict.fromkeys(self.energy_names, energies)

    def restart(self, dataset_info: DatasetInfo) -> "MLIPModel":
        """This model, for other data of the same targets and elements.

        :raises ArchitectureError: elements, targets or units that the model does not know.
        """
        check_restart(self.dataset_info, dataset_info)
        check_targets(type(self).__name__, self.__supported_targets__, False, dataset_info)
        # the data decide which derivatives have labels; the model stays what it is
        self.dataset_info = self.dataset_info.with_targets(
            {**self.dataset_info.targets, **dataset_info.targets}
        )
        return self

    def get_checkpoint(self) -> Dict[str, Any]:
        """The model in tensors and plain types; see ``mtt.checkpoint`` for the keys."""
        return {
            "model_ckpt_version": self.__checkpoint_version__,
            "metadata": metadata_to_dict(self.metadata),
            "dataset_info": self.dataset_info.to_dict(),
            "model_hypers": copy.deepcopy(self.hypers),
            "model_dtype": str(self.dtype).removeprefix("torch."),
            "model_state_dict": {k: v.detach().clone() for k, v in self.state_dict().items()},
            "best_model_state_dict": None,
        }

    @classmethod
    def load_checkpoint(cls, checkpoint: Dict[str, Any], context: Context) -> "MLIPModel":
        """The model in ``checkpoint``: latest weights to restart, the best ones otherwise."""
        model = cls(checkpoint["model_hypers"], DatasetInfo.from_dict(checkpoint["dataset_info"]))
        model.metadata = metadata_from_dict(checkpoint["metadata"])
        model.to(getattr(torch, checkpoint["model_dtype"]))
        latest, best = checkpoint["model_state_dict"], checkpoint["best_model_state_dict"]
        model.load_state_dict(latest if context == "restart" or best is None else best)
        return model

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: Dict[str, Any]) -> Dict[str, Any]:
        """Apply ``model_1_to_2`` … of the folder's ``upgrade.py``, one after the other."""
        return upgrade_steps(checkpoint, "model", cls.__checkpoint_version__, folder_steps(cls))

    # ---------------------------------------------------------------- metatomic

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        options = NeighborListOptions(cutoff=self.list_cutoff(), full_list=True, strict=True)
        return [options]

    def supported_outputs(self) -> Dict[str, ModelOutput]:
        return {
            name: ModelOutput(
                unit=target.unit,
                sample_kind="atom" if target.per_atom else "system",
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
        samples = atom_samples(systems)
        selected = selection_mask(samples, selected_atoms)
        for name, atomic in self.atomic_values(graph).items():
            if name in outputs:
                per_atom = self.per_atom[name] or outputs[name].sample_kind == "atom"
                values = atomic.to(systems[0].positions.dtype)
                results[name] = scalar_map(values, samples, selected, per_atom, name)
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
            interaction_range=self.interaction_range(),
            length_unit=self.dataset_info.length_unit,
            supported_devices=self.__supported_devices__,
            dtype=str(dtype).removeprefix("torch."),
        )
        model = copy.deepcopy(self).to("cpu").eval()
        return AtomisticModel(model, self.metadata if metadata is None else metadata, capabilities)
