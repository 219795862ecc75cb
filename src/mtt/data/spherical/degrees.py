"""The option ``irreps`` of spherical targets: degrees, and those of each element."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from ase.data import chemical_symbols

from mtt.data.target_block import Irrep

_LARGEST = 12
FORM = "{o3_lambda: 1, o3_sigma: 1}"


class Degree(NamedTuple):
    """One entry of a list of irreps."""

    irrep: Irrep
    num: int | None = None  # radial channels; None: one for each subtarget

    @property
    def n_channels(self) -> int:
        """Number of radial channels."""
        return 1 if self.num is None else self.num


class Basis(NamedTuple):
    """The degrees that atoms of one element have, or all of them."""

    element: int  # atomic number; 0 of all
    degrees: tuple[Degree, ...]


def read_bases(value: Any) -> tuple[Basis, ...]:
    """What an options file or a stored text has as ``irreps``: one entry, or one per element.

    :raises ValueError: something else.
    """
    if isinstance(value, Mapping):
        if not value:
            raise ValueError("irreps is empty: write a list for each element, {1: [...], 8: [...]}")
        bases = (Basis(_element(key), _degrees(one, f" of {key}")) for key, one in value.items())
        found = tuple(sorted(bases))
        elements = [one.element for one in found]
        if len(set(elements)) < len(elements):
            raise ValueError("irreps has an element twice")
        return found
    if isinstance(value, tuple) and value and all(isinstance(one, Basis) for one in value):
        return value
    return (Basis(0, _degrees(value, "")),)


def as_options(bases: tuple[Basis, ...]) -> Any:
    """The plain value of which :func:`read_bases` makes ``bases``."""
    if bases[0].element == 0:
        return [_as_option(one) for one in bases[0].degrees]
    return {str(one.element): [_as_option(degree) for degree in one.degrees] for one in bases}


def _as_option(one: Degree) -> dict[str, int]:
    number = {} if one.num is None else {"num": one.num}
    return {"o3_lambda": one.irrep.l, "o3_sigma": one.irrep.sigma, **number}


def _element(key: Any) -> int:
    text = str(key)
    number = chemical_symbols.index(text) if text in chemical_symbols else text
    if not str(number).isdigit() or not 0 < int(number) < len(chemical_symbols):
        raise ValueError(f"irreps of {key!r}, which is not an atomic number (1, 6, 8, ...)")
    return int(number)


def _degrees(value: Any, of: str) -> tuple[Degree, ...]:
    if not isinstance(value, tuple | list):
        raise ValueError(f"irreps{of} must be a list of {FORM}, got {value!r}")
    if not value:
        raise ValueError(f"irreps{of} is empty: write a list of {FORM}")
    degrees = tuple(_degree(one) for one in value)
    irreps = [one.irrep for one in degrees]
    for one in irreps:
        if irreps.count(one) > 1:
            what = f"o3_lambda {one.l} with o3_sigma {one.sigma} is given twice"
            raise ValueError(f"{what}: give it once, with num: 2")
    return degrees


def _degree(value: Any) -> Degree:
    if isinstance(value, Degree):
        return value
    if isinstance(value, Irrep):
        return Degree(value)
    if not isinstance(value, Mapping):
        raise ValueError(f"each of irreps must be {FORM}, got {value!r}")
    unknown = [key for key in value if key not in ("o3_lambda", "o3_sigma", "num")]
    if unknown:
        raise ValueError(f"unknown key {unknown[0]!r} in irreps, which are {FORM}")
    l, sigma, num = value.get("o3_lambda"), value.get("o3_sigma", 1), value.get("num")
    if type(l) is not int or not 0 <= l <= _LARGEST:
        raise ValueError(f"o3_lambda must be an integer from 0 to {_LARGEST}, got {l!r}")
    if type(sigma) is not int or sigma not in (1, -1):
        raise ValueError(f"o3_sigma must be 1, or -1 of a pseudotensor, got {sigma!r}")
    if num is not None and (type(num) is not int or num < 1):
        raise ValueError(f"num, the number of radial channels, must be 1 or more, got {num!r}")
    return Degree(Irrep(l, sigma), num)
