"""The composition baseline: one energy per element, fitted by least squares."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import NamedTuple

import torch
from ase.data import chemical_symbols
from torch import Tensor

log = logging.getLogger(__name__)


class Elements(NamedTuple):
    """Elements whose numbers the data do not determine one by one.

    :param rank: of the compositions: how many combinations of these numbers they fix.
    """

    symbols: tuple[str, ...]
    rank: int


Undetermined = dict[Elements, list[str]]
"""To the targets concerned."""


def fit_composition(
    counts: Tensor,
    values: Tensor,
    atomic_types: Sequence[int],
    name: str = "energy",
    undetermined: Undetermined | None = None,
) -> Tensor:
    """Least-squares weights [n_types, properties]: ``counts @ weights ≈ values``.

    Where the data do not determine every element (all structures of one composition, an
    element that always comes with another), the solution of least norm is taken and a
    warning says so. Each property is fitted to the samples that have it: a spectrum may lack some
    of its points.

    :param counts: [n, n_types] float64, atoms of each element per sample.
    :param values: [n, properties] float64, NaN where missing.
    :param name: of the target, for the warning.
    :param undetermined: collects what to warn of, so that a fit of several targets warns
        once with :func:`warn_of`; None warns here.
    """
    weights = torch.zeros(counts.shape[1], values.shape[1], dtype=torch.float64)
    found = Undetermined()
    present = ~torch.isnan(values)
    patterns, of = torch.unique(present, dim=1, return_inverse=True)
    order = patterns.sum(dim=0).argsort(descending=True).tolist()
    for number in order:
        columns, rows = of == number, patterns[:, number]
        solution, undetermined_here = _solve(counts[rows], values[rows][:, columns], atomic_types)
        weights[:, columns] = solution
        if undetermined_here and number == order[0]:
            found.setdefault(undetermined_here, []).append(name)
    if undetermined is None:
        warn_of(found)
    else:
        for elements, names in found.items():
            undetermined.setdefault(elements, []).extend(names)
    return weights


def _solve(
    counts: Tensor, values: Tensor, atomic_types: Sequence[int]
) -> tuple[Tensor, Elements | None]:
    """Weights [n_types, properties], and the elements that labelled samples do not determine."""
    used = counts.sum(dim=0) > 0
    weights = torch.zeros(counts.shape[1], values.shape[1], dtype=torch.float64)
    if not bool(used.any()):
        return weights, None
    solution = torch.linalg.lstsq(counts[:, used], values, driver="gelsd")
    weights[used] = solution.solution
    rank, n_used = int(solution.rank), int(used.sum())
    if rank == n_used:
        return weights, None
    symbols = [chemical_symbols[z] for z, u in zip(atomic_types, used, strict=True) if u]
    return weights, Elements(tuple(symbols), rank)


def warn_of(undetermined: Undetermined) -> None:
    """One warning for all targets with the same elements that are not determined."""
    for (symbols, rank), names in undetermined.items():
        log.warning(
            "the compositions of the training set do not fix the baseline of each element (%s) of "
            "%s: %d of %d combinations %s known. Predictions hold for compositions like these, "
            "not for fragments or isolated atoms; to change that, add structures of other "
            "compositions, or give atomic_baseline: {%s: {%s: ...}}",
            ", ".join(symbols),
            ", ".join(names),
            rank,
            len(symbols),
            "is" if rank == 1 else "are",
            names[0],
            symbols[0],
        )
