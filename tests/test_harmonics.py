"""Real spherical harmonics turn as the matrices of degree l say; 3×3 tensors fall into parts."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mtt.data.batching.augmentation import rotations
from mtt.harmonics import FROM_XYZ, cartesian_parts, generators, turning
from mtt.nn import SphericalHarmonics

L_MAX = 5


@pytest.fixture(scope="module")
def matrices() -> torch.Tensor:
    """Four rotations, two of them followed by the inversion."""
    found = torch.tensor(rotations(np.random.default_rng(0).uniform(size=(4, 3))))
    found[::2] *= -1
    return found


@pytest.mark.parametrize("l", range(L_MAX + 1))
def test_harmonics_of_turned_points_are_turned_harmonics(l: int, matrices: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(1)
    points = torch.randn(7, 3, dtype=torch.float64, generator=generator)
    points = points / points.norm(dim=1, keepdim=True)
    harmonics, own = SphericalHarmonics(L_MAX).double(), slice(l * l, (l + 1) ** 2)
    for Q, D in zip(matrices, turning(l, 1, matrices), strict=True):
        before, after = harmonics(points)[:, own], harmonics(points @ Q.T)[:, own]
        torch.testing.assert_close(after, before @ D.T)


@pytest.mark.parametrize("l", range(L_MAX + 1))
def test_pseudotensors_have_the_other_sign_under_inversion(l: int, matrices: torch.Tensor) -> None:
    signs = torch.linalg.det(matrices)[:, None, None]
    torch.testing.assert_close(turning(l, -1, matrices), signs * turning(l, 1, matrices))
    inversion = -torch.eye(3, dtype=torch.float64)[None]
    ones = torch.eye(2 * l + 1, dtype=torch.float64)[None]
    torch.testing.assert_close(turning(l, 1, inversion), (-1.0) ** l * ones)


@pytest.mark.parametrize("l", range(1, L_MAX + 1))
def test_products_by_generators_are_pseudotensors(l: int, matrices: torch.Tensor) -> None:
    generator = torch.Generator().manual_seed(2)
    u = torch.randn(3, dtype=torch.float64, generator=generator)
    w = torch.randn(2 * l + 1, dtype=torch.float64, generator=generator)

    def product(u: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
        return torch.einsum("a,amn,n->m", u, generators(l), w)

    plain, pseudo = turning(l, 1, matrices), turning(l, -1, matrices)
    for Q, D, P in zip(matrices, plain, pseudo, strict=True):
        torch.testing.assert_close(product(Q @ u, D @ w), P @ product(u, w))
    if l == 1:
        order = list(FROM_XYZ)
        cross = torch.linalg.cross(u, w[[2, 0, 1]])
        torch.testing.assert_close(product(u, w), cross[order])


def test_tensors_fall_into_a_trace_a_pseudovector_and_the_rest(matrices: torch.Tensor) -> None:
    parts = cartesian_parts()
    assert list(parts) == [(0, 1), (1, -1), (2, 1)]
    whole = torch.cat([part.flatten(0, 1) for part in parts.values()], dim=1)
    torch.testing.assert_close(whole.T @ whole, torch.eye(9, dtype=torch.float64))
    for (l, sigma), part in parts.items():
        for Q, D in zip(matrices, turning(l, sigma, matrices), strict=True):
            turned = torch.einsum("ai,bj,ijm->abm", Q, Q, part)
            torch.testing.assert_close(turned, part @ D)
