"""From the option ``architecture.model.prior`` to checked values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any, NamedTuple

import torch
from ase.data import atomic_numbers, chemical_symbols

from mtt.baselines.prior.terms import angle_codes, bond_codes, columns, dihedral_codes
from mtt.errors import ConfigError, Problem, did_you_mean

SECTION = "architecture.model.prior"
INVERT = "invert"
"""Instead of values: take them from the training set, by Boltzmann inversion."""

SIZES = {"bonds": 2, "angles": 3, "dihedrals": 4}
DEFAULTS: dict[str, Any] = {
    "topology": None,
    "temperature": None,
    "bonds": None,
    "angles": None,
    "dihedrals": None,
    "dihedral_order": 3,
    "chiral": False,
    "repulsion": None,
    "trainable": True,
}
REPULSION = {"power": 12, "onset": None, "exclude": 3}
TOPOLOGY = {"factor": 1.25, "molecules": None, "longest_bond": None}

_MOST = 200_000  # rows; a larger table is a mistake
_CODES: dict[int, Callable[..., torch.Tensor]] = {2: bond_codes, 3: angle_codes, 4: dihedral_codes}


class Row(NamedTuple):
    """One tuple of elements of a term.

    :param code: number by which the tuple is found.
    :param given: its values in the options; None where they come from the data.
    """

    name: str
    code: int
    given: Mapping[str, Any] | None


def with_defaults(given: Mapping[str, Any]) -> dict[str, Any]:
    """All options; those that ``given`` lacks at their defaults.

    :raises ConfigError: unknown keys.
    """
    problems = [
        Problem(f"unknown key {key!r}", f"{SECTION}.{key}", did_you_mean(key, DEFAULTS))
        for key in given
        if key not in DEFAULTS
    ]
    hypers = {**DEFAULTS, **given}
    topology, repulsion = hypers["topology"], hypers["repulsion"]
    bonded = [name for name in SIZES if hypers[name]]
    if topology is None and bonded:
        hint = "topology: {from: connectivity}, for instance"
        problems.append(Problem(f"{bonded[0]} need a topology", f"{SECTION}.topology", hint))
    if topology is not None:
        hypers["topology"] = {**TOPOLOGY, **topology}
        if (topology["from"] == "molecules") != bool(topology.get("molecules")):
            what = "from: molecules and the list of molecules go together"
            problems.append(Problem(what, f"{SECTION}.topology.molecules"))
    if repulsion is not None:
        hypers["repulsion"] = {**REPULSION, **repulsion}
    inverted = [n for n in SIZES if hypers[n] == INVERT or INVERT in _values(hypers[n])]
    if inverted and hypers["temperature"] is None:
        hint = "give the temperature of the training set, or all values"
        what = f"{inverted[0]}: {INVERT} needs it"
        problems.append(Problem(what, f"{SECTION}.temperature", hint))
    if not bonded and repulsion is None:
        problems.append(Problem("has no terms", SECTION, "bonds, angles, dihedrals or repulsion"))
    if problems:
        raise ConfigError.collect(problems)
    return hypers


def _values(section: Any) -> list[Any]:
    return list(section.values()) if isinstance(section, Mapping) else []


def rows(term: str, section: Any, atomic_types: Sequence[int]) -> list[Row]:
    """The tuples that ``section`` names, or all there can be, by ascending code.

    :param term: ``bonds``, ``angles`` or ``dihedrals``.
    :raises ConfigError: a tuple of other length or of foreign elements, or given twice.
    """
    size, where = SIZES[term], f"{SECTION}.{term}"
    if section == INVERT:
        n_rows = len(atomic_types) ** size
        if n_rows > _MOST:
            hint = "name those that occur"
            what = f"{len(atomic_types)} elements have {n_rows} kinds of {term}"
            raise ConfigError(what, where=where, hint=hint)
        every = product(range(len(atomic_types)), repeat=size)
        codes = _encode([list(one) for one in every], len(atomic_types))
        unique = dict(zip(codes, product(atomic_types, repeat=size), strict=True))
        return [Row(name_of(one), code, None) for code, one in sorted(unique.items())]
    found: dict[int, Row] = {}
    problems = []
    for name, value in section.items():
        types, problem = _types(str(name), size, atomic_types)
        if problem:
            problems.append(Problem(*problem, where=f"{where}.{name}"))
            continue
        code = _encode([[atomic_types.index(z) for z in types]], len(atomic_types))[0]
        if code in found:
            what = f"is {found[code].name} from the other end"
            problems.append(Problem(what, f"{where}.{name}", "give it once"))
        found[code] = Row(name_of(types), code, None if value == INVERT else value)
    if problems:
        raise ConfigError.collect(problems)
    return [found[code] for code in sorted(found)]


def per_element(name: str, value: Any, atomic_types: Sequence[int]) -> list[float]:
    """One number for every element, of a number or a mapping ``{C: 3.4}``.

    :raises ConfigError: an element is missing, or is not one of the model's.
    """
    if not isinstance(value, Mapping):
        return [float(value)] * len(atomic_types)
    given = {atomic_numbers.get(str(k), k): float(v) for k, v in value.items()}
    where = f"{SECTION}.repulsion.{name}"
    problems = [
        Problem(f"{_symbol(z)} has no value", where) for z in atomic_types if z not in given
    ]
    if problems:
        raise ConfigError.collect(problems)
    return [given[z] for z in atomic_types]


def molecules(
    given: Sequence[Mapping[str, Any]], atomic_types: Sequence[int]
) -> tuple[list[list[int]], list[list[list[int]]]]:
    """Elements (as indices) and bonds of every molecule of ``topology.molecules``.

    :raises ConfigError: foreign elements, bonds that are not ``i-j``, the same molecule twice.
    """
    types, bonds, problems = [], [], []
    for number, one in enumerate(given):
        where = f"{SECTION}.topology.molecules[{number}]"
        symbols = one["elements"].split()
        numbers, problem = _types("-".join(symbols), len(symbols), atomic_types)
        if problem:
            problems.append(Problem(*problem, where=f"{where}.elements"))
            continue
        pairs = []
        for word in one["bonds"].split():
            ends = word.split("-")
            if len(ends) != 2 or not all(e.isdecimal() and int(e) < len(numbers) for e in ends):
                hint = f"two atoms from 0 to {len(numbers) - 1}: 0-1"
                problems.append(Problem(f"{word!r} is not a bond", f"{where}.bonds", hint))
            else:
                pairs.append(sorted(map(int, ends)))
        indices = [atomic_types.index(z) for z in numbers]
        if indices in types:
            problems.append(Problem("the same elements as another molecule", f"{where}.elements"))
        types.append(indices)
        bonds.append([list(pair) for pair in sorted({(a, b) for a, b in pairs if a != b})])
    if problems:
        raise ConfigError.collect(problems)
    return types, bonds


def name_of(types: Sequence[int]) -> str:
    """``"C-C-H"``, of atomic numbers."""
    return "-".join(map(_symbol, types))


def _symbol(z: int) -> str:
    return chemical_symbols[z] if z < len(chemical_symbols) else str(z)


def _types(
    name: str, size: int, atomic_types: Sequence[int]
) -> tuple[list[int], tuple[str] | None]:
    """Atomic numbers of ``"C-C-H"`` or ``"6-6-1"``, or what is wrong with it."""
    words = name.split("-")
    numbers = [int(w) if w.isdecimal() else atomic_numbers.get(w, -1) for w in words]
    if len(words) != size:
        return [], (f"{size} elements are wanted, joined by '-', not {len(words)}",)
    foreign = [w for w, z in zip(words, numbers, strict=True) if z not in atomic_types]
    if foreign:
        return [], (f"{foreign[0]!r} is not an element of the model",)
    return numbers, None


def _encode(types: Sequence[Sequence[int]], n_types: int) -> list[int]:
    parts = columns(types)
    found: list[int] = _CODES[len(parts)](*parts, n_types).tolist()
    return found
