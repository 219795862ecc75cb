"""A network and its derivative by the pair vectors, traced together and fused by torch.compile.

Training on forces differentiates the network twice, in hundreds of small operations whose
results travel through memory. The trace holds the network and its first derivative as one
function of weights and graph; torch.compile differentiates that once more and fuses both.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Protocol

import torch
from torch import Tensor
from torch._inductor.cpp_builder import get_cpp_compiler
from torch._inductor.exc import InvalidCxxCompiler
from torch._subclasses.fake_tensor import DataDependentOutputException
from torch.fx.experimental import _config as symbolic
from torch.fx.experimental.proxy_tensor import make_fx
from torch.fx.experimental.symbolic_shapes import GuardOnDataDependentSymNode

from mtt.errors import ArchitectureError, ConfigError
from mtt.graph import Graph
from mtt.mlip.networks import NetworkValues
from mtt.progress import working

log = logging.getLogger(__name__)

TOLERANCE = {torch.float32: 3e-4, torch.float64: 1e-9}
"""Of the largest number; fused operations round differently."""


class Compilable(Protocol):
    """Part of a model that is compiled: its network, without scales and baselines."""

    target_names: list[str]
    energy_names: list[str]

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype: ...

    def prepare(self, graph: Graph) -> list[Tensor]:
        """Tables that depend on the graph alone and are not differentiated."""

    def predict_prepared(self, graph: Graph, prepared: list[Tensor]) -> dict[str, Tensor]:
        """The network's values, per target [n_atoms, properties] or [n_atoms]."""


class CompiledNetwork:
    """``model.predict`` and its derivative by the vectors, differentiable by the weights.

    It is made when it is first called, of one graph for graphs of all sizes, but for numbers of
    none or one: those are constants to the compiler. Graphs that have them elsewhere (a single
    structure or pair) are computed by the model itself. The first results, and the first of
    another size, are compared with the model's.

    :param model: on its device and in its precision when this is called.
    :param examples: graphs, of which the first with pairs is taken; they must not depend on where
        a run begins, since the code may depend on them in the last digits.
    :raises ConfigError: there is no compiler.
    """

    def __init__(self, model: Compilable, examples: Callable[[], Iterable[Graph]]) -> None:
        _check_compiler(model.device)
        self._model = model
        self._examples = examples
        self._network = _Network(model)
        tensors = (*self._network.named_parameters(), *self._network.named_buffers())
        self._names = [name for name, _ in tensors]
        self._sought = False
        self._ones: list[bool] = []
        self._function: Callable[[list[Tensor], list[Tensor]], list[Tensor]] | None = None
        self._compared: set[int] = set()

    def __call__(self, graph: Graph) -> NetworkValues:
        """:raises ArchitectureError: the network cannot be traced, or becomes another one."""
        weights = [*self._network.parameters(), *self._network.buffers()]
        inputs = self._inputs(graph)
        if not self._sought:
            self._sought = True
            found = next((one for one in self._examples() if one.centers.shape[0] > 1), None)
            if found is not None:
                self._ones = _ones(self._inputs(found))
                self._function = self._compile(weights, self._inputs(found))
        if self._function is None or _ones(inputs) != self._ones:
            return self._named(self._plain(weights, inputs))
        results = self._function(weights, inputs)
        n_pairs = graph.centers.shape[0]
        if len(self._compared) < 2 and n_pairs not in self._compared:
            self._compare(weights, inputs)
            self._compared.add(n_pairs)
        return self._named(results)

    def _inputs(self, graph: Graph) -> list[Tensor]:
        known = graph.prepared
        return [*_tensors(graph), *(self._model.prepare(graph) if known is None else known)]

    def _named(self, found: list[Tensor]) -> NetworkValues:
        names, energies = self._model.target_names, self._model.energy_names
        slopes = dict(zip(energies, found[len(names) :], strict=True))
        return NetworkValues(dict(zip(names, found, strict=False)), slopes)

    def _plain(self, weights: list[Tensor], inputs: list[Tensor]) -> list[Tensor]:
        """Values of all targets, then slopes of all energies."""
        graph, prepared = _graph(inputs)
        vectors = graph.vectors.detach().requires_grad_(True)
        # buffers too are replaced: a trace must not hold what the model may change
        raw = torch.func.functional_call(
            self._network,
            dict(zip(self._names, weights, strict=True)),
            (graph._replace(vectors=vectors), prepared),
        )
        energies = [raw[name].sum() for name in self._model.energy_names]
        slopes = [
            torch.autograd.grad(
                energy, vectors, create_graph=True, allow_unused=True, materialize_grads=True
            )[0]
            for energy in energies
        ]
        return [*(raw[name] for name in self._model.target_names), *slopes]

    def _compile(
        self, weights: list[Tensor], inputs: list[Tensor]
    ) -> Callable[[list[Tensor], list[Tensor]], list[Tensor]]:
        name = type(self._model).__name__
        log.info("compiling %s, which takes a minute or two the first time", name)
        # sizes that happen to agree may differ later
        work = working(f"compiling {name}")
        with work, symbolic.patch(use_duck_shape=False):  # type: ignore[attr-defined]
            try:
                traced = make_fx(
                    lambda weights, inputs: self._plain(weights, inputs),
                    tracing_mode="symbolic",
                    _allow_non_fake_inputs=True,
                )(weights, inputs)
            except (DataDependentOutputException, GuardOnDataDependentSymNode) as error:
                raise ArchitectureError(
                    f"{name} cannot be compiled: its predict reads numbers out of tensors",
                    hint="set compile: false; authors: let `prepare` read them",
                ) from error
            _reattach(traced)
            compiled = torch.compile(traced, dynamic=True)
            # now, not at the first call: the setting above is read here
            compiled(weights, inputs)
        return compiled

    def _compare(self, weights: list[Tensor], inputs: list[Tensor]) -> None:
        """Compare values, slopes, and derivatives of both by the weights of two calls."""
        assert self._function is not None
        tolerance = TOLERANCE[self._model.dtype]
        for found, expected in zip(
            _differentiated(self._function(weights, inputs), weights),
            _differentiated(self._plain(weights, inputs), weights),
            strict=True,
        ):
            error, size = float((found - expected).abs().max()), float(expected.abs().max())
            if not error <= tolerance * max(size, 1e-3):
                raise ArchitectureError(
                    f"compiled, {type(self._model).__name__} predicts something else: "
                    f"{error:.1e} off, of {size:.1e}",
                    hint="set compile: false",
                )


class _Network(torch.nn.Module):
    """The part of a model that is compiled, as a module: so that its weights can be replaced."""

    def __init__(self, model: Compilable) -> None:
        super().__init__()
        self.model = model

    def forward(self, graph: Graph, prepared: list[Tensor]) -> dict[str, Tensor]:
        """The network's values, per target [n_atoms, properties]."""
        raw = self.model.predict_prepared(graph, prepared)
        return {name: x[:, None] if x.dim() == 1 else x for name, x in raw.items()}


def _reattach(traced: torch.fx.GraphModule) -> None:
    """Undo the detaching of results that formulas of first derivatives hold.

    Of a function whose derivative is a formula of its result (tanh, exp, rsqrt, softmax), the
    trace detaches that result, and what is differentiated once more would lose a part.
    """
    for node in traced.graph.find_nodes(op="call_function", target=torch.ops.aten.detach.default):
        node.replace_all_uses_with(node.args[0])
        traced.graph.erase_node(node)
    traced.recompile()


def _differentiated(results: list[Tensor], weights: list[Tensor]) -> list[Tensor]:
    """``results``, then derivatives of a sum of them by the weights."""
    trained = [weight for weight in weights if weight.requires_grad]
    # no two numbers count the same, or errors could cancel
    terms = [(x * torch.linspace(1, 2, x.numel()).to(x).view_as(x)).sum() for x in results]
    summed = torch.stack(terms).sum()
    gradients: tuple[Tensor, ...] = ()
    if trained and summed.requires_grad:
        gradients = torch.autograd.grad(summed, trained, allow_unused=True, materialize_grads=True)
    return [*(x.detach() for x in results), *gradients]


def _ones(tensors: list[Tensor]) -> list[bool]:
    """Whether each dimension has fewer than two entries."""
    return [size < 2 for tensor in tensors for size in tensor.shape]


def _tensors(graph: Graph) -> list[Tensor]:
    # the derivative by the vectors is a result, and none goes through them a second time
    # charges and spins go through prepare
    return [value.detach() for value in graph[:8] if isinstance(value, Tensor)]


def _graph(tensors: list[Tensor]) -> tuple[Graph, list[Tensor]]:
    """The graph, and what was prepared of it."""
    types, system, centers, neighbors, vectors, positions, cells, *prepared = tensors
    n_systems = cells.shape[0]
    graph = Graph(types, system, n_systems, centers, neighbors, vectors, positions, cells)
    return graph, prepared


def _check_compiler(device: torch.device) -> None:
    """Code for processors is compiled by a C++ compiler, for GPUs by Triton.

    :raises ConfigError: it is missing.
    """
    if device.type != "cpu":
        return
    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError) as error:
        raise ConfigError(
            "there is no C++ compiler, which torch.compile needs on a processor",
            where="architecture.training.compile",
            hint="install g++, or set compile: false",
        ) from error
