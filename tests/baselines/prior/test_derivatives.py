"""Derivatives of the prior: right where it is smooth, finite where it is not."""

import math

import pytest
import torch
from torch.autograd import gradcheck, gradgradcheck

from mtt import Graph
from mtt.baselines.prior import Prior

TYPES = [1, 6, 8]
ANGLE = {"k": 4.0, "theta0": 2.0}


def fully_bonded(positions, pairs, types):
    """The graph of one molecule whose pairs are ``pairs``, as a function of positions."""
    both = sorted([*pairs, *((j, i) for i, j in pairs)])
    centers, neighbors = torch.tensor(both).unbind(1)
    return Graph(
        types=torch.tensor(types),
        system=torch.zeros(len(types), dtype=torch.long),
        n_systems=1,
        centers=centers,
        neighbors=neighbors,
        vectors=positions[neighbors] - positions[centers],
        positions=positions,
        cells=torch.zeros(1, 3, 3, dtype=torch.float64),
    )


def water(theta, **option):
    """H-O-H at an angle ``theta``, energies by an angle alone."""
    topology = {"from": "molecules", "molecules": [{"elements": "O H H", "bonds": "0-1 0-2"}]}
    prior = Prior({"topology": {**topology, "longest_bond": 2.0}, **option}, TYPES, "", "")
    at = torch.tensor(
        [[0, 0, 0], [0.9, 0, 0], [math.cos(theta), math.sin(theta), 0]], dtype=torch.float64
    )
    return prior, at


def of(prior, pairs, types):
    return lambda at: prior(fully_bonded(at, pairs, types)).sum()


PAIRS = [(0, 1), (0, 2), (1, 2)]


@pytest.mark.parametrize("theta", [0.3, 1.2, 2.5, math.pi - 1e-3, math.pi - 1e-5])
def test_angles_have_the_right_gradient_up_to_pi(theta):
    prior, at = water(theta, angles={"H-O-H": ANGLE})
    energy = of(prior, PAIRS, [2, 0, 0])
    eps = 1e-6 if math.pi - theta > 1e-4 else 1e-8
    assert gradcheck(energy, at.requires_grad_(True), eps=eps, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("theta", [1.2, 2.5, math.pi - 1e-2])
def test_forces_have_the_right_gradient(theta):
    prior, at = water(theta, angles={"H-O-H": ANGLE}, bonds={"O-H": {"k": 9.0, "r0": 1.1}})
    assert gradgradcheck(of(prior, PAIRS, [2, 0, 0]), at.requires_grad_(True), atol=1e-4)


def test_all_terms_have_the_right_gradients(make_graph, hypers, ethanol):
    prior = Prior(hypers, TYPES, "angstrom", "eV")
    graph = make_graph([ethanol], prior.cutoff)
    graph = graph._replace(vectors=graph.vectors[:, :])

    def energy(vectors):
        return prior(graph._replace(vectors=vectors)).sum()

    vectors = graph.vectors.clone().requires_grad_(True)
    assert gradcheck(energy, vectors)
    parameters = list(prior.parameters())
    assert gradcheck(lambda *_: prior(graph).sum(), parameters)


@pytest.mark.parametrize("theta0", [2.0, math.pi])
@pytest.mark.parametrize("theta", [0.0, math.pi])
def test_atoms_on_a_line_give_no_nan_in_two_derivatives(theta, theta0):
    prior, at = water(theta, angles={"H-O-H": {"k": 4.0, "theta0": theta0}})
    at[2] = torch.tensor([math.copysign(1.0, math.cos(theta)), 0.0, 0.0])  # exactly on it
    at.requires_grad_(True)
    energy = of(prior, PAIRS, [2, 0, 0])(at)
    assert energy.item() == pytest.approx(2.0 * (theta - theta0) ** 2, abs=1e-9)
    check_finite(energy, at)


def test_chains_on_a_line_give_no_nan_in_two_derivatives():
    types, bonds = [1, 1, 1, 1], "0-1 1-2 2-3"
    molecules = [{"elements": "C C C C", "bonds": bonds}]
    prior = Prior(
        {
            "topology": {"from": "molecules", "molecules": molecules, "longest_bond": 2.0},
            "dihedrals": {"C-C-C-C": {"cos": [0.5, 0.1]}},
        },
        TYPES, "", "",
    )  # fmt: skip
    at = torch.tensor([[0.0, 0, 0], [1, 0, 0], [2, 0, 0], [2.5, 0.7, 0]], dtype=torch.float64)
    at.requires_grad_(True)
    energy = of(prior, [(0, 1), (1, 2), (2, 3)], types)(at)
    check_finite(energy, at)


def test_coincident_atoms_give_no_nan_in_two_derivatives(hypers):
    prior = Prior(hypers, TYPES, "angstrom", "eV")
    at = torch.tensor([[0.0, 0, 0], [0, 0, 0], [1.0, 0, 0], [1.2, 0.9, 0], [0, 0, 0]]).double()
    at.requires_grad_(True)
    pairs = [(i, j) for i in range(5) for j in range(i + 1, 5)]
    energy = of(prior, pairs, [1, 0, 1, 2, 2])(at)
    check_finite(energy, at)
    repelled = Prior({"repulsion": hypers["repulsion"]}, TYPES, "angstrom", "eV")
    check_finite(of(repelled, pairs, [1, 0, 1, 2, 2])(at), at)


def check_finite(energy, at):
    (gradient,) = torch.autograd.grad(energy, at, create_graph=True)
    assert torch.isfinite(energy)
    assert torch.isfinite(gradient).all()
    (second,) = torch.autograd.grad(gradient.square().sum(), at)
    assert torch.isfinite(second).all()
