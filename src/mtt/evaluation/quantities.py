"""What is scored: the lines of an error table, their names and units.

====================  =====================================  ==========================
name                  error of                               counted
====================  =====================================  ==========================
``energy``            energy / number of atoms               structures
``energy total``      energy                                 structures
``forces``            force components                       3 per atom
``stress``            strain derivative / volume             9 per periodic structure
``virial``            strain derivative / number of atoms    9 per structure
``mtt::x gradient``   derivative by a position               3 per atom and number
``mtt::x strain``     derivative by a strain                 9 per structure and number
====================  =====================================  ==========================

These are the names of the target called ``energy``. Derivatives of another target carry its
name (``mtt::E2 forces``); targets that are not energies of structures are scored as they are.
Extended, parts of these are scored as well:

=======================  ===================================================================
``forces C``             atoms of one element; of per-atom targets likewise
``forces x``             one Cartesian component; parts of other kinds of targets likewise
``stress xy``            the components xy and yx (``xx`` alone on the diagonal)
``forces cosine``        cosine of the angle between predicted and reference force of each atom
``mtt::dos shifted``     a spectrum, moved along its grid to where it agrees best with the label
``mtt::dos cumulative``  running integrals of a spectrum, as parts of the length of the grid
=======================  ===================================================================
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ase.data import chemical_symbols

from mtt.data.info import DatasetInfo, TargetInfo

WHOLE, ELEMENTS, COMPONENTS, COSINE = "whole", "elements", "components", "cosine"
NORM, SHIFTED, CUMULATIVE = "norm", "shifted", "cumulative"
SPECTRUM = 32
"""Numbers per sample from which a scalar is scored as a spectrum, too."""

Parts = tuple[tuple[str, tuple[int, ...]], ...]
"""Name, and places among the numbers of a sample, of those that are counted together."""

VECTOR: Parts = (("x", (0,)), ("y", (1,)), ("z", (2,)))
TENSOR: Parts = (
    *(("xx", (0,)), ("yy", (4,)), ("zz", (8,))),
    *(("yz", (5, 7)), ("xz", (2, 6)), ("xy", (1, 3))),
)
# see mtt.data.target_kind.TargetKind.parts
_PART = re.compile(r"[xyz]+|[A-Za-z]=-?\d+(,[a-z]+=-?\d+)*")


class Quantity(NamedTuple):
    """One quantity of which components are counted; one line of accumulated sums.

    :param part: ``"values"``, ``"per atom"``, ``"forces"``, ``"stress"``, ``"virial"``, or
        ``"strain"`` of targets that are not energies.
    :param unit: of the errors, before display conversion.
    :param division: which part of a whole quantity this is, or ``WHOLE``.
    :param components: of the whole quantity, those that are counted by themselves too.
    """

    name: str
    target: str
    part: str
    unit: str
    division: str = WHOLE
    components: Parts = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of its metrics, the maximum left out."""
        if self.division == COSINE:
            return (self.name,)
        return f"{self.name} RMSE", f"{self.name} MAE"

    @property
    def maximum(self) -> str:
        """Name of its maximum absolute error; a cosine has none."""
        return "" if self.division == COSINE else f"{self.name} MaxAE"

    @property
    def all_names(self) -> tuple[str, ...]:
        """Names of all its metrics."""
        return (*self.metrics, self.maximum) if self.maximum else self.metrics


def is_extended(metric: str) -> bool:
    """Whether a metric is one of the extended ones, by its name (``forces C RMSE``).

    Names of targets have no blanks, and none is called like an element or an axis.
    """
    *_, part, kind = ("", *metric.split())
    named = (
        part in (NORM, SHIFTED, CUMULATIVE)
        or part in chemical_symbols
        or bool(_PART.fullmatch(part))
    )
    return kind in ("MaxAE", COSINE) or named


def quantities(info: DatasetInfo, *, totals: bool, extended: bool) -> list[Quantity]:
    """The whole quantities first; ``extended``: then, of each one, its :func:`parts_of`."""
    whole = _whole(info, totals)
    if not extended:
        return whole
    return whole + [part for quantity in whole for part in parts_of(quantity, info)]


def parts_of(quantity: Quantity, info: DatasetInfo) -> list[Quantity]:
    """Elements, components, and norm or cosine of a whole quantity, in this order."""
    parts = []
    if quantity.part == "forces" or info.targets[quantity.target].per_atom:
        symbols = [chemical_symbols[z] for z in info.atomic_types]
        parts += [_part(quantity, symbol, ELEMENTS) for symbol in symbols]
    parts += [_part(quantity, name, COMPONENTS) for name, _ in quantity.components]
    of_elements = info.targets[quantity.target].of_kind.elements
    if quantity.part == "values" and quantity.components and not of_elements:
        parts.append(_part(quantity, NORM, NORM))
    if quantity.part == "values" and _is_spectrum(info.targets[quantity.target]):
        parts += [_part(quantity, name, name) for name in (SHIFTED, CUMULATIVE)]
    if quantity.part == "forces" and info.targets[quantity.target].is_energy:
        parts.append(_part(quantity, "cosine", COSINE)._replace(unit=""))
    return parts


def _is_spectrum(target: TargetInfo) -> bool:
    return not target.of_kind.components and target.properties >= SPECTRUM


def _part(whole: Quantity, name: str, division: str) -> Quantity:
    return whole._replace(name=f"{whole.name} {name}", division=division)


def _whole(info: DatasetInfo, totals: bool) -> list[Quantity]:
    length = _LENGTHS.get(info.length_unit.lower(), info.length_unit)
    found = []
    for name, target in info.targets.items():
        prefix = "" if name == "energy" else f"{name} "
        if target.is_energy:
            found.append(Quantity(name, name, "per atom", _per(target.unit, "atom")))
        else:
            parts = _parts_of_values(target)
            found.append(Quantity(name, name, "values", target.unit, components=parts))
        if target.is_energy and totals:
            found.append(Quantity(f"{name} total", name, "values", target.unit))
        if not target.is_energy:
            found += _derivatives(name, target, length)
            continue
        if target.has_forces:
            unit = _per(target.unit, length)
            found.append(Quantity(f"{prefix}forces", name, "forces", unit, components=VECTOR))
        if target.has_strain and target.strain_name == "virial":
            unit = _per(target.unit, "atom")
            found.append(Quantity(f"{prefix}virial", name, "virial", unit, components=TENSOR))
        elif target.has_strain:
            unit = _per(target.unit, f"{length}³" if length else "")
            found.append(Quantity(f"{prefix}stress", name, "stress", unit, components=TENSOR))
    return found


def _derivatives(name: str, target: TargetInfo, length: str) -> list[Quantity]:
    """Those of a target that is not an energy, all components together, as they are."""
    found = []
    if target.has_forces:
        product = target.unit.removesuffix(f"*{length}")  # e*Å by Å is e
        same = product != target.unit
        unit = product if same else _per(target.unit, length)
        found.append(Quantity(f"{name} gradient", name, "forces", unit))
    if target.has_strain:
        found.append(Quantity(f"{name} strain", name, "strain", target.unit))
    return found


def _parts_of_values(target: TargetInfo) -> Parts:
    """Those of the kind, all properties together."""
    p = target.properties
    return tuple(
        (name, tuple(place * p + i for place in places for i in range(p)))
        for name, places in target.of_kind.parts
    )


_LENGTHS = {"angstrom": "Å", "ang": "Å", "a": "Å"}


def _per(unit: str, other: str) -> str:
    return f"{unit}/{other}" if unit and other else ""
