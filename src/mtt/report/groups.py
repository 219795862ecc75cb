"""Structures divided by what their files say of them in a word: ``config_type`` and the like."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mtt.data.storage.info_keys import info_of
from mtt.report.collect import Sample
from mtt.scanning.tools.groups import is_usual

_MOST_VALUES = 30
_FEWEST = 3  # structures that a value has on average
_MOST = 3  # keys
WITHOUT = "(none)"


class Group(NamedTuple):
    """One key."""

    name: str
    values: list[str]
    codes: NDArray[Any]  # [n] index into ``values``


def groups_of(found: Sample, wanted: str | None = None) -> list[Group]:
    """Keys that divide the structures into a few groups, the usual names of groups first.

    :param wanted: a key that comes first, and may divide them into many.
    """
    groups = [*_divided(found, wanted)]
    groups.sort(
        key=lambda one: (one.name != wanted, not is_usual(one.name), _are_numbers(one.values))
    )
    return groups[:_MOST]


def _divided(found: Sample, wanted: str | None) -> Iterator[Group]:
    words: dict[str, list[str]] = {}
    known: dict[int, dict[str, NDArray[Any]]] = {}
    for i, (dataset, which) in enumerate(found.members):
        info = known.setdefault(id(dataset.columns), info_of(dataset.columns))
        row = int(dataset.structures[which])
        for name, column in info.items():
            words.setdefault(name, [""] * len(found.members))[i] = str(column[row])
    for name, texts in words.items():
        values, codes = np.unique(np.array(texts), return_inverse=True)
        few = 1 < len(values) <= _MOST_VALUES and len(values) * _FEWEST <= len(texts)
        if few or name == wanted:
            named = [value.removesuffix(".0") or WITHOUT for value in values.tolist()]
            yield Group(name, named, codes.reshape(-1).astype(np.int32))


def _are_numbers(values: list[str]) -> bool:
    return all(value.replace(".", "", 1).lstrip("-").isdecimal() for value in values)
