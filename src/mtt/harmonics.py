"""Real spherical harmonics: their recursion, and how their components turn.

Components of degree l are in the order m = -l … l, without Condon-Shortley phase: those of l = 1
are y, z and x. A tensor of degree l with σ = 1 turns as the harmonics do, with the sign (-1)^l
under inversion; one with σ = -1, a pseudotensor, has the other sign.
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import torch
from torch import Tensor

FROM_XYZ = (1, 2, 0)
"""Places among x, y, z of the components of l = 1."""


def coupling_matrix(l: int) -> Tensor:
    """C_l, [3 (2l - 1), 2l + 1] float64, such that Y_l = (v ⊗ Y_(l-1)) C_l on the sphere.

    The integrals ∫ v_i Y_(l-1),a Y_l,b dΩ, which are the stretched coupling up to a factor,
    are exact with a Gauss-Legendre rule in cos θ and a uniform one in φ.
    """
    z, weights = np.polynomial.legendre.leggauss(l + 1)
    n_phi = 2 * l + 2
    phi = 2 * math.pi / n_phi * np.arange(n_phi)
    z, phi = (grid.ravel() for grid in np.meshgrid(z, phi, indexing="ij"))
    weights = np.repeat(weights, n_phi) * 2 * math.pi / n_phi
    rho = np.sqrt(1 - z * z)
    vectors = np.stack([rho * np.cos(phi), rho * np.sin(phi), z], axis=1)
    below, own = _harmonics(l - 1, z, phi), _harmonics(l, z, phi)
    integrals = np.einsum("q,qi,qa,qb->iab", weights, vectors, below, own)
    # the factor: for coupled functions v ⊗ Y_(l-1) · integrals = (norm² of a column) Y_l
    matrix = integrals.reshape(-1, 2 * l + 1)
    outer = (vectors[:, :, None] * below[:, None, :]).reshape(len(z), -1)
    coupled = outer @ matrix
    scale = (weights[:, None] * coupled**2).sum() / (2 * l + 1)
    return torch.from_numpy(matrix / math.sqrt(scale))


def _harmonics(l: int, z: np.ndarray, phi: np.ndarray) -> np.ndarray:
    """Y_lm from the textbook form N P_l^m(z) cos/sin(m φ), [n, 2l + 1] (set-up only)."""
    rho = np.sqrt(1 - z * z)
    columns = np.zeros((len(z), 2 * l + 1))
    for m in range(l + 1):
        # associated Legendre functions by upward recursion in the degree, without phase
        previous, current = np.zeros_like(z), math.prod(range(1, 2 * m, 2)) * rho**m
        for k in range(m, l):
            following = ((2 * k + 1) * z * current - (k + m) * previous) / (k - m + 1)
            previous, current = current, following
        ratio = math.factorial(l - m) / math.factorial(l + m)
        values = math.sqrt((2 * l + 1) / (4 * math.pi) * ratio) * current
        if m == 0:
            columns[:, l] = values
        else:
            columns[:, l + m] = math.sqrt(2) * values * np.cos(m * phi)
            columns[:, l - m] = math.sqrt(2) * values * np.sin(m * phi)
    return columns


def turning(l: int, sigma: int, matrices: Tensor) -> Tensor:
    """[m, 2l + 1, 2l + 1]: how components of degree ``l`` turn, those of harmonics with σ = 1.

    ``Y_l(Q r) = D_l(Q) Y_l(r)``; D_l is the stretched part of Q ⊗ D_(l-1). Varshalovich, Moskalev
    and Khersonskii, Quantum Theory of Angular Momentum (1988), 4.6.

    :param sigma: 1, or -1 for pseudotensors.
    :param matrices: [m, 3, 3], orthogonal; of determinant -1 where they hold an inversion.
    """
    if l == 0:
        turned = matrices.new_ones(len(matrices), 1, 1)
    else:
        couple = _orthonormal(l).to(matrices)
        below = turning(l - 1, 1, matrices)
        left = torch.einsum("iam,nij->nmaj", couple, matrices)
        left = torch.einsum("nmaj,nab->nmjb", left, below)
        turned = torch.einsum("nmjb,jbk->nmk", left, couple)
    return turned if sigma == 1 else turned * torch.linalg.det(matrices).sign()[:, None, None]


@cache
def generators(l: int) -> Tensor:
    """[3, 2l + 1, 2l + 1] float64, antisymmetric: dD_l/dθ at θ = 0 of turns about x, y and z.

    ``Σ_a u_a (G_a w)_m`` of a vector u and of w of degree l is of degree l, and has the σ that
    the product of both has not: for l = 1 it is the cross product.
    """
    axes = torch.zeros(3, 3, 3, dtype=torch.float64)
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        axes[a, c, b], axes[a, b, c] = 1.0, -1.0
    if l == 0:
        return axes.new_zeros(3, 1, 1)
    couple, below = _orthonormal(l), generators(l - 1)
    first = torch.einsum("iam,xij,jak->xmk", couple, axes, couple)
    return first + torch.einsum("iam,xab,ibk->xmk", couple, below, couple)


@cache
def cartesian_parts() -> dict[tuple[int, int], Tensor]:
    """(l, σ) to [3, 3, 2l + 1] float64: the 3×3 tensors of unit norm that turn as (l, σ) do.

    The unit matrix; the antisymmetric tensors, of a pseudovector in the order y, z, x; the
    symmetric ones without trace.
    """
    order = list(FROM_XYZ)
    epsilon = torch.zeros(3, 3, 3, dtype=torch.float64)
    for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
        epsilon[a, b, c], epsilon[b, a, c] = 1.0, -1.0
    symmetric = torch.zeros(3, 3, 5, dtype=torch.float64)
    symmetric[:, order] = _orthonormal(2)
    return {
        (0, 1): torch.eye(3, dtype=torch.float64)[:, :, None] / math.sqrt(3.0),
        (1, -1): epsilon[:, :, order] / math.sqrt(2.0),
        (2, 1): symmetric,
    }


@cache
def _orthonormal(l: int) -> Tensor:
    """[3, 2l - 1, 2l + 1] float64, :func:`coupling_matrix` with columns of unit norm."""
    matrix = coupling_matrix(l)
    units: Tensor = matrix / torch.linalg.vector_norm(matrix, dim=0)
    return units.reshape(3, 2 * l - 1, 2 * l + 1)


@cache
def coupling(l1: int, l2: int, l: int) -> Tensor:
    """[2l1 + 1, 2l2 + 1, 2l + 1] float64: ``Σ c[a, b, m] x_a y_b`` turns as degree ``l`` does.

    Clebsch-Gordan coefficients in the real basis, with orthonormal columns. Where l1 + l2 + l is
    odd, the product changes its sign under inversion unlike a harmonic does (a pseudotensor).

    Varshalovich, Moskalev and Khersonskii, Quantum Theory of Angular Momentum (1988), 8.2.1.
    """
    left, right, result = (_complex_to_real(degree) for degree in (l1, l2, l))
    table = _clebsch_gordan(l1, l2, l)
    found = np.einsum("ai,bj,mk,ijk->abm", left, right, result.conj(), table)
    # of one kind is real, of the other kind imaginary
    part = found.real if (l1 + l2 + l) % 2 == 0 else found.imag
    return torch.from_numpy(np.ascontiguousarray(part))


def _complex_to_real(l: int) -> np.ndarray:
    """[2l + 1, 2l + 1] conjugate real harmonics (m = -l … l, no phase) from the complex ones."""
    matrix = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    matrix[l, l] = 1.0
    for m in range(1, l + 1):
        sign = (-1) ** m
        matrix[l + m, l + m], matrix[l + m, l - m] = sign / math.sqrt(2), 1 / math.sqrt(2)
        matrix[l - m, l + m], matrix[l - m, l - m] = -1j * sign / math.sqrt(2), 1j / math.sqrt(2)
    return matrix


def _clebsch_gordan(l1: int, l2: int, l: int) -> np.ndarray:
    """⟨l1 m1 l2 m2 | l m⟩, [2l1 + 1, 2l2 + 1, 2l + 1], by Racah's sum."""
    f = math.factorial
    table = np.zeros((2 * l1 + 1, 2 * l2 + 1, 2 * l + 1))
    triangle = f(l + l1 - l2) * f(l - l1 + l2) * f(l1 + l2 - l) / f(l1 + l2 + l + 1)
    for m1 in range(-l1, l1 + 1):
        for m2 in range(max(-l2, -l - m1), min(l2, l - m1) + 1):
            m = m1 + m2
            sizes = f(l + m) * f(l - m) * f(l1 - m1) * f(l1 + m1) * f(l2 - m2) * f(l2 + m2)
            total = 0.0
            for k in range(l1 + l2 - l + 1):
                parts: list[int] = [
                    k,
                    l1 + l2 - l - k,
                    l1 - m1 - k,
                    l2 + m2 - k,
                    l - l2 + m1 + k,
                    l - l1 - m2 + k,
                ]
                if min(parts) >= 0:
                    total += (-1) ** k / math.prod(map(f, parts))
            value = math.sqrt((2 * l + 1) * triangle * sizes) * total
            table[l1 + m1, l2 + m2, l + m] = value
    return table
