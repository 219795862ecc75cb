"""What density_messages predicts: symmetries, forces, limits, precision, several targets."""

import copy

import ase
import ase.build
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from mtt import DatasetInfo, Graph, TargetInfo
from mtt.mlip.networks import PlainNetwork
from mtt.nn import SphericalHarmonics
from mtt.registry import find
from mtt.testing import CHECKS, Subject, graph_of, run

ARCHITECTURE = find("density_messages").load()
TYPES = (1, 6, 8)
INFO = DatasetInfo("angstrom", TYPES, {"energy": TargetInfo.energy(forces=True, stress=True)})
TINY = {
    "cutoff": 3.0,
    "cutoff_width": 2.0,
    "num_radial": 3,
    "radial_decay": 0.8,
    "max_angular": 3,
    "num_channels": 4,
    "num_features": 5,
    "num_layers": 2,
    "average_neighbors": 7.0,
    "normalize": True,
    "zbl": False,
}
CPU = torch.device("cpu")
ROTATION = Rotation.from_rotvec([0.3, -1.2, 0.8]).as_matrix()


def make(info=INFO, dtype=torch.float64, **changes):
    torch.manual_seed(3)
    return ARCHITECTURE.model({**copy.deepcopy(TINY), **changes}, info).to(dtype)


def predict(model, *frames):
    graph = graph_of(model, list(frames))
    return model.predict_targets(graph, all_gradients=True)["energy"]


def molecule() -> ase.Atoms:
    atoms = ase.build.molecule("CH3CH2OH")
    atoms.rattle(0.1, seed=1)
    return atoms


def crystal() -> ase.Atoms:
    atoms = ase.build.bulk("C", "diamond", a=3.6)
    atoms.numbers[0] = 8
    atoms.rattle(0.1, seed=4)
    return atoms


def apart() -> ase.Atoms:
    return ase.Atoms("HOC", positions=[[0, 0, 0], [9, 0, 0], [0, 9, 0]])


def wigner(rotation: np.ndarray, l_max: int) -> torch.Tensor:
    """D with Y(R u) = D Y(u) for every u, [n_angular, n_angular], from values at points."""
    generator = torch.Generator().manual_seed(0)
    points = torch.randn(200, 3, generator=generator, dtype=torch.float64)
    units = points / points.norm(dim=1, keepdim=True)
    harmonics = SphericalHarmonics(l_max).double()
    turned = harmonics(units @ torch.from_numpy(rotation.T.copy()))
    return torch.linalg.lstsq(harmonics(units), turned).solution.T


def states(model, graph: Graph) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Scalars and densities after every layer but the last."""
    pairs, found = model.pairs(graph, model.prepare(graph)), []
    # isolated atoms stand behind the others
    x, v = model.species(torch.cat([graph.types, torch.arange(model.n_types)])), torch.zeros(0)
    for layer in model.layers[:-1]:
        x, v = layer(pairs, x, v)
        found.append((x, v))
    return found


@pytest.mark.parametrize("inversion", [1, -1], ids=["proper", "improper"])
@pytest.mark.parametrize("frame", [molecule(), crystal()], ids=["molecule", "crystal"])
def test_densities_turn_with_the_structure_and_scalars_do_not(frame, inversion):
    model, rotation = make(num_layers=3), inversion * ROTATION
    matrix = wigner(rotation, 3)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(16).double(), rtol=0, atol=1e-12)
    graph = graph_of(model, [frame])
    turned = graph._replace(vectors=graph.vectors @ torch.from_numpy(rotation.T.copy()))
    for (x, v), (x2, v2) in zip(states(model, graph), states(model, turned), strict=True):
        torch.testing.assert_close(x2, x, rtol=0, atol=1e-11)
        torch.testing.assert_close(v2, torch.einsum("ab,bnc->anc", matrix, v), rtol=0, atol=1e-11)
        assert float((v2 - v).detach().abs().max()) > 0.01


@pytest.mark.parametrize("changes", [{}, {"num_layers": 1}, {"num_layers": 3, "max_angular": 1}])
@pytest.mark.parametrize("frame", [molecule(), crystal()], ids=["molecule", "crystal"])
def test_forces_and_strain_are_derivatives_of_the_energy(frame, changes):
    model = make(**changes)
    rng = np.random.default_rng(0)
    shift, strain = rng.normal(size=(len(frame), 3)), rng.normal(size=(3, 3))
    strain, step = strain + strain.T, 2e-4

    def energy(factor: float) -> float:
        moved, deform = frame.copy(), np.eye(3) + factor * step * strain
        moved.set_cell(moved.cell[:] @ deform, scale_atoms=False)
        moved.positions = (moved.positions + factor * step * shift) @ deform
        return float(predict(model, moved).values)

    # fourth order in the step
    numeric = (8 * (energy(1) - energy(-1)) - (energy(2) - energy(-2))) / (12 * step)
    predicted = predict(model, frame)
    analytic = -float((predicted.forces * torch.from_numpy(shift)).sum())
    analytic += float((predicted.strain[0] * torch.from_numpy(strain)).sum())
    assert analytic == pytest.approx(numeric, rel=1e-6, abs=1e-9)


def test_a_loss_on_forces_reaches_every_weight_with_the_right_gradient():
    model = make(max_angular=2)
    graph = graph_of(model, [molecule(), crystal()])

    def loss() -> torch.Tensor:
        predicted = model.predict_targets(graph, create_graph=True)["energy"]
        return predicted.forces.square().sum() + predicted.values.sum()

    parameters = dict(model.named_parameters())
    torch.autograd.backward(loss(), inputs=list(parameters.values()))
    step = 1e-5
    for name, parameter in parameters.items():
        generator = torch.Generator().manual_seed(2)
        direction = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
        sides = []
        for change in (step, -2 * step):
            with torch.no_grad():
                parameter.add_(direction, alpha=change)
            sides.append(float(loss().detach()))
        with torch.no_grad():
            parameter.add_(direction, alpha=step)
        numeric = (sides[0] - sides[1]) / (2 * step)
        analytic = float((parameter.grad * direction).sum())
        assert analytic == pytest.approx(numeric, rel=1e-5), name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_isolated_atoms_have_exactly_the_composition(dtype):
    model = make(dtype=dtype, num_channels=16, num_features=24)
    energies = torch.tensor([[-13.6], [-1029.4], [-2041.8]], dtype=torch.float64)
    model.composition.values.copy_(energies)
    model.scale.values.fill_(31.4)
    # alone, in one box, and beside atoms that are not isolated
    lone = [ase.Atoms(symbol) for symbol in "HCO"]
    found = predict(model, *lone, apart(), crystal(), molecule())
    expected = torch.cat([energies, energies.sum()[None, None]])
    torch.testing.assert_close(found.values[:4], expected, rtol=1e-15, atol=0)
    assert not bool(found.forces[:6].any())
    assert not bool(found.strain[:4].any())


def test_without_any_pair_there_are_no_forces():
    model = make()
    found = predict(model, ase.Atoms("H"), apart())
    assert not bool(found.forces.any())
    assert float(found.values.abs().max()) < 1e-13
    graph = graph_of(model, [apart()])
    predicted = model.predict_targets(graph, create_graph=True)["energy"]
    loss = predicted.forces.square().sum() + predicted.values.square().sum()
    torch.autograd.backward(loss, inputs=list(model.parameters()))


def test_normalised_layers_stay_small_where_products_have_become_large():
    sizes = {}
    for normalize in (True, False):
        model = make(num_layers=6, normalize=normalize)
        with torch.no_grad():
            for layer in model.layers:
                layer.products.mul_(100.0)
        sizes[normalize] = float(predict(model, molecule()).values.detach().abs())
    assert sizes[True] < 10 < sizes[False]


def test_each_layer_carries_one_cutoff_further():
    def felt(layers: int, place: int) -> float:
        """By the last atom of a chain 2 Å apart, when the one at ``place`` moves."""
        model = make(num_layers=layers)
        chain = ase.Atoms("COHCOH", [[2.0 * k, 0.1 * k**2, 0] for k in range(6)])
        moved = chain.copy()
        moved.positions[place] += [0.0, 0.0, 0.3]
        atoms = [model.predict(graph_of(model, [one]))["energy"][5, 0] for one in (chain, moved)]
        return float((atoms[1] - atoms[0]).detach().abs())

    for layers in (1, 2, 3):
        assert felt(layers, 5 - layers) > 1e-10
        assert felt(layers, 4 - layers) < 1e-15
        assert make(num_layers=layers).interaction_range() == 3.0 * layers


@pytest.mark.parametrize("width", [0.5, 3.0])
def test_energy_is_smooth_to_second_order_where_atoms_lose_sight_of_each_other(width):
    model = make(cutoff_width=width)

    def at(x: float) -> tuple[float, float]:
        atoms = ase.Atoms("OCH", positions=[[0, 0, 0], [1.1, 0, 0], [0.2, x, 0]])
        predicted = predict(model, atoms)
        return float(predicted.values), float(predicted.forces[2, 1])

    edge = float(np.sqrt(3.0**2 - 0.2**2))  # O-H passes the cutoff here, C-H is still seen
    gap = 1e-4
    (e0, f0), (_, f1), (e2, f2) = (at(edge + k * gap) for k in (-1, 0, 1))
    assert abs(e2 - e0) < 1e-3
    assert abs((f2 - f1) - (f1 - f0)) < 1e-6  # the slope of the force has no step


@pytest.mark.parametrize(("autocast", "limit"), [(torch.bfloat16, 8e-2), (torch.float16, 1e-2)])
def test_mixed_precision_agrees_with_float32_within_its_digits(autocast, limit):
    model = make(dtype=torch.float32, num_channels=32, max_angular=1, average_neighbors=16.0)
    graph = graph_of(model, [molecule(), crystal()])
    exact = model.predict_targets(graph)["energy"]
    low = model.predict_targets(graph, network=PlainNetwork(model, autocast))["energy"]
    assert [part.dtype for part in low] == [torch.float64, torch.float32, torch.float32]
    # energies are small differences from those of isolated atoms, which are of order one
    assert 0 < float((low.values - exact.values).norm()) < limit
    for one, two in zip(low[1:], exact[1:], strict=True):
        assert 0 < float((one - two).norm() / two.norm()) < limit
    # the geometry has not passed through 16 bits
    assert float(low.forces[:9].sum(0).abs().max()) < 1e-5 * float(low.forces.abs().sum())
    assert float(predict(model, ase.Atoms("O"), molecule()).values[0]) == 0


def test_functions_of_pairs_keep_float32_in_mixed_precision():
    model = make(dtype=torch.float32)
    graph = graph_of(model, [molecule()])
    prepared = model.prepare(graph)
    expected = model.pairs(graph, prepared)
    with torch.autocast("cpu", torch.bfloat16):
        found = model.pairs(graph, prepared)
    for low, exact in zip(found, expected, strict=True):
        assert low.dtype == exact.dtype
        assert torch.equal(low, exact)


def test_targets_of_structures_and_of_atoms_have_separate_heads():
    targets = {
        "energy": TargetInfo.energy(forces=True),
        "mtt::charge": TargetInfo(unit="e", sample_kind="atom"),
        "mtt::levels": TargetInfo(properties=3),
    }
    info = DatasetInfo("angstrom", TYPES, targets)
    model = make(info)
    found = model.predict_targets(graph_of(model, [molecule(), crystal()]))
    shapes = {name: list(target.values.shape) for name, target in found.items()}
    assert shapes == {"energy": [2, 1], "mtt::charge": [11, 1], "mtt::levels": [2, 3]}
    subject = Subject(ARCHITECTURE, model_hypers=TINY, dataset_info=info)
    (check,) = [one for one in CHECKS if one.name == "heads serve one target each"]
    assert run(check, subject).status == "passed"
