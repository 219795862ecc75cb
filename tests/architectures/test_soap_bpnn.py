"""The physics of soap_bpnn: invariances, derivatives, limits, TorchScript."""

import copy

import ase
import ase.build
import numpy as np
import pytest
import torch

from mtt import DatasetInfo, TargetInfo
from mtt.registry import find
from mtt.testing import graph_of

ARCHITECTURE = find("soap_bpnn").load()
TYPES = (1, 6, 8)
INFO = DatasetInfo("angstrom", TYPES, {"energy": TargetInfo.energy(forces=True)})
SMALL = {"max_angular": 3, "max_radial": 3, "cutoff": {"radius": 3.5, "width": 1.0}}


def hypers(**changes) -> dict:
    return {**copy.deepcopy(ARCHITECTURE.default_hypers["model"]), **changes}


def make(dtype=torch.float64, **changes):
    torch.manual_seed(3)
    model = ARCHITECTURE.model(hypers(**{"soap": SMALL, **changes}), INFO)
    for name, parameter in model.named_parameters():
        if "gain" in name or "shift" in name:  # not the identity that training starts from
            torch.nn.init.normal_(parameter, mean=0.5, std=0.3)
    return model.to(dtype)


def molecules() -> list[ase.Atoms]:
    frames = [ase.build.molecule(name) for name in ("CH3CH2OH", "H2O", "CO2")]
    for k, atoms in enumerate(frames):
        atoms.rattle(0.1, seed=k)
    return frames


def solid() -> ase.Atoms:
    atoms = ase.build.bulk("C", "diamond", a=3.6, cubic=True)
    atoms.numbers[::3] = 8
    atoms.rattle(0.1, seed=4)
    return atoms


def predict(model, frames):
    return model.predict_targets(graph_of(model, frames), all_gradients=True)["energy"]


@pytest.mark.parametrize("changes", [{}, {"heads": {"energy": "mlp"}}])
@pytest.mark.parametrize("frames", [molecules(), [solid()]], ids=["molecules", "solid"])
def test_forces_and_strain_are_derivatives_of_the_energy(frames, changes):
    model = make(**changes)
    predicted = predict(model, frames)
    step = 2e-4
    rng = np.random.default_rng(0)
    sizes = [len(atoms) for atoms in frames]
    shift = rng.normal(size=(sum(sizes), 3))
    strain = rng.normal(size=(3, 3))
    strain = strain + strain.T

    def energy(factor: float) -> float:
        moved = []
        parts = np.split(shift, np.cumsum(sizes)[:-1])
        for atoms, part in zip(frames, parts, strict=True):
            copied = atoms.copy()
            deform = np.eye(3) + factor * step * strain
            copied.set_cell(copied.cell[:] @ deform, scale_atoms=False)
            copied.positions = (copied.positions + factor * step * part) @ deform
            moved.append(copied)
        return float(predict(model, moved).values.sum())

    # fourth order in the step
    numeric = (8 * (energy(1) - energy(-1)) - (energy(2) - energy(-2))) / (12 * step)
    analytic = -float((predicted.forces * torch.from_numpy(shift)).sum())
    analytic += float((predicted.strain.sum(0) * torch.from_numpy(strain)).sum())
    assert analytic == pytest.approx(numeric, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("layernorm", [True, False])
def test_atoms_without_neighbours_have_finite_energies_and_no_forces(layernorm):
    bpnn = {"num_hidden_layers": 2, "num_neurons_per_layer": 8, "layernorm": layernorm}
    model = make(bpnn=bpnn)
    apart = ase.Atoms("HOC", positions=[[0, 0, 0], [9, 0, 0], [0, 9, 0]])
    for frames in ([apart], [apart, molecules()[1]], [ase.Atoms("H")]):
        predicted = predict(model, frames)
        assert bool(torch.isfinite(predicted.values).all())
        assert bool((predicted.forces[: len(frames[0])] == 0).all())


@pytest.mark.parametrize("layernorm", [True, False])
def test_energy_is_smooth_to_second_order_where_atoms_lose_sight_of_each_other(layernorm):
    bpnn = {"num_hidden_layers": 1, "num_neurons_per_layer": 8, "layernorm": layernorm}
    model = make(bpnn=bpnn)

    def at(x: float) -> tuple[float, float]:
        atoms = ase.Atoms("OCH", positions=[[0, 0, 0], [1.1, 0, 0], [0.2, x, 0]])
        predicted = predict(model, [atoms])
        return float(predicted.values), float(predicted.forces[2, 1])

    edge = float(np.sqrt(3.5**2 - 0.2**2))  # O-H passes the cutoff here
    gap = 1e-4
    (e0, f0), (_, f1), (e2, f2) = (at(edge + k * gap) for k in (-1, 0, 1))
    assert abs(e2 - e0) < 1e-2
    assert abs((f2 - f1) - (f1 - f0)) < 1e-6  # the slope of the force has no step


def test_float32_agrees_with_float64():
    double, single = make(), make(torch.float32)
    frames = [*molecules(), solid()]
    exact = predict(double, frames)
    rounded = predict(single, frames)
    torch.testing.assert_close(rounded.values, exact.values, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(rounded.forces.double(), exact.forces, rtol=1e-3, atol=2e-4)


def test_results_do_not_change_from_run_to_run():
    model = make(torch.float32)
    graph = graph_of(model, molecules())
    first, second = (model.predict_targets(graph)["energy"] for _ in range(2))
    assert torch.equal(first.values, second.values)
    assert torch.equal(first.forces, second.forces)


def test_torchscript_gives_the_same_energies_and_forces(compare_scripted):
    model = make()
    compare_scripted(model, graph_of(model, [*molecules(), solid()]))


def test_loss_on_forces_reaches_every_weight_with_the_right_gradient():
    model = make(bpnn={"num_hidden_layers": 2, "num_neurons_per_layer": 4, "layernorm": True})
    graph = graph_of(model, molecules())

    def loss() -> torch.Tensor:
        predicted = model.predict_targets(graph, create_graph=True)["energy"]
        return predicted.forces.square().sum() + predicted.values.sum()

    parameters = list(model.parameters())
    torch.autograd.backward(loss(), inputs=parameters)
    step = 1e-5
    for parameter in parameters:
        direction = torch.randn(
            parameter.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(2)
        )
        sides = []
        for sign in (1, -1):
            with torch.no_grad():
                parameter.add_(direction, alpha=sign * step)
            sides.append(float(loss().detach()))
            with torch.no_grad():
                parameter.add_(direction, alpha=-sign * step)
        numeric = (sides[0] - sides[1]) / (2 * step)
        assert float((parameter.grad * direction).sum()) == pytest.approx(numeric, rel=1e-5)


def test_zbl_is_added_to_the_network():
    plain, repulsive = make(), make(zbl=True)
    repulsive.load_state_dict(plain.state_dict(), strict=False)
    close = ase.Atoms("CO", positions=[[0, 0, 0], [0, 0, 0.4]])
    difference = predict(repulsive, [close]).values - predict(plain, [close]).values
    expected = repulsive.zbl(graph_of(repulsive, [close])).sum()
    torch.testing.assert_close(difference.sum(), expected)
    assert float(expected) > 100
