"""Couplings of real harmonics: they turn with the structure, and are orthonormal."""

import itertools

import pytest
import torch

from mtt.nn import SphericalHarmonics, coupling

ALL = [
    (l1, l2, l)
    for l1, l2 in itertools.product(range(4), repeat=2)
    for l in range(abs(l1 - l2), min(l1 + l2, 4) + 1)
]


@pytest.fixture(scope="module")
def turned() -> list[torch.Tensor]:
    """How harmonics of each degree turn with a rotation: Y(R v) = D Y(v)."""
    generator = torch.Generator().manual_seed(1)
    q, r = torch.linalg.qr(torch.randn(3, 3, dtype=torch.float64, generator=generator))
    rotation = q * r.diagonal().sign()
    rotation = rotation * torch.linalg.det(rotation)
    harmonics = SphericalHarmonics(4).double()
    v = torch.randn(60, 3, dtype=torch.float64, generator=generator)
    v = v / v.norm(dim=1, keepdim=True)
    before, after = harmonics(v), harmonics(v @ rotation.T)
    degrees = [slice(l * l, (l + 1) ** 2) for l in range(5)]
    return [torch.linalg.lstsq(before[:, d], after[:, d]).solution.T for d in degrees]


@pytest.mark.parametrize(("l1", "l2", "l"), ALL)
def test_a_product_turns_as_a_harmonic_of_its_degree(
    turned: list[torch.Tensor], l1: int, l2: int, l: int
) -> None:
    table = coupling(l1, l2, l)
    of_turned = torch.einsum("abm,ax,by->xym", table, turned[l1], turned[l2])
    torch.testing.assert_close(of_turned, table @ turned[l].T, atol=1e-12, rtol=0)
    square = torch.einsum("abm,abn->mn", table, table)
    torch.testing.assert_close(square, torch.eye(2 * l + 1).double(), atol=1e-12, rtol=0)
