"""ASE databases, with what they hold under the user's names."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase
import ase.db

from mtt.errors import DataError

KINDS = ("db", "json")
"""ASE's names of the formats."""


def read_database(path: str, kind: str) -> Iterator[ase.Atoms]:
    """The rows of an ASE database; ``atoms.info`` has ``key_value_pairs`` and ``data``.

    :param kind: one of :data:`KINDS`.
    :raises DataError: an array claims another number of values than it has.
    """
    if kind == "json":
        _check_arrays(path)
    with ase.db.connect(path, type=kind, serial=True, use_lock_file=False) as rows:
        for row in rows.select():
            atoms = row.toatoms(add_additional_information=True)
            atoms.info.pop("unique_id", None)
            yield atoms


def _check_arrays(path: str) -> None:
    """ASE makes arrays as large as the file says before it fills them."""
    found = [json.loads(Path(path).read_text(encoding="utf-8"))]
    while found:
        value = found.pop()
        if isinstance(value, dict):
            found += value.values()
            if "__ndarray__" in value and not _is_array(value["__ndarray__"]):
                what = "an array (__ndarray__) claims another number of values than it has"
                raise DataError(what, where=path)
        elif isinstance(value, list):
            found += [item for item in value if isinstance(item, dict | list)]


def _is_array(value: Any) -> bool:
    """``[shape, type, values]``; a complex number is two values."""
    if not isinstance(value, list) or len(value) != 3:
        return False
    shape, kind, numbers = value
    if not isinstance(shape, list) or not isinstance(numbers, list):
        return False
    if not all(isinstance(length, int) and length >= 0 for length in shape):
        return False
    return math.prod(shape) * (2 if str(kind).startswith("complex") else 1) == len(numbers)
