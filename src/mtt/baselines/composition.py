"""The composition baseline: one energy per element, fitted by least squares."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

import torch
from ase.data import chemical_symbols
from torch import Tensor

log = logging.getLogger(__name__)


def fit_composition(counts: Tensor, values: Tensor, atomic_types: Sequence[int]) -> Tensor:
    """Least-squares weights [n_types, properties]: ``counts @ weights ≈ values``.

    Where the data do not determine every element (all structures of one composition, an
    element that always comes with another), the solution of least norm is taken and a
    message says so. Samples with a missing value are left out.

    :param counts: [n, n_types] float64, atoms of each element per sample.
    :param values: [n, properties] float64, NaN where missing.
    """
    present = ~torch.isnan(values).any(dim=1)
    counts, values = counts[present], values[present]
    used = counts.sum(dim=0) > 0
    weights = torch.zeros(counts.shape[1], values.shape[1], dtype=torch.float64)
    if not bool(used.any()):
        return weights
    solution = torch.linalg.lstsq(counts[:, used], values, driver="gelsd")
    weights[used] = solution.solution
    rank, n_used = int(solution.rank), int(used.sum())
    if rank < n_used:
        symbols = [chemical_symbols[z] for z, u in zip(atomic_types, used, strict=True) if u]
        log.warning(
            "the training set does not determine the energies of %s one by one (rank %d of %d); "
            "the smallest solution serves its compositions, and says nothing of others",
            ", ".join(symbols),
            rank,
            n_used,
        )
    return weights


def fixed_composition(
    given: float | Mapping[int, float], atomic_types: Sequence[int], properties: int
) -> Tensor:
    """Weights [n_types, properties] that the user gives: one number, or one per element."""
    per_type = [float(given[z] if isinstance(given, Mapping) else given) for z in atomic_types]
    column = torch.tensor(per_type, dtype=torch.float64)
    return column[:, None].repeat(1, properties)
