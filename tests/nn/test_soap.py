"""The power spectrum against a loop over atoms, and its written-out derivatives."""

import math

import pytest
import torch

from mtt.nn import SoapPowerSpectrum, neighborhoods

N_TYPES = 2


@pytest.fixture
def soap():
    return SoapPowerSpectrum(3.0, 0.8, max_radial=2, max_angular=2, n_types=N_TYPES).double()


@pytest.fixture
def inputs(surroundings):
    """The arguments of the power spectrum for the clusters."""
    centers, neighbors, vectors = surroundings
    return vectors, (neighbors % N_TYPES), neighborhoods(centers, torch.arange(15))


def naive(soap, centers, types, vectors) -> torch.Tensor:
    """The definition, atom by atom."""
    rows = []
    for atom in range(15):
        v, t = vectors[centers == atom], types[centers == atom]
        r = v.norm(dim=1)
        radial = (soap.radial(r) * soap.cutoff(r)[:, None]).split(soap.radial.n_per_l, dim=1)
        harmonics = soap.angular(v / r[:, None]).split(soap.m_per_l, dim=1)
        blocks = []
        for y, f in zip(harmonics, radial, strict=True):
            c = torch.stack([y[t == s].T @ f[t == s] for s in range(N_TYPES)], dim=2)
            c = c.flatten(1)
            blocks.append((c.T @ c).flatten())
        rows.append(torch.cat(blocks))
    return torch.stack(rows)


def test_values_are_those_of_the_definition(soap, inputs, surroundings):
    vectors, types, layout = inputs
    expected = naive(soap, surroundings[0], types, vectors)
    assert expected.shape[1] == soap.n_features
    torch.testing.assert_close(soap(vectors, types, layout), expected, rtol=0, atol=1e-13)


def test_one_neighbour_gives_products_of_radial_functions(soap):
    vectors = torch.tensor([[0.3, -0.4, 1.1]], dtype=torch.float64)
    layout = neighborhoods(torch.tensor([0]), torch.arange(1))
    spectrum = soap(vectors, torch.tensor([1]), layout)
    r = vectors.norm(dim=1)
    radial = (soap.radial(r) * soap.cutoff(r)).split(soap.radial.n_per_l, dim=1)
    start = 0
    for l, (f, k) in enumerate(zip(radial, soap.k_per_l, strict=True)):
        block = spectrum[0, start : start + k * k].view(k, k)[1::N_TYPES, 1::N_TYPES]
        # addition theorem: Σ_m Y_lm² = (2 l + 1) / 4π
        torch.testing.assert_close(block, f.T @ f * (2 * l + 1) / (4 * math.pi))
        start += k * k


@pytest.mark.parametrize("order", ["weights", "vectors", "third"])
def test_written_out_derivatives_are_those_of_automatic_differentiation(soap, inputs, order):
    vectors, types, layout = inputs
    generator = torch.Generator().manual_seed(1)
    shape = (15, soap.n_features)
    h0 = torch.randn(shape, generator=generator, dtype=torch.float64)
    u = torch.randn(vectors.shape, generator=generator, dtype=torch.float64)
    results = []
    # TorchScript takes the plain formula, and torch differentiates that
    for function in (soap, torch.jit.script(soap)):
        v = vectors.clone().requires_grad_(True)
        h = h0.clone().requires_grad_(True)
        (gradient,) = torch.autograd.grad(function(v, types, layout), v, h, create_graph=True)
        if order == "weights":
            found = torch.autograd.grad(gradient, h, u)
        elif order == "vectors":
            found = torch.autograd.grad(gradient, (v, h), u)
        else:
            second = torch.autograd.grad(gradient, (v, h), u, create_graph=True)
            found = torch.autograd.grad(sum(part.square().sum() for part in second), (v, h))
        results.append((gradient.detach(), *found))
    for ours, automatic in zip(*results, strict=True):
        torch.testing.assert_close(ours, automatic, rtol=1e-10, atol=1e-12)


def test_derivatives_agree_with_finite_differences(soap, inputs):
    vectors, types, layout = inputs
    few = soap.n_features // 4

    def function(v):
        return soap(v, types, layout)[:3, :few].tanh()

    assert torch.autograd.gradcheck(function, vectors.requires_grad_(True), fast_mode=True)
    assert torch.autograd.gradgradcheck(function, vectors, fast_mode=True)


def test_it_is_twice_differentiable_where_a_neighbour_leaves(soap):
    layout = neighborhoods(torch.tensor([0, 0]), torch.arange(1))

    def curvature(r: float) -> torch.Tensor:
        x = torch.tensor(r, dtype=torch.float64, requires_grad=True)
        other = torch.tensor([[0.0, 1.0, 0.2]], dtype=torch.float64)
        vectors = torch.cat([torch.stack([x, x * 0, x * 0])[None], other])
        value = soap(vectors, torch.tensor([0, 1]), layout).sum()
        (first,) = torch.autograd.grad(value, x, create_graph=True)
        (second,) = torch.autograd.grad(first, x)
        return torch.stack([value.detach(), first.detach(), second])

    beyond = curvature(3.0 + 1e-6)
    assert torch.equal(beyond[1:], torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(curvature(3.0 - 1e-6), beyond, rtol=0, atol=1e-4)
    # the function begins to fall at 3.0 - 0.8
    torch.testing.assert_close(curvature(2.2 - 1e-7), curvature(2.2 + 1e-7), rtol=0, atol=1e-4)


def test_atoms_without_neighbours_have_a_spectrum_of_zeros(soap):
    nothing = neighborhoods(torch.zeros(0, dtype=torch.long), torch.arange(4))
    vectors = torch.zeros(0, 3, dtype=torch.float64, requires_grad=True)
    spectrum = soap(vectors, torch.zeros(0, dtype=torch.long), nothing)
    assert torch.equal(spectrum, torch.zeros(4, soap.n_features, dtype=torch.float64))
    one_pair = neighborhoods(torch.tensor([2]), torch.arange(4))
    vector = torch.tensor([[1.0, 0.0, 0.0]], dtype=torch.float64)
    spectrum = soap(vector, torch.tensor([0]), one_pair)
    assert bool((spectrum[[0, 1, 3]] == 0).all())
    assert float(spectrum[2].abs().sum()) > 0


def test_only_derivatives_by_weights_take_the_short_way(soap, inputs):
    """``backward(inputs=parameters)`` never evaluates second derivatives by vectors."""
    vectors, types, layout = inputs
    weights = torch.ones(soap.n_features, dtype=torch.float64, requires_grad=True)
    v = vectors.clone().requires_grad_(True)
    energy = (soap(v, types, layout) @ weights).tanh().sum()
    (gradient,) = torch.autograd.grad(energy, v, create_graph=True)
    with torch.profiler.profile() as profile:
        torch.autograd.backward(gradient.square().sum(), inputs=[weights])
    assert not any("Curvature" in event.key for event in profile.key_averages())
    assert weights.grad is not None


def test_fewer_elements_are_some_of_the_features(inputs):
    """Surroundings that hold elements 0 and 2 of three alone, and the same as 0 and 1 of two."""
    vectors, types, layout = inputs
    two, three = (
        SoapPowerSpectrum(3.0, 0.8, max_radial=2, max_angular=2, n_types=n).double() for n in (2, 3)
    )
    more = three(vectors, 2 * types, layout)
    columns = three.features_of([0, 2])
    torch.testing.assert_close(more[:, columns], two(vectors, types, layout))
    others = torch.ones(three.n_features, dtype=torch.bool)
    others[columns] = False
    assert bool((more[:, others] == 0).all())
