"""Values under a key of a file, as arrays of a documented shape."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtt.data import kinds
from mtt.data.frames import Float
from mtt.data.target_kind import TargetKind
from mtt.errors import did_you_mean

_VOIGT = np.array([0, 5, 4, 5, 1, 3, 4, 3, 2])  # xx, yy, zz, yz, xz, xy to 3x3, row by row
_ASYMMETRY = 0.01  # of the largest component: rounding, or an average worth taking
_SHOWN = 12


def numbers_in(value: Any) -> Float:
    """``value`` as float64, whatever its shape; text is parsed.

    :raises ValueError: the value is not numeric; the message describes what was found.
    """
    try:
        if isinstance(value, str):
            return _parse(value)
        array = np.asarray(value)
        if array.dtype.kind in "iuf" or (array.dtype.kind == "b" and array.ndim):  # masks
            return array.astype(np.float64)
        return array.astype(str).astype(np.float64)  # lists of words
    except ValueError as error:
        raise ValueError(f"not a number: {str(value)[:60]!r}{_remedy(value)}") from error


def _parse(text: str) -> Float:
    if text.startswith("_JSON "):
        return _from_json(text[6:])
    words = re.split(r"[\s,]+", text.strip())
    if len(words) > 1 and set(words) <= {"T", "F"}:  # a mask, as ASE writes it
        return np.array([float(word == "T") for word in words])
    numbers = [float(word) for word in words]
    return np.array(numbers[0] if len(numbers) == 1 else numbers)


def _from_json(text: str) -> Float:
    """Numbers alone: objects of any kind are refused, none is made.

    :raises ValueError: text that is not JSON, or too deep; anything but numbers in equal rows.
    """
    try:
        value = json.loads(text)
        if isinstance(value, bool):
            raise TypeError  # a flag, which is a number to Python
        return np.array(value, dtype=np.float64)
    except (TypeError, RecursionError, OverflowError) as error:
        raise ValueError("_JSON holds something else than rows of numbers") from error


def _remedy(value: Any) -> str:
    if re.fullmatch(r"[-+.\d]+[dD][-+]?\d+", str(value)):
        return " (write the exponent with E)"
    return " (write nan where there is no label)" if str(value).lower() in ("none", "null") else ""


def values_of(value: Any, n_samples: int, kind: TargetKind, properties: int) -> Float:
    """``[n_samples, *components, properties]`` of that kind; NaN where a label is missing.

    :raises ValueError: wrong number of values, text, infinite.
    """
    return _not_infinite(kind.read(numbers_in(value), n_samples, properties), "atom")


def values_of_atoms(
    value: Any, numbers: NDArray[np.int64], kind: TargetKind, properties: int
) -> Float:
    """As :func:`values_of`, for atoms of these atomic ``numbers`` [n_atoms].

    :raises ValueError: wrong number of values, text, infinite.
    """
    return _not_infinite(kind.read_atoms(numbers_in(value), numbers, properties), "atom")


def scalars(value: Any, n_samples: int, properties: int) -> Float:
    """``[n_samples, properties]``; NaN where a label is missing.

    :raises ValueError: wrong number of values, text, infinite.
    """
    return values_of(value, n_samples, kinds.of("scalar"), properties)


def vectors(value: Any, n_atoms: int) -> Float:
    """``[n_atoms, 3]``; an atom with a NaN component has no label, and is NaN in all three.

    :raises ValueError: wrong shape, text, infinite.
    """
    array = numbers_in(value)
    if array.shape != (n_atoms, 3):
        raise ValueError(f"shape {list(array.shape)} where [{n_atoms}, 3] is expected")
    missing = np.isnan(array).any(axis=1)
    if missing.any():
        array[missing] = np.nan
    return _not_infinite(array, "atom")


def symmetric(value: Any) -> Float:
    """``[3, 3]`` from 3x3, 9 values, or 6 in ASE's Voigt order xx, yy, zz, yz, xz, xy.

    A matrix that is symmetric up to 1 % is symmetrised. One NaN makes all of it missing.

    :raises ValueError: wrong shape, text, infinite, not symmetric.
    """
    array = numbers_in(value)
    if array.shape == (6,):
        array = array[_VOIGT]
    if array.size != 9:
        count = f"shape {list(array.shape)}"
        raise ValueError(f"{count} where [3, 3], [9] or [6] (xx, yy, zz, yz, xz, xy) is expected")
    matrix = _not_infinite(array.reshape(3, 3), "row")
    if np.isnan(matrix).any():
        return np.full((3, 3), np.nan)
    gap = np.abs(matrix - matrix.T).max()
    if gap > _ASYMMETRY * np.abs(matrix).max():
        raise ValueError(f"not symmetric: components differ by {gap:.3g}")
    return 0.5 * (matrix + matrix.T)


def _not_infinite(array: Float, row: str) -> Float:
    """``array``, of which each ``row`` is what it is called."""
    infinite = np.isinf(array)
    if infinite.any():
        number = np.argwhere(infinite)[0][0]
        raise ValueError("infinite" + (f" ({row} {number})" if len(array) > 1 else ""))
    return array


def existing(names: Iterable[str], kind: str) -> str:
    """``keys per atom: forces, charges``."""
    known = sorted(names)
    rest = f" and {len(known) - _SHOWN} more" if len(known) > _SHOWN else ""
    return f"keys {kind}: " + (", ".join(known[:_SHOWN]) + rest if known else "none")


def suggestion(
    key: str, wanted: Mapping[str, Any], other: Mapping[str, Any], per_atom: bool
) -> str:
    """Suggest what the user may have meant with ``key``; empty without a suggestion."""
    if key in other:
        kind = "per structure" if per_atom else "per atom"
        return f"{key!r} exists {kind}; set sample_kind to what it is"
    for name, value in (*wanted.items(), *other.items()):
        if isinstance(value, Mapping) and key in value:  # of an ASE database
            return f"{key!r} is inside {name!r}, a dictionary; store it by itself"
    return did_you_mean(key, wanted)
