"""Forces and stress from the gradient by the pair vectors, against finite differences."""

import numpy as np
import pytest
import torch

from mtt.graph import PairRows
from mtt.mlip.derivatives import forces
from mtt.nn import reverse_pairs


def energy_of(model, make_graph, atoms):
    graph = make_graph([atoms], [1, 6, 8], 3.5)
    return model.predict_targets(graph)["energy"].values.item()


@pytest.mark.parametrize("name", ["ethanol", "crystal"])
def test_forces_are_minus_the_finite_difference_of_the_energy(name, model, make_graph, request):
    atoms = request.getfixturevalue(name)
    forces = model.predict_targets(make_graph([atoms], [1, 6, 8], 3.5))["energy"].forces
    h = 1e-4
    for i, axis in ((0, 0), (3, 1), (len(atoms) - 1, 2)):
        shifted = []
        for sign in (1, -1):
            moved = atoms.copy()
            moved.positions[i, axis] += sign * h
            shifted.append(energy_of(model, make_graph, moved))
        expected = -(shifted[0] - shifted[1]) / (2 * h)
        assert forces[i, axis].item() == pytest.approx(expected, abs=2e-7)


def test_strain_is_the_finite_difference_by_a_symmetric_strain(model, make_graph, crystal):
    strain = model.predict_targets(make_graph([crystal], [1, 6, 8], 3.5))["energy"].strain[0]
    h = 1e-5
    for a, b in ((0, 0), (1, 1), (2, 2), (0, 1), (0, 2), (1, 2)):
        energies = []
        for sign in (1, -1):
            deformation = np.eye(3)
            deformation[a, b] += sign * h / 2
            deformation[b, a] += sign * h / 2
            strained = crystal.copy()
            strained.set_cell(crystal.cell @ deformation, scale_atoms=True)
            energies.append(energy_of(model, make_graph, strained))
        expected = (energies[0] - energies[1]) / (2 * h)
        assert strain[a, b].item() == pytest.approx(expected, abs=1e-6)


def test_forces_sum_to_zero_and_strain_is_symmetric(model, make_graph, ethanol, crystal):
    target = model.predict_targets(make_graph([ethanol, crystal], [1, 6, 8], 3.5))["energy"]
    n = len(ethanol)
    for part in (target.forces[:n], target.forces[n:]):
        torch.testing.assert_close(part.sum(0), torch.zeros(3).double(), atol=1e-12, rtol=0)
    assert torch.equal(target.strain, target.strain.transpose(1, 2))


def test_a_loss_on_forces_reaches_the_weights(model, make_graph, ethanol):
    graph = make_graph([ethanol], [1, 6, 8], 3.5)
    weight = model.network[0].weight
    direction = torch.randn(weight.shape, generator=torch.manual_seed(0), dtype=weight.dtype)

    def loss():
        return model.predict_targets(graph, create_graph=True)["energy"].forces.square().sum()

    (gradient,) = torch.autograd.grad(loss(), weight)
    h = 1e-6
    values = []
    for sign in (1, -1):
        with torch.no_grad():
            weight += sign * h * direction
        values.append(loss().item())
        with torch.no_grad():
            weight -= sign * h * direction
    expected = (values[0] - values[1]) / (2 * h)
    assert (gradient * direction).sum().item() == pytest.approx(expected, rel=1e-6)


def test_predictions_without_a_loss_hold_no_autograd_graph(model, make_graph, ethanol):
    target = model.predict_targets(make_graph([ethanol], [1, 6, 8], 3.5))["energy"]
    assert not any(part.requires_grad for part in target)


def test_forces_in_rows_are_the_sums_over_all_pairs(make_graph, ethanol, crystal):
    graph = make_graph([ethanol, crystal], [1, 6, 8], 3.5)
    n_atoms = len(graph.types)
    reverse = reverse_pairs(graph.centers, graph.neighbors, graph.vectors, n_atoms)
    first = torch.searchsorted(graph.centers, torch.arange(n_atoms))
    columns = torch.arange(len(reverse)) - first[graph.centers]
    known = graph._replace(rows=PairRows(reverse, columns, int(columns.max()) + 1))
    torch.manual_seed(0)
    gradient = torch.randn(graph.vectors.shape, dtype=torch.float64, requires_grad=True)
    weights = torch.randn(n_atoms, 3, dtype=torch.float64)
    found, expected = forces(gradient, known), forces(gradient, graph)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    slopes = [torch.autograd.grad((one * weights).sum(), gradient)[0] for one in (found, expected)]
    torch.testing.assert_close(*slopes, rtol=0, atol=1e-12)


def test_without_pairs_forces_in_rows_are_zero(make_graph, ethanol):
    graph = make_graph([ethanol[:1]], [1, 6, 8], 3.5)
    none = torch.zeros(0, dtype=torch.long)
    known = graph._replace(rows=PairRows(none, none, 0))
    assert torch.equal(forces(graph.vectors, known), torch.zeros(1, 3, dtype=torch.float64))
