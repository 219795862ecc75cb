"""The base class of models whose predictions are sums over atoms, energies above all."""

from typing import Any, ClassVar, Dict, List, Optional, Self, Sequence

import torch
from ase import Atoms
from metatensor.torch import Labels, TensorMap
from metatomic.torch import AtomisticModel, ModelMetadata, ModelOutput, NeighborListOptions, System
from torch import Tensor

from mtt.baselines.exact import ExactTable
from mtt.baselines.prior import start_values
from mtt.checkpoint import upgrade_by_folder
from mtt.data import Dataset
from mtt.data.info import DatasetInfo
from mtt.errors import ArchitectureError
from mtt.graph import Graph, Graphs, Target
from mtt.interface import Context
from mtt.mlip.aggregation import BuiltForNetwork, Readout, labels_info, with_logits
from mtt.mlip.checkpointing import StoredModel, restarted_info
from mtt.mlip.fitting import fit_tables, largest_cutoff, make_prior, make_zbl, offsets_of
from mtt.mlip.inputs.statistics import scale_inputs
from mtt.mlip.inputs.taking import TakesInputs
from mtt.mlip.metatomic_model import as_outputs, exported, outputs_of
from mtt.mlip.networks import Network, PlainNetwork
from mtt.mlip.outputs.feature_model import FeatureModel
from mtt.mlip.outputs.features import asks_for, feature_outputs
from mtt.mlip.outputs.gradients import Gradients, differentiated, totals, with_gradients
from mtt.mlip.outputs.pair_targets import PairTargets
from mtt.mlip.physics import plus, scaled, scaled_slopes, without_atoms
from mtt.mlip.support import check_targets
from mtt.mlip.systems import list_of, seen_pairs, systems_to_graph, type_index_of
from mtt.mlip.tensor_map import Layout, ends_of, layouts_of, own_numbers
from mtt.options.training.baselines import BaselineOptions, BaselinesAsked


class MLIPModel(TakesInputs, FeatureModel, metaclass=BuiltForNetwork):
    """Everything of the contract but the network.

    An author writes ``__init__``, which sets ``self.cutoff``, and one method: either

    - ``atomic_energies(graph) -> Tensor [n_atoms]``, for one energy target, or
    - ``predict(graph) -> Dict[str, Tensor [n_atoms, *target.shape]]`` for all targets of
      ``dataset_info`` (of pairs ``[P, *target.shape]``); structures follow by ``aggregation``.

    Both return the network's own numbers, in its precision. :meth:`predict_targets` adds scales,
    baselines, float64 sums and derivatives; engines call :meth:`forward`, and differentiate.

    :raises ArchitectureError: the data hold a target that ``__supported_targets__`` lacks.
    """

    __supported_targets__: ClassVar[Sequence[str]] = ("energy",)
    """``"energy"``; ``"scalar"``, ``"scalar per atom"``, ``"scalar per pair"``; so all kinds."""

    __no_weight_decay__: ClassVar[Sequence[str]] = ()
    """Parameters (``*`` for any text) without weight decay, as biases, norms and priors are."""

    __target_hypers__: ClassVar[Sequence[str]] = ()
    """Options of the model that are mappings from targets: those of new targets are free."""
    __jit_unused_properties__: ClassVar[List[str]] = ["dtype", "device", "scales"]

    type_index: Tensor
    own_numbers: Tensor
    precision: Tensor  # empty; follows every .to(dtype): its dtype is the network's precision
    cutoff: float
    """Radius of the neighbour list, in ``dataset_info.length_unit``."""
    finetuning: Optional[Dict[str, Any]] = None
    """What fine-tuning has done to the module: frozen parameters, low-rank corrections."""
    element_history: Optional[List[List[int]]] = None
    """The atomic numbers that the weights knew before more came, the first lists first."""

    def __init__(
        self,
        hypers: Dict[str, Any],
        dataset_info: DatasetInfo,
        metadata: Optional[ModelMetadata] = None,
    ) -> None:
        seen, dataset_info = dataset_info.targets, labels_info(dataset_info)
        super().__init__(hypers, dataset_info, metadata)
        single, targets = type(self).predict is MLIPModel.predict, dataset_info.targets
        check_targets(type(self).__name__, self.__supported_targets__, single, dataset_info)
        self.target_names: List[str] = list(targets)
        self.energy_names: List[str] = [n for n, t in targets.items() if t.is_energy]
        self.per_atom: Dict[str, bool] = {n: t.per_atom for n, t in targets.items()}
        self.poolings: Dict[str, str] = {n: t.pooling for n, t in targets.items()}
        self.sample_shapes: Dict[str, List[int]] = {n: list(t.shape) for n, t in seen.items()}
        self.label_shapes: Dict[str, List[int]] = {n: list(t.shape) for n, t in targets.items()}
        self.tensor_layouts: Dict[str, Layout] = layouts_of(dataset_info)
        self.ends: List[int] = ends_of(dataset_info)  # of the columns of all targets
        self.composition = ExactTable(torch.zeros(len(dataset_info.atomic_types), self.ends[-1]))
        self.scale = ExactTable(torch.ones(len(targets)))
        self.readout, self.pair_targets = Readout(dataset_info), PairTargets(dataset_info)
        self.zbl, self.prior = make_zbl(hypers, dataset_info), make_prior(hypers, dataset_info)
        self.baseline_cutoff = largest_cutoff([self.zbl, self.prior])
        self.register_buffer("type_index", type_index_of(dataset_info.atomic_types), False)
        self.register_buffer("own_numbers", own_numbers(dataset_info), False)
        self.register_buffer("precision", torch.zeros(0), persistent=False)
        self.set_up_inputs(hypers, dataset_info)
        self.set_up_features(dataset_info)

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        """The network's numbers for every atom (pair), per target ``[n_atoms, *shape]``."""
        return {self.target_names[0]: self.atomic_energies(graph)}  # type: ignore[operator]

    def predict_targets(
        self,
        graph: Graph,
        *,
        create_graph: bool = False,
        all_gradients: bool = False,
        gradients: Optional[Gradients] = None,
        network: Optional[Network] = None,
    ) -> Dict[str, Target]:
        """Physical totals of every target, with forces and strain from one gradient.

        :param create_graph: keep what a loss needs to differentiate forces once more.
        :param all_gradients: forces and strain of every energy, also without labels of them.
        :param gradients: further derivatives, by target, that the model was made without.
        :param network: evaluates :meth:`predict`, see ``mtt.mlip.networks``; None: as written.
        :return: ``values`` float64; ``forces`` and ``strain`` in the network's precision.
        """
        infos = with_gradients(self.dataset_info.targets, gradients)
        if differentiated(infos, all_gradients):
            graph = graph._replace(vectors=graph.vectors.detach().requires_grad_(True))
        within = seen_pairs(graph, self.list_cutoff(), self.cutoff)
        raw, slopes = (PlainNetwork(self) if network is None else network)(within)
        known = scaled_slopes(slopes, within.vectors, self.target_names, self.scale.values)
        atomic = self._with_baselines(raw, graph)
        maps = self.readout.matrices(self.scale.values, self.composition.values)
        return totals(atomic, graph, infos, known, maps, create_graph, all_gradients)

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
        of = (list_of(self.list_cutoff()), self.type_index, self.precision.dtype)
        graph = self.with_inputs(systems_to_graph(systems, *of), systems)
        asked = (systems, outputs, selected_atoms)
        if asks_for(outputs, self.target_names):
            maps = self.readout.matrices(self.scale.values, self.composition.values)
            kinds, listed = (self.poolings, maps, self.tensor_layouts), self.list_cutoff()
            results = as_outputs(self._atomic_values(graph), graph, listed, *asked, *kinds)
        return self.with_features(results, graph, self.list_cutoff(), self.cutoff, *asked)

    # ------------------------------------------ hooks: what an author may override

    def prepare(self, graph: Graph) -> List[Tensor]:
        """What :meth:`predict_prepared` takes with the graph: tables of integers, above all.

        Override both where ``predict`` reads numbers out of tensors (``int(x)``, ``x.item()``,
        ``x[mask]``, sizes that depend on the data): this is what ``compile`` leaves out.
        """
        return []

    def predict_prepared(self, graph: Graph, prepared: List[Tensor]) -> Dict[str, Tensor]:
        """:meth:`predict`, given what :meth:`prepare` returned."""
        return self.predict(graph)

    def interaction_range(self) -> float:
        """Radius of an atom's surroundings; message passing multiplies the cutoff."""
        return self.list_cutoff()

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        return [list_of(self.list_cutoff())]

    def supported_outputs(self) -> Dict[str, ModelOutput]:
        return {**outputs_of(self.dataset_info), **feature_outputs(self.feature_names)}

    def extend_elements(self, name: str, known: Tensor, places: List[int]) -> Tensor:
        """The parameter or buffer ``name`` of this new model, which knows more elements.

        Predictions for the elements that were known must stay what they were.

        :param known: the same of the model that knew fewer.
        :param places: where its elements are among ``dataset_info.atomic_types``.
        :raises ArchitectureError: this architecture does not say how; the default.
        """
        raise ArchitectureError(f"{type(self).__name__} cannot learn more elements")

    def remember_elements(self, history: List[List[int]]) -> None:
        """Called when the model is built, and again whenever it is loaded.

        For what depends on the elements that were known before and is in no weight.

        :param history: see ``element_history``; not empty.
        """
        self.element_history = [list(elements) for elements in history]

    def look_at(self, graphs: Graphs) -> None:
        """Before a new training: take from its data, ``graphs()``, what the options leave to it."""

    @classmethod
    def platform_hypers(cls) -> Dict[str, Any]:
        """Options of every model on this class, whatever the schema of its folder says."""
        return {"prior": None, "inputs": None}

    def extra_repr(self) -> str:
        unit = self.dataset_info.length_unit
        return f"cutoff={self.cutoff} {unit}, {self.dtype}, {super().extra_repr()}"

    def restart(self, dataset_info: DatasetInfo) -> Self:
        of = (type(self).__name__, self.__supported_targets__, self.dataset_info)
        self.dataset_info = restarted_info(*of, dataset_info)
        return self

    def get_checkpoint(self) -> Dict[str, Any]:
        of = (self, self.dtype, self.finetuning, self.element_history)
        return StoredModel.of(*of).to_checkpoint(self.__checkpoint_version__)

    @classmethod
    def load_checkpoint(cls, checkpoint: Dict[str, Any], context: Context) -> Self:
        stored = StoredModel.from_checkpoint(checkpoint)
        model = cls(stored.hypers, stored.info)
        if stored.element_history is not None:
            model.remember_elements(stored.element_history)
        model.finetuning = stored.fill(model, context)
        return model

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: Dict[str, Any]) -> Dict[str, Any]:
        """Apply ``model_1_to_2`` … of the folder's ``upgrade.py``, one after the other."""
        return upgrade_by_folder(checkpoint, "model", cls)

    def export(
        self, metadata: Optional[ModelMetadata] = None, *, dtype: torch.dtype = torch.float64
    ) -> AtomisticModel:
        """This model for metatomic's engines; a copy, which shares nothing with this one.

        :param dtype: precision of positions and energies in engines. float64 keeps total
            energies exact; inside, the network keeps its own precision.
        """
        along_bonds = 0.0 if self.prior is None else float(self.prior.reach)
        return exported(self, max(self.interaction_range(), along_bonds), metadata, dtype)

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

    def list_cutoff(self) -> float:
        """Radius that the neighbour list must have: the network's, or that of a baseline."""
        return max(float(self.cutoff), self.baseline_cutoff)

    def fit_baselines(self, dataset: Dataset, options: BaselinesAsked) -> None:
        """Fit the start of the prior, then composition weights and scales to what it leaves over.

        :param options: training options, of which those of baselines and scales are read.
        """
        if self.prior is not None:
            start_values(self.prior, dataset)
        scale_inputs(self, dataset, self.input_names)
        of, asked = (dataset, self.dataset_info), BaselineOptions.of(options)
        weights, scales = fit_tables(*of, asked, self.offsets(dataset))
        self.composition.values.copy_(weights)
        self.scale.values.copy_(scales)

    def offsets(self, dataset: Dataset) -> Dict[str, Target]:
        """What ZBL and prior give for a data set, per energy target; nothing without them."""
        names, types = self.energy_names, self.dataset_info.atomic_types
        return offsets_of([self.zbl, self.prior], names, dataset, types, self.list_cutoff())

    def example_structures(self) -> List[Atoms]:
        """Structures to try the model on where any others might be refused; none if none are."""
        return [] if self.prior is None else self.prior.examples()

    def _atomic_values(self, graph: Graph) -> Dict[str, Tensor]:
        """Physical values of every atom, per target ``[n_atoms, *shape]`` float64."""
        if graph.types.shape[0] == 0:  # a network need not know what to do without any atom
            return without_atoms(self.readout.shapes, self.composition.values)
        within = seen_pairs(graph, self.list_cutoff(), self.cutoff)
        return self._with_baselines(self.predict(within), graph)

    def _with_baselines(self, raw: Dict[str, Tensor], graph: Graph) -> Dict[str, Tensor]:
        """Scales and baselines on the network's numbers: physical values, float64."""
        listed, scales = self.list_cutoff(), self.scale.values
        of_pairs = self.pair_targets(raw, graph, listed, float(self.cutoff), scales)
        raw, few, logits = self.readout(raw, graph.types)
        of = (self.target_names, self.label_shapes, scales, self.composition.values)
        values = scaled(raw, few, *of, self.own_numbers, graph.types)
        if self.zbl is not None:
            values = plus(values, self.energy_names, self.zbl(graph))
        if self.prior is not None:
            values = plus(values, self.energy_names, self.prior(graph))
        values.update(of_pairs)
        return with_logits(values, logits)
