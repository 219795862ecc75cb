"""What the prior takes from the training set: molecules, and values by Boltzmann inversion.

Bonds and angles: x0 = mean of x, k = k_B T / variance of x. Dihedral angles: the Fourier series
is fitted to -k_B T ln P(φ), P the histogram of the angles, by least squares with a small ridge.
The terms are inverted one by one, as if they were independent, and the Jacobians of r and θ (r²,
sin θ) are not divided out: good values to start from. Reith, Pütz and Müller-Plathe, J. Comput.
Chem. 24, 1624 (2003).
"""

from __future__ import annotations

import logging
import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import torch
from ase.units import kB
from torch import Tensor

from mtt.baselines.prior.build import HINT, WHO, by_distance, inverts
from mtt.baselines.prior.culprit import naming_the_structure
from mtt.baselines.prior.geometry import edges_of
from mtt.baselines.prior.model import Prior, Terms
from mtt.baselines.prior.options import INVERT, SECTION
from mtt.baselines.prior.terms import Fourier, Harmonic
from mtt.baselines.prior.topology import Molecules
from mtt.baselines.unit_factor import factor
from mtt.data import Batching, Loader
from mtt.errors import ConfigError, DataError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mtt.data import Batch, Dataset

log = logging.getLogger(__name__)

BINS = 72
"""Of the histogram of dihedral angles, 5° each."""

RIDGE = 1e-3
"""Times the number of bins: keeps coefficients finite where few angles were visited."""


def start_values(prior: Prior, dataset: Dataset) -> None:
    """Fill in what the options of ``prior`` leave to the training set; else do nothing.

    :raises DataError: bonds that no list of a molecule can hold.
    :raises ConfigError: a bond or an angle whose values the data do not determine.
    """
    if isinstance(prior.topology, Molecules) and not len(prior.topology.n_atoms):
        _learn_molecules(prior, prior.topology, dataset)
    if not inverts(prior.hypers):
        return
    energy = kB * prior.hypers["temperature"] / factor(prior.energy_unit, "eV", WHO, HINT)
    with torch.no_grad():
        moments, histogram = _measure(prior, dataset)
        problems: list[Problem] = []
        for term, sums in moments.items():
            part = getattr(prior, term)
            problems += _harmonic(part, term, prior.hypers[term], sums, energy)
        if histogram is not None:
            assert prior.dihedrals is not None
            _dihedrals(prior.dihedrals, prior.hypers["dihedrals"], histogram, energy)
    if problems:
        raise ConfigError.collect(problems)


def _batches(prior: Prior, dataset: Dataset, cutoff: float, size: int) -> Iterator[Batch]:
    loader = Loader(
        dataset,
        prior.atomic_types,
        cutoff=cutoff,
        dtype=torch.float64,
        batching=Batching(structures=size),
        shuffle=False,
    )
    return loader.epoch(0)


def _learn_molecules(prior: Prior, topology: Molecules, dataset: Dataset) -> None:
    """Bonds of the first structure of every sequence of elements, by covalent radii."""
    scale = float(prior.hypers["topology"]["factor"])
    connectivity = by_distance(scale, prior.atomic_types, prior.length_unit)
    found: dict[tuple[int, ...], list[list[int]]] = {}
    for batch in _batches(prior, dataset, prior.cutoff, 1):
        graph = batch.graph
        types = tuple(graph.types.tolist())
        if types in found:
            continue
        pairs = connectivity(graph)
        first, second = graph.centers[pairs], graph.neighbors[pairs]
        once = torch.stack([first, second], dim=1)[first <= second].tolist()
        bonds = [list(bond) for bond in sorted(map(tuple, once))]
        if any(a == b for a, b in bonds) or any(one == two for one, two in pairwise(bonds)):
            raise DataError(
                "an atom is bonded to several images of another, or to an image of itself",
                where=dataset.source(int(batch.index[0])),
                hint=f"use a larger cell, or {SECTION}.topology: {{from: connectivity}}",
            )
        found[types] = bonds
    topology.set([list(types) for types in found], list(found.values()))
    n_bonds = [len(bonds) for bonds in found.values()]
    log.info("prior: %d kinds of structures, with %s bonds", len(found), n_bonds)


def _measure(prior: Prior, dataset: Dataset) -> tuple[dict[str, Tensor], Tensor | None]:
    """Sums over all bonds and all angles, and the histogram of the dihedral angles.

    :return: [rows, 3] numbers, sums and sums of squares of each term; [rows, BINS] counts.
    """
    moments = {
        term: torch.zeros(len(part.tuples.names), 3, dtype=torch.float64)
        for term, part in (("bonds", prior.bonds), ("angles", prior.angles))
        if part is not None
    }
    histogram = None
    if prior.dihedrals is not None:
        histogram = torch.zeros(len(prior.dihedrals.tuples.names), BINS, dtype=torch.float64)
    topology = prior.topology
    assert topology is not None, "bonded terms have a topology"

    def alone(i: int) -> None:
        topology(next(_batches(prior, dataset.select([i]), prior.cutoff, 1)).graph)

    for batch in _batches(prior, dataset, prior.cutoff, 100):
        graph = batch.graph
        with naming_the_structure(dataset, batch.index, alone):
            edges = edges_of(graph, graph.vectors, topology(graph))
        if "bonds" in moments:
            _add(moments["bonds"], prior.bond_terms(graph, edges))
        if "angles" in moments:
            _add(moments["angles"], prior.angle_terms(graph, edges))
        if histogram is not None:
            terms = prior.dihedral_terms(graph, edges)
            phi = torch.atan2(terms.y, terms.x)
            which = ((phi / (2 * math.pi) + 0.5) * BINS).long().clamp(max=BINS - 1)
            histogram.view(-1).index_add_(0, terms.row * BINS + which, torch.ones_like(phi))
    return moments, histogram


def _add(sums: Tensor, terms: Terms) -> None:
    powers = torch.stack([torch.ones_like(terms.x), terms.x, terms.x.square()], dim=1)
    sums.index_add_(0, terms.row, powers)


def _harmonic(
    part: Harmonic, term: str, section: Any, sums: Tensor, energy: float
) -> list[Problem]:
    """Set minimum and force constant of the rows to invert; what cannot be."""
    problems = []
    for i in _open_rows(part):
        name = part.tuples.names[i]
        count, mean = float(sums[i, 0]), float(sums[i, 1] / sums[i, 0])
        variance = float(sums[i, 2] / sums[i, 0]) - mean**2
        if not count:
            _report_absent(term, name, section)
        elif variance <= 1e-12 * mean**2:
            where, hint = f"{SECTION}.{term}.{name}", "give k and its minimum instead"
            problems.append(Problem("does not vary in the training set", where, hint))
        else:
            part.minimum[i] = mean
            part.log_k[i] = math.log(energy / variance)
            part.tuples.known[i] = True
    return problems


def _dihedrals(part: Fourier, section: Any, histogram: Tensor, energy: float) -> None:
    if not part.chiral:
        histogram = histogram + histogram.flip(1)
    phi = (torch.arange(BINS, dtype=torch.float64) + 0.5) / BINS * 2 * math.pi - math.pi
    n = torch.arange(1, part.order + 1, dtype=torch.float64)
    design = torch.cos(phi[:, None] * n)
    if part.chiral:
        design = torch.cat([design, torch.sin(phi[:, None] * n)], dim=1)
    for i in _open_rows(part):
        visited = histogram[i] > 0
        if not bool(visited.any()):
            _report_absent("dihedrals", part.tuples.names[i], section)
            continue
        potential = -energy * torch.log(histogram[i][visited])
        waves = design[visited] - design[visited].mean(0)  # a constant is free
        ridge = RIDGE * BINS * torch.eye(design.shape[1], dtype=torch.float64)
        right = waves.T @ (potential - potential.mean())
        part.coefficients[i] = torch.linalg.solve(waves.T @ waves + ridge, right)
        part.tuples.known[i] = True


def _open_rows(part: Harmonic | Fourier) -> list[int]:
    """Rows whose values come from the data."""
    return [i for i, given in enumerate(part.tuples.given) if not given]


def _report_absent(term: str, name: str, section: Any) -> None:
    """Tuples that the options name should occur; of all there can be, few do."""
    if section != INVERT:
        log.warning("prior: no %s of %s are in the training set; they get no energy", term, name)
