"""What ``atomic_baseline`` of the options gives, and what it leaves to a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def given_types(value: Any, atomic_types: Sequence[int]) -> list[int]:
    """Types, as indices of ``atomic_types``, whose baseline ``value`` gives.

    :param value: of one target: a number for all elements, or numbers by atomic number; None
        where the options give nothing.
    """
    if value is None:
        return []
    if isinstance(value, Mapping):
        return [i for i, z in enumerate(atomic_types) if int(z) in value]
    return list(range(len(atomic_types)))
