"""Energies of atoms that the user gives: by atomic number or symbol, for some elements or all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from mtt.errors import ConfigError, did_you_mean
from mtt.options.names import ATOMIC_NUMBERS

WHERE = "architecture.training.atomic_baseline"
_FORM = "give one for all elements, or {H: -13.6, O: -432.1}, by symbol or atomic number"


def by_number(name: str, given: Any, atomic_types: Sequence[int]) -> dict[int, Any]:
    """What ``given`` says of target ``name``, by atomic number; one number is for all elements.

    :param given: a number, or a mapping of symbols (``H``) or atomic numbers to numbers. Targets of
        several properties may have a list instead of a number, with one of each.
    :raises ConfigError: a value is not finite, a key is not an element, or an element comes twice.
    """
    where = f"{WHERE}.{name}"
    if not isinstance(given, Mapping):
        _check_finite(given, given, where)
        given = dict.fromkeys(atomic_types, given)
    found: dict[int, Any] = {}
    for key, value in given.items():
        number = _number(key, where)
        if number in found:
            raise ConfigError(f"the element {key!r} is given twice", where=where)
        for item in value if isinstance(value, list) and value else [value]:
            _check_finite(item, value, where)
        found[number] = value
    return found


def table_of(
    name: str, given: Mapping[int, Any], atomic_types: Sequence[int], properties: int
) -> tuple[Tensor, list[int]]:
    """Weights [n_types, properties] float64, zero where none is given; and where they are given.

    :param given: of :func:`by_number`; elements that are not of ``atomic_types`` are left out.
    :raises ConfigError: a list of another length than ``properties``.
    """
    table = torch.zeros(len(atomic_types), properties, dtype=torch.float64)
    rows = [i for i, z in enumerate(atomic_types) if z in given]
    for i in rows:
        value = given[atomic_types[i]]
        if isinstance(value, list) and len(value) != properties:
            what = f"{len(value)} numbers for an element, but {name} has {properties} properties"
            raise ConfigError(what, where=f"{WHERE}.{name}", hint="give as many, or one number")
        table[i] = torch.tensor(value, dtype=torch.float64)
    return table, rows


def given_types(value: Any, atomic_types: Sequence[int]) -> list[int]:
    """Types, as indices of ``atomic_types``, whose baseline ``value`` gives.

    :param value: of one target, as for :func:`by_number`; None where the options give nothing.
    """
    numbers = by_number("", {} if value is None else value, atomic_types)
    return [i for i, z in enumerate(atomic_types) if z in numbers]


def is_finite(value: Any) -> bool:
    """Whether ``value`` is a number, and neither nan, infinite nor a boolean."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value)


def _check_finite(value: Any, shown: Any, where: str) -> None:
    if not is_finite(value):
        raise ConfigError(f"{shown!r} is not a finite number", where=where, hint=_FORM)


def _number(key: Any, where: str) -> int:
    known = ATOMIC_NUMBERS.values()
    if isinstance(key, int) and not isinstance(key, bool) and key in known:
        return key
    text = str(key)
    if text in ATOMIC_NUMBERS:
        return ATOMIC_NUMBERS[text]
    if text.isascii() and text.isdecimal() and int(text) in known:  # JSON has text for keys
        return int(text)
    hint = did_you_mean(text, ATOMIC_NUMBERS) or _FORM
    raise ConfigError(f"{key!r} is not an element", where=where, hint=hint)
