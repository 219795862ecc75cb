"""The parts of the prior from its options."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from ase.data import covalent_radii

from mtt.baselines.prior.options import INVERT, SECTION, Row, molecules, per_element, rows
from mtt.baselines.prior.terms import Fourier, Harmonic, Repulsion, Tuples
from mtt.baselines.prior.topology import Connectivity, Molecules
from mtt.baselines.unit_factor import factor
from mtt.errors import ConfigError, Problem

WHO, HINT = "the prior", "write it in the options"


def make_topology(
    hypers: Mapping[str, Any], atomic_types: Sequence[int], length_unit: str
) -> Connectivity | Molecules | None:
    """Which atoms are bonded, by ``topology``; its molecules are yet empty with ``from: data``.

    :raises ArchitectureError: covalent radii are needed, and the unit of length is unknown.
    :raises ConfigError: wrong molecules.
    """
    given = hypers["topology"]
    if given is None:
        return None
    longest = given["longest_bond"]
    if given["from"] == "connectivity" or longest is None:
        connectivity = by_distance(float(given["factor"]), atomic_types, length_unit)
        if given["from"] == "connectivity":
            return connectivity
        longest = 1.5 * connectivity.longest_bond
    topology = Molecules(list(atomic_types), float(longest))
    if given["from"] == "molecules":
        topology.set(*molecules(given["molecules"], atomic_types))
    return topology


def by_distance(scale: float, atomic_types: Sequence[int], length_unit: str) -> Connectivity:
    """Bonds where atoms are closer than ``scale`` times the sum of their covalent radii.

    :raises ArchitectureError: the unit of length is unknown.
    """
    angstrom = factor(length_unit, "angstrom", WHO, HINT)
    radii = [float(covalent_radii[z]) / angstrom for z in atomic_types]
    return Connectivity(torch.tensor(radii, dtype=torch.float64), scale)


def make_harmonic(
    term: str, minimum: str, hypers: Mapping[str, Any], atomic_types: Sequence[int]
) -> Harmonic | None:
    """``bonds`` or ``angles``, whose minimum the options call ``minimum``."""
    section = hypers[term]
    if not section:
        return None
    found = rows(term, section, atomic_types)
    part = Harmonic(_tuples(found))
    with torch.no_grad():
        for i, row in enumerate(found):
            if row.given is not None:
                part.log_k[i] = math.log(row.given["k"])
                part.minimum[i] = row.given[minimum]
    return part


def make_fourier(hypers: Mapping[str, Any], atomic_types: Sequence[int]) -> Fourier | None:
    """``dihedrals``.

    :raises ConfigError: more coefficients than ``dihedral_order``, or sines without ``chiral``.
    """
    section, order = hypers["dihedrals"], int(hypers["dihedral_order"])
    if not section:
        return None
    found = rows("dihedrals", section, atomic_types)
    part = Fourier(_tuples(found), order, bool(hypers["chiral"]))
    problems = []
    with torch.no_grad():
        for i, row in enumerate(found):
            for first, key in ((0, "cos"), (order, "sin")):
                values = (row.given or {}).get(key) or []
                where = f"{SECTION}.dihedrals.{row.name}.{key}"
                if key == "sin" and values and not part.chiral:
                    problems.append(Problem("sines need chiral: true", where))
                elif len(values) > order:
                    problems.append(Problem(f"more than dihedral_order, {order}", where))
                else:
                    for n, value in enumerate(values):
                        part.coefficients[i, first + n] = float(value)
    if problems:
        raise ConfigError.collect(problems)
    return part


def make_repulsion(hypers: Mapping[str, Any], atomic_types: Sequence[int]) -> Repulsion | None:
    """``repulsion``.

    :raises ConfigError: an element without values, or an onset beyond the cutoff.
    """
    given = hypers["repulsion"]
    if given is None:
        return None
    cutoff = float(given["cutoff"])
    onset = 0.8 * cutoff if given["onset"] is None else float(given["onset"])
    if onset >= cutoff:
        where = f"{SECTION}.repulsion.onset"
        raise ConfigError(f"{onset} is not below the cutoff, {cutoff}", where=where)
    sigma = per_element("sigma", given["sigma"], atomic_types)
    epsilon = per_element("epsilon", given["epsilon"], atomic_types)
    return Repulsion(sigma, epsilon, int(given["power"]), onset, cutoff)


def inverts(hypers: Mapping[str, Any]) -> bool:
    """Whether any values come from the data."""
    sections = [hypers[term] for term in ("bonds", "angles", "dihedrals")]
    return any(
        section == INVERT or (isinstance(section, Mapping) and INVERT in section.values())
        for section in sections
    )


def _tuples(found: Sequence[Row]) -> Tuples:
    tuples = Tuples([row.name for row in found], [row.code for row in found])
    tuples.given = [row.given is not None for row in found]
    tuples.known.copy_(torch.tensor(tuples.given))
    return tuples
