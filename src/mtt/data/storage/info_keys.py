"""What files say of a structure in one word or number: ``config_type``, a charge, a label.

These are for tables alone, such as errors by group: nothing is trained on them. They are kept in
memory, one array for each key, and are not packed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from mtt.data.storage.columns import Columns

_LONGEST = 100  # characters of a value
_MOST = 40  # keys of a data set

Words = NDArray[Any]
"""[n] text of any length."""

_TEXT = np.dtypes.StringDType()


def short_values(values: Mapping[str, Any]) -> dict[str, str]:
    """Those of ``values`` that are one word or number, as text."""
    found = {}
    for name, value in values.items():
        if isinstance(value, str):
            if len(value) <= _LONGEST and not value.startswith("_JSON "):
                found[name] = value
        elif isinstance(value, bool | int | float | np.generic):
            found[name] = str(value)
        elif isinstance(value, np.ndarray) and value.size == 1:
            found[name] = str(value.reshape(-1)[0])
    return found


def info_columns(frames: Sequence[Mapping[str, str]]) -> dict[str, Words]:
    """One array [n] of text for each key, in the order of the keys; ``""`` where it is missing."""
    names = list(dict.fromkeys(name for frame in frames for name in frame))[:_MOST]
    return {name: np.array([frame.get(name, "") for frame in frames], _TEXT) for name in names}


def joined_info(parts: Sequence[Mapping[str, Words]], lengths: Sequence[int]) -> dict[str, Words]:
    """The arrays of ``parts`` one after the other."""
    names = list(dict.fromkeys(name for part in parts for name in part))[:_MOST]
    found = {}
    for name in names:
        pieces = [
            part.get(name, np.full(length, "", _TEXT))
            for part, length in zip(parts, lengths, strict=True)
        ]
        found[name] = np.concatenate(pieces)
    return found


def info_of(columns: Columns) -> dict[str, Words]:
    """The arrays [n] of all structures of ``columns``; empty where nothing is known of any."""
    if not columns.parts:
        return dict(columns.info)
    return joined_info([info_of(part) for part in columns.parts], [len(p) for p in columns.parts])
