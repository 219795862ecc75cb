"""Kinds of targets. A module of this folder is one by being here; its ``KIND`` is the class.

Other packages add kinds by entry points of the group ``mtt.target_kinds``, see
:mod:`mtt.discovery`.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

from mtt.discovery import TARGET_KINDS
from mtt.errors import DataError

if TYPE_CHECKING:
    from mtt.data.target_kind import TargetKind


@cache
def of(text: str) -> TargetKind:
    """The kind that :attr:`TargetKind.text` describes: a name, or a name and parameters as JSON.

    :raises DataError: no such kind is found, or its parameters are of another one.
    """
    name, _, parameters = text.partition(" ")
    found = load(name)
    try:
        values: Any = json.loads(parameters) if parameters else {}
        return found(**{key: _frozen(value) for key, value in values.items()})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{text!r} does not describe a target of kind {name}: {error}") from error


def load(name: str) -> type[TargetKind]:
    """The class of the kind called ``name``.

    :raises DataError: no such kind is found.
    """
    found: type[TargetKind] = TARGET_KINDS.load(name, type, error=DataError)
    return found


def _frozen(value: Any) -> Any:
    """``value`` with tuples for lists, as a frozen value has them."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
