"""Mixed precision leaves the geometry alone: bases and power spectra keep every digit."""

import pytest
import torch

from mtt.nn import (
    LaplacianEigenstates,
    PairBasis,
    SoapPowerSpectrum,
    SpeciesNormLinear,
    SphericalHarmonics,
    neighborhoods,
)

LOW = [torch.bfloat16, torch.float16]


@pytest.mark.parametrize("dtype", LOW)
def test_radial_functions_keep_their_precision(dtype):
    radial, r = LaplacianEigenstates(5.0, 4, 3), torch.linspace(0.1, 5.0, 40)
    expected, slopes = radial.with_derivative(r)
    with torch.autocast("cpu", dtype):
        assert torch.equal(radial(r), expected)
        assert torch.equal(radial.with_derivative(r)[1], slopes)


@pytest.mark.parametrize("dtype", LOW)
def test_spherical_harmonics_keep_their_precision(dtype):
    angular, units = SphericalHarmonics(4), torch.nn.functional.normalize(torch.randn(9, 3), dim=1)
    expected = angular(units)
    with torch.autocast("cpu", dtype):
        assert torch.equal(angular(units), expected)


@pytest.mark.parametrize("dtype", LOW)
def test_functions_of_pairs_and_their_derivatives_keep_their_precision(surroundings, dtype):
    basis = PairBasis(3.0, 0.8, 2, 4)

    def derivatives(low):
        at = surroundings[2].float().requires_grad_(True)
        with torch.autocast("cpu", low, enabled=low is not None):
            values = basis(at)
        (gradient,) = torch.autograd.grad(values.square().sum(), at, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), at)
        return values, gradient, second

    for one, two in zip(derivatives(dtype), derivatives(None), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, two)


@pytest.mark.parametrize("dtype", LOW)
def test_power_spectra_and_their_derivatives_keep_their_precision(surroundings, dtype):
    centers, neighbors, vectors = surroundings
    soap = SoapPowerSpectrum(3.0, 0.8, max_radial=2, max_angular=2, n_types=2)
    layout = neighborhoods(centers, torch.arange(15))

    def derivatives(low):
        at = vectors.float().requires_grad_(True)
        with torch.autocast("cpu", low, enabled=low is not None):
            spectrum = soap(at, neighbors % 2, layout)
        (gradient,) = torch.autograd.grad(spectrum.square().sum(), at, create_graph=True)
        (second,) = torch.autograd.grad(gradient.square().sum(), at)
        return spectrum, gradient, second

    for one, two in zip(derivatives(dtype), derivatives(None), strict=True):
        assert one.dtype == torch.float32
        assert torch.equal(one, two)


@pytest.mark.parametrize("some", [False, True])
@pytest.mark.parametrize("dtype", LOW)
def test_normalisation_of_features_far_from_zero_keeps_its_size(dtype, some):
    layer, x = SpeciesNormLinear(2, 64, 5), 1 + 0.05 * torch.randn(7, 64)
    if some:
        layer.normalise_over(torch.rand(2, 64) < 0.7)
    expected = layer(x, [3, 4])
    with torch.autocast("cpu", dtype):
        found = layer(x, [3, 4])
    # bfloat16 has 8 bits; the spread of the features is a twentieth of their mean
    assert (found - expected).abs().max() < 0.02 * expected.std()
