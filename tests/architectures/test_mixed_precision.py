"""soap_bpnn with its network in 16 bits: values, forces, and gradients of a loss on forces."""

import copy
import io

import ase.build
import pytest
import torch

from mtt import DatasetInfo, Graph, TargetInfo
from mtt.mlip.networks import PlainNetwork
from mtt.registry import find
from mtt.testing import graph_of

ARCHITECTURE = find("soap_bpnn").load()
TYPES = (1, 6, 8)
INFO = DatasetInfo("angstrom", TYPES, {"energy": TargetInfo.energy(forces=True, stress=True)})
SMALL = {"max_angular": 3, "max_radial": 3, "cutoff": {"radius": 3.5, "width": 1.0}}
VARIANTS = {
    "defaults": {},
    "mlp head": {"heads": {"energy": "mlp"}},
    "no norm": {"bpnn": {"num_hidden_layers": 2, "num_neurons_per_layer": 32, "layernorm": False}},
}
TOLERANCE = {torch.bfloat16: 3e-2, torch.float16: 5e-3}


def make(changes) -> torch.nn.Module:
    torch.manual_seed(3)
    defaults = copy.deepcopy(ARCHITECTURE.default_hypers["model"])
    return ARCHITECTURE.model({**defaults, "soap": SMALL, **changes}, INFO)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Some molecules, float32."""
    molecules = [ase.build.molecule(name) for name in ("CH3CH2OH", "H2O", "CO2", "C6H6")]
    for k, atoms in enumerate(molecules):
        atoms.rattle(0.1, seed=k)
    return graph_of(make({}), molecules)


def learn(model, graph, autocast):
    """Energies, forces, strain derivatives, and the gradient of a loss on all of them."""
    network = PlainNetwork(model, autocast)
    energy = model.predict_targets(graph, create_graph=True, network=network)["energy"]
    loss = sum(value.double().square().sum() for value in energy)
    parameters = list(model.parameters())
    gradients = torch.autograd.grad(loss, parameters)
    return energy, torch.cat([gradient.flatten() for gradient in gradients])


def difference(one, two) -> float:
    return ((one.double() - two.double()).norm() / two.double().norm()).item()


@pytest.mark.parametrize("autocast", TOLERANCE)
@pytest.mark.parametrize("variant", VARIANTS)
def test_mixed_precision_agrees_with_float32_within_its_digits(graph, variant, autocast):
    model = make(VARIANTS[variant])
    exact, exact_gradient = learn(model, graph, None)
    low, low_gradient = learn(model, graph, autocast)
    assert [value.dtype for value in low] == [torch.float64, torch.float32, torch.float32]
    assert low_gradient.dtype == torch.float32
    for one, two in zip((*low, low_gradient), (*exact, exact_gradient), strict=True):
        assert 0 < difference(one, two) < TOLERANCE[autocast]


def test_baselines_keep_float64_in_mixed_precision(graph):
    model = make({})
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    model.composition.values.fill_(-1234.5678901234)
    network = PlainNetwork(model, torch.bfloat16)
    values = model.predict_targets(graph, network=network)["energy"].values[:, 0]
    sizes = torch.bincount(graph.system).double()
    torch.testing.assert_close(values, -1234.5678901234 * sizes, rtol=1e-15, atol=0)


def test_there_is_no_net_force_in_mixed_precision(graph):
    model = make({})
    forces = model.predict_targets(graph, network=PlainNetwork(model, torch.bfloat16))[
        "energy"
    ].forces
    total = torch.zeros(graph.n_systems, 3).index_add(0, graph.system, forces)
    # the geometry has not passed through 16 bits
    assert total.abs().max() < 1e-6 * forces.abs().sum()


def test_scaled_fp16_gradients_come_back_finite_and_right(graph):
    model = make({})
    _, exact = learn(model, graph, None)
    network = PlainNetwork(model, torch.float16)
    energy = model.predict_targets(graph, create_graph=True, network=network)["energy"]
    loss = sum(value.double().square().sum() for value in energy)
    scale = 2.0**8
    gradients = torch.autograd.grad(loss * scale, list(model.parameters()))
    found = torch.cat([gradient.flatten() for gradient in gradients]) / scale
    assert difference(found, exact) < TOLERANCE[torch.float16]


def test_export_does_not_know_of_mixed_precision(graph):
    model = make({}).eval()
    exact = model.predict(graph)["energy"]
    model.predict_targets(graph, network=PlainNetwork(model, torch.bfloat16))
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.script(model), buffer)
    buffer.seek(0)
    scripted = torch.jit.load(buffer)
    torch.testing.assert_close(scripted.predict(graph)["energy"], exact)
