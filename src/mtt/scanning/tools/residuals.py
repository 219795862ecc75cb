"""Energies without what the composition explains, and how far a value is from the others."""

from __future__ import annotations

import numpy as np

from mtt.scanning.tools.structures import Float, Mask, Structures

_MAD = 1.4826  # from median of deviations to standard deviation


def per_element(structures: Structures, values: Float, used: Mask) -> Float:
    """[n_types] least-squares contribution of each element to ``values`` of ``used`` structures.

    Fitted again without what is far off, so that a few outliers do not hide themselves.
    """
    used = used & np.isfinite(values)
    weights = np.zeros(structures.counts.shape[1])
    for _ in range(3):
        if not used.any():
            break
        weights = np.linalg.lstsq(structures.counts[used], values[used], rcond=None)[0]
        off = robust_score((values - structures.counts @ weights) / structures.n_atoms, used)
        used = used & (off < 8.0)
    return weights


def energies_per_atom(structures: Structures, name: str) -> Float:
    """[n] of the energy ``name``, by atom and without the contributions of elements."""
    energy = structures.energy(name)
    several = structures.n_atoms > 1
    rest = energy - structures.counts @ per_element(structures, energy, several)
    per_atom: Float = rest / structures.n_atoms
    return per_atom


def robust_score(values: Float, used: Mask) -> Float:
    """[n] distance from the median of ``used`` values, in robust standard deviations.

    0 where a value is missing, or where values have no spread.
    """
    known = values[used & np.isfinite(values)]
    if not len(known):
        return np.zeros(len(values))
    middle = np.median(known)
    spread = _MAD * np.median(np.abs(known - middle))
    if spread < 1e-12 * max(abs(middle), 1.0):
        return np.zeros(len(values))
    score: Float = np.nan_to_num(np.abs(values - middle) / spread)
    return score
