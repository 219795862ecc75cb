"""Coupling of real spherical harmonics, for the products of an atom's density with itself."""

import math
from functools import cache
from typing import List

import numpy as np
import torch
from torch import Tensor


@cache
def coupling(l1: int, l2: int, l: int) -> Tensor:
    """[2l1 + 1, 2l2 + 1, 2l + 1] float64: ``Σ c[a, b, m] x_a y_b`` turns as degree ``l`` does.

    Clebsch-Gordan coefficients in the real basis of :class:`mtt.nn.SphericalHarmonics`, which
    are orthonormal: ``Σ_ab c[a, b, m] c[a, b, n] = δ_mn``. Where l1 + l2 + l is odd, the product
    changes its sign under inversion unlike a harmonic does (a pseudotensor).

    Varshalovich, Moskalev and Khersonskii, Quantum Theory of Angular Momentum (1988), 8.2.1.
    """
    found = np.einsum(
        "ai,bj,mk,ijk->abm", _real(l1), _real(l2), _real(l).conj(), _complex(l1, l2, l)
    )
    # of one kind is real, of the other kind imaginary
    part = found.real if (l1 + l2 + l) % 2 == 0 else found.imag
    return torch.from_numpy(np.ascontiguousarray(part))


def _real(l: int) -> np.ndarray:
    """[2l + 1, 2l + 1] conjugate real harmonics (m = -l … l, no phase) from the complex ones."""
    matrix = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    matrix[l, l] = 1.0
    for m in range(1, l + 1):
        sign = (-1) ** m
        matrix[l + m, l + m], matrix[l + m, l - m] = sign / math.sqrt(2), 1 / math.sqrt(2)
        matrix[l - m, l + m], matrix[l - m, l - m] = -1j * sign / math.sqrt(2), 1j / math.sqrt(2)
    return matrix


def _complex(l1: int, l2: int, l: int) -> np.ndarray:
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
                parts: List[int] = [
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
