"""Silicon as J. Tersoff, Phys. Rev. B 39, 5566 (1989) describes it, with ASE's calculator."""

from __future__ import annotations

from ase.calculators.tersoff import Tersoff, TersoffParameters

LATTICE = 5.432  # Å
INNER, OUTER = 2.7, 3.0  # Å, where the cutoff begins and ends
PARAMETERS = TersoffParameters(
    A=1830.8, B=471.18, lambda1=2.4799, lambda2=1.7322, lambda3=0.0, beta=1.1e-6, n=0.78734,
    c=1.0039e5, d=16.217, h=-0.59825, R=(INNER + OUTER) / 2, D=(OUTER - INNER) / 2, m=3.0,
    gamma=1.0,
)  # fmt: skip


def silicon() -> Tersoff:
    """A calculator of energy (eV), forces (eV/Å), stress (eV/Å³)."""
    return Tersoff({("Si", "Si", "Si"): PARAMETERS})
