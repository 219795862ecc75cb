"""The base class of models whose predictions are sums over atoms, energies above all."""

from typing import TYPE_CHECKING, Any, ClassVar, Dict, List, Mapping, Optional, Sequence

import torch
from metatomic.torch import ModelMetadata
from torch import Tensor

from mtt.baselines.exact import ExactTable
from mtt.baselines.prior import Molecules, start_values
from mtt.data.info import DatasetInfo
from mtt.graph import Graph, Target
from mtt.mlip.checkpointing import Stored
from mtt.mlip.derivatives import Slope, detached, forces, pair_gradient, strain
from mtt.mlip.fitting import fit_scales, fit_weights, make_prior, make_zbl, offset_of
from mtt.mlip.metatomic_model import Served
from mtt.mlip.support import check_targets
from mtt.mlip.systems import pairs_within

if TYPE_CHECKING:
    from ase import Atoms

    from mtt.data import Dataset
    from mtt.mlip.compiled import CompiledNetwork


class MLIPModel(Served, Stored):
    """Everything of the contract but the physics.

    An author writes ``__init__``, which sets ``self.cutoff``, and one method: either

    - ``atomic_energies(graph) -> Tensor [n_atoms]``, for one energy target, or
    - ``predict(graph) -> Dict[str, Tensor [n_atoms, properties]]`` with an entry for every
      target of ``dataset_info``; values of structures are summed over their atoms, or are
      their mean where the target is not extensive.

    Both return the network's own numbers, in the network's precision. This class multiplies
    them by the scale of the target and adds the baselines (composition, ZBL, a prior) in float64.

    :raises ArchitectureError: the data hold a target that ``__supported_targets__`` lacks.
    """

    __supported_targets__: ClassVar[Sequence[str]] = ("energy",)
    """What can be learnt: ``"energy"``, ``"scalar"`` (of structures), ``"scalar per atom"``."""

    __no_weight_decay__: ClassVar[Sequence[str]] = ()
    """Names of parameters (``*`` for any text) that weight decay does not act on, besides
    biases, normalisations and priors."""

    __jit_unused_properties__: ClassVar[List[str]] = ["dtype", "device", "scales"]

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
        self.means: Dict[str, bool] = {n: t.is_mean for n, t in targets.items()}
        # all targets side by side: [n_types, Σ properties] and [n_targets]
        widths = [target.properties for target in targets.values()]
        self.ends: List[int] = torch.tensor(widths).cumsum(0).tolist()
        self.composition = ExactTable(torch.zeros(len(dataset_info.atomic_types), sum(widths)))
        self.scale = ExactTable(torch.ones(len(targets)))
        self.zbl = make_zbl(hypers, dataset_info)
        self.prior = make_prior(hypers, dataset_info)
        index = torch.full([max(dataset_info.atomic_types) + 1], -1, dtype=torch.long)
        index[list(dataset_info.atomic_types)] = torch.arange(len(dataset_info.atomic_types))
        self.register_buffer("type_index", index, persistent=False)
        # follows every .to(dtype), and so always tells the network's precision
        self.register_buffer("precision", torch.zeros(0), persistent=False)
        self.autocast: Optional[torch.dtype] = None
        # whether predictions depend on graph.charges and graph.spins
        self.state_inputs = False
        # in place of predict, where derivatives are differentiated again
        self.compiled: Optional[CompiledNetwork] = None

    def extra_repr(self) -> str:
        unit = self.dataset_info.length_unit
        return f"cutoff={self.cutoff} {unit}, {self.dtype}, {super().extra_repr()}"

    # ---------------------------------------------------------------- physics

    def predict(self, graph: Graph) -> Dict[str, Tensor]:
        """The network's numbers for every atom, per target [n_atoms, properties]."""
        return {self.target_names[0]: self.atomic_energies(graph)}  # type: ignore[operator]

    def predict_in_precision(self, graph: Graph) -> Dict[str, Tensor]:
        """:meth:`predict`, in mixed precision where ``autocast`` says so."""
        if torch.jit.is_scripting():
            return self.predict(graph)
        with torch.autocast(self.device.type, self.autocast, enabled=self.autocast is not None):
            return self.predict(graph)

    def prepare(self, graph: Graph) -> List[Tensor]:
        """What :meth:`predict_prepared` takes besides the graph: tables of integers, above all.

        Override both where ``predict`` reads numbers out of tensors (``int(x)``, ``x.item()``,
        ``x[mask]``, sizes that depend on the data): this is what ``compile`` leaves out.
        """
        return []

    def predict_prepared(self, graph: Graph, prepared: List[Tensor]) -> Dict[str, Tensor]:
        """:meth:`predict`, given what :meth:`prepare` returned."""
        return self.predict(graph)

    def atomic_values(self, graph: Graph) -> Dict[str, Tensor]:
        """Physical values of every atom, per target [n_atoms, properties] float64."""
        if graph.types.shape[0] == 0:  # a network need not know what to do without any atom
            values: Dict[str, Tensor] = {}
            start = 0
            for name, end in zip(self.target_names, self.ends):  # noqa: B905 - TorchScript
                values[name] = self.composition.values.new_zeros(0, end - start)
                start = end
            return values
        return self.with_baselines(self.predict_in_precision(self.within_cutoff(graph)), graph)

    def with_baselines(self, raw: Dict[str, Tensor], graph: Graph) -> Dict[str, Tensor]:
        """Scales and baselines on the network's numbers: physical values, float64."""
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
        if self.prior is not None:
            classical = self.prior(graph)[:, None]
            for name in self.energy_names:
                values[name] = values[name] + classical
        return values

    def list_cutoff(self) -> float:
        """Radius that the neighbour list must have: the network's, or that of a baseline."""
        cutoff = float(self.cutoff)
        if self.zbl is not None:
            cutoff = max(cutoff, float(self.zbl.cutoff))
        if self.prior is not None:
            cutoff = max(cutoff, float(self.prior.cutoff))
        return cutoff

    def baseline_range(self) -> float:
        """How far the energy of an atom sees by its baselines: the prior, along its bonds."""
        return 0.0 if self.prior is None else float(self.prior.reach)

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
        within = self.within_cutoff(graph)
        if self.compiled is not None and create_graph and wanted:
            raw, slopes = self.compiled(within)
        else:
            raw, slopes = self.predict_in_precision(within), {}
        predictions: Dict[str, Target] = {}
        for name, atomic in self.with_baselines(raw, graph).items():
            values = atomic
            if not self.per_atom[name]:
                zeros = atomic.new_zeros(graph.n_systems, atomic.shape[1])
                values = zeros.index_add(0, graph.system, atomic)
                if self.means[name]:
                    sizes = torch.bincount(graph.system, minlength=graph.n_systems)
                    values = values / sizes.clamp(min=1)[:, None]
            predictions[name] = Target(values)
        for name in wanted:
            values = predictions[name].values
            known = None
            if name in slopes:
                scale = self.scale.values[self.target_names.index(name)]
                known = Slope(within.vectors, slopes[name] * scale.to(self.dtype))
            gradient = pair_gradient(values, graph, create_graph, known)
            both = all_gradients or infos[name].has_strain
            predictions[name] = Target(
                values,
                forces(gradient, graph) if all_gradients or infos[name].has_forces else None,
                strain(gradient, graph) if both else None,
            )
        if not create_graph:
            return {name: detached(target) for name, target in predictions.items()}
        return predictions

    def example_structures(self) -> "List[Atoms]":
        """Structures to try the model on where any others might be refused; none if none are."""
        topology = None if self.prior is None else self.prior.topology
        return topology.examples() if isinstance(topology, Molecules) else []

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

    @classmethod
    def platform_hypers(cls) -> Dict[str, Any]:
        """Options of every model on this class, whatever the schema of its folder says."""
        return {"prior": None}

    def fit_baselines(self, dataset: "Dataset", hypers: Mapping[str, Any]) -> None:
        """Take the start values of the prior, composition weights and scales from ``dataset``.

        Composition weights are fitted by least squares to what ZBL and prior leave over.

        :param hypers: training options: ``atomic_baseline``, ``scale_targets``,
            ``fixed_scaling_weights``.
        """
        if self.prior is not None:
            start_values(self.prior, dataset)
        given = hypers.get("atomic_baseline") or {}
        offsets = self.offsets(dataset)
        offset = {name: target.values for name, target in offsets.items()}
        weights = fit_weights(dataset, self.dataset_info, given, offset)
        scales = fit_scales(dataset, self.dataset_info, weights, hypers, offsets)
        columns = torch.cat([weights[name] for name in self.target_names], dim=1)
        self.composition.values.copy_(columns)
        ordered = [scales[name] for name in self.target_names]
        self.scale.values.copy_(torch.tensor(ordered, dtype=torch.float64))

    def offsets(self, dataset: "Dataset") -> Dict[str, Target]:
        """What ZBL and prior give for a data set, per energy target; nothing without them."""
        baselines = [part for part in (self.zbl, self.prior) if part is not None]
        if not baselines:
            return {}
        types = self.dataset_info.atomic_types
        offset = offset_of(baselines, dataset, types, self.list_cutoff())
        return dict.fromkeys(self.energy_names, offset)
