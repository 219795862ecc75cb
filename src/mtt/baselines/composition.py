"""The composition baseline: one energy per element, fitted by least squares."""

from __future__ import annotations

import logging
from collections.abc import Sequence

import torch
from ase.data import chemical_symbols
from torch import Tensor

log = logging.getLogger(__name__)


Undetermined = dict[str, list[str]]
"""From elements that the data do not determine one by one to the targets concerned."""


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


def _solve(counts: Tensor, values: Tensor, atomic_types: Sequence[int]) -> tuple[Tensor, str]:
    """Weights [n_types, properties], and the elements that labelled samples do not determine."""
    used = counts.sum(dim=0) > 0
    weights = torch.zeros(counts.shape[1], values.shape[1], dtype=torch.float64)
    if not bool(used.any()):
        return weights, ""
    solution = torch.linalg.lstsq(counts[:, used], values, driver="gelsd")
    weights[used] = solution.solution
    rank, n_used = int(solution.rank), int(used.sum())
    if rank == n_used:
        return weights, ""
    symbols = [chemical_symbols[z] for z, u in zip(atomic_types, used, strict=True) if u]
    return weights, f"{', '.join(symbols)} (rank {rank} of {n_used})"


def fit_columns(
    counts: Tensor,
    values: Tensor,
    atomic_types: Sequence[int],
    name: str,
    undetermined: Undetermined | None = None,
) -> Tensor:
    """:func:`fit_composition` of each property by itself: samples of other elements lack it."""
    columns = values.split(1, dim=1)
    fits = [fit_composition(counts, one, atomic_types, name, undetermined) for one in columns]
    return torch.cat(fits, dim=1)


def warn_of(undetermined: Undetermined) -> None:
    """One warning for all targets with the same elements that are not determined."""
    for elements, names in undetermined.items():
        log.warning(
            "the compositions of the training set do not determine the baselines of %s of %s: "
            "predictions hold for these compositions, and not for others, such as fragments or "
            "isolated atoms; to change that, add structures of other compositions, or give "
            "atomic_baseline: {%s: {%s: ...}}",
            elements,
            ", ".join(names),
            names[0],
            elements.partition(",")[0].partition(" ")[0],
        )
