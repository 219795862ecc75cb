"""A compiled network is the same network, for graphs of all sizes."""

import ase
import pytest
import torch

from mtt.errors import ArchitectureError
from mtt.mlip.compiled import CompiledNetwork

pytestmark = [
    pytest.mark.usefixtures("cpp_compiler"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


def learnt(model, graph, compiled):
    """Values, forces, strain and the gradient of all weights by a loss on them."""
    found = model.predict_targets(graph, create_graph=True, network=compiled)["energy"]
    parts = [found.values, found.forces.double(), found.strain.double()]
    loss = sum((part - 0.1).square().sum() for part in parts)
    gradients = torch.autograd.grad(loss, list(model.parameters()))
    return [part.detach() for part in parts] + list(gradients)


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-10, atol=1e-10)


@pytest.fixture
def batches(ethanol, crystal, make_graph):
    """Graphs of several sizes; the last ones have one or none of something."""
    pair, alone = ase.Atoms("CO", [[0, 0, 0], [0, 0, 1.2]]), ase.Atoms("H")
    sets = (
        [crystal, ethanol],
        [ethanol, ethanol],
        [ethanol, alone, pair],
        [ethanol],
        [pair],
        [alone],
    )
    return [make_graph(each, (1, 6, 8), 3.5) for each in sets]


def test_predictions_and_gradients_are_those_of_the_network(model, batches):
    compiled = CompiledNetwork(model, lambda: [batches[-1], *batches])
    with torch._dynamo.config.patch(error_on_recompile=True):
        for graph in batches:
            assert_same(learnt(model, graph, compiled), learnt(model, graph, None))
    # weights are taken as they are, not as they were
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.3)
    assert_same(learnt(model, batches[1], compiled), learnt(model, batches[1], None))


def test_baselines_reach_further_than_the_network(info, model_class, ethanol, crystal, make_graph):
    torch.manual_seed(1)
    model = model_class({"cutoff": 1.5, "zbl": True}, info).double()
    model.scale.values[:] = 2.5
    assert model.list_cutoff() > model.cutoff
    graph = make_graph([ethanol, crystal], (1, 6, 8), model.list_cutoff())
    assert_same(
        learnt(model, graph, CompiledNetwork(model, lambda: [graph])), learnt(model, graph, None)
    )


def test_networks_that_read_numbers_are_refused(info, model_class, ethanol, crystal, make_graph):
    class Reads(model_class):
        def atomic_energies(self, graph):
            width = int(torch.bincount(graph.centers).max())
            return super().atomic_energies(graph) * width

    model = Reads({"cutoff": 3.5}, info).double()
    graph = make_graph([ethanol, crystal], (1, 6, 8), 3.5)
    with pytest.raises(ArchitectureError, match="Reads cannot be compiled: its predict reads num"):
        CompiledNetwork(model, lambda: [graph])(graph)


def test_what_is_prepared_is_left_out(info, model_class, ethanol, crystal, make_graph):
    class Prepares(model_class):
        def predict(self, graph):
            return self.predict_prepared(graph, self.prepare(graph))

        def prepare(self, graph):
            return [torch.bincount(graph.centers).max().reshape(1).double()]

        def predict_prepared(self, graph, prepared):
            return {"energy": self.atomic_energies(graph) * prepared[0]}

    torch.manual_seed(1)
    model = Prepares({"cutoff": 3.5}, info).double()
    pair = [[ethanol, ethanol], [ethanol, crystal]]
    graphs = [make_graph(frames, (1, 6, 8), 3.5) for frames in pair]
    compiled = CompiledNetwork(model, lambda: graphs)
    for graph in graphs:
        assert_same(learnt(model, graph, compiled), learnt(model, graph, None))


def test_functions_whose_derivatives_are_formulas_of_their_results_keep_them(
    info, model_class, ethanol, crystal, make_graph
):
    class Wraps(model_class):
        def atomic_energies(self, graph):
            x = super().atomic_energies(graph)
            x = x.tanh() + (0.1 * x).exp() + x.sigmoid() * torch.rsqrt(1.0 + x.square())
            return x + x.softmax(0) + torch.linalg.vector_norm(x) ** 1.5

    torch.manual_seed(1)
    model = Wraps({"cutoff": 3.5}, info).double()
    graph = make_graph([ethanol, crystal], (1, 6, 8), 3.5)
    compiled = CompiledNetwork(model, lambda: [graph])
    assert_same(learnt(model, graph, compiled), learnt(model, graph, None))


def test_a_network_that_changes_when_compiled_is_refused(
    info, model_class, ethanol, crystal, make_graph
):
    class Changes(model_class):
        def atomic_energies(self, graph):
            traced = isinstance(graph.vectors, torch._subclasses.FakeTensor)
            return super().atomic_energies(graph) * (1.01 if traced else 1.0)

    class Detaches(model_class):
        def atomic_energies(self, graph):
            x = super().atomic_energies(graph)
            return x * x.detach()

    graph = make_graph([ethanol, crystal], (1, 6, 8), 3.5)
    for network in (Changes, Detaches):
        model = network({"cutoff": 3.5}, info).double()
        what = f"compiled, {network.__name__} predicts something else"
        with pytest.raises(ArchitectureError, match=what):
            CompiledNetwork(model, lambda: [graph])(graph)
