"""The kinds of targets. A module of this folder is one by being here; its ``KIND`` is the class.

Other packages add kinds by entry points of the group ``mtt.target_kinds``, each of which names a
module with a ``KIND``::

    [project.entry-points."mtt.target_kinds"]
    quaternion = "my_package.quaternion"
"""

from __future__ import annotations

import json
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from pkgutil import iter_modules
from typing import TYPE_CHECKING, Any

from mtt.errors import DataError, did_you_mean

if TYPE_CHECKING:
    from mtt.data.target_kind import TargetKind

GROUP = "mtt.target_kinds"


def names() -> list[str]:
    """All kinds, those of mtt first; none is imported."""
    own = sorted(module.name for module in iter_modules(__path__))
    return list(dict.fromkeys([*own, *sorted(one.name for one in entry_points(group=GROUP))]))


def load(name: str) -> type[TargetKind]:
    """The class of the kind ``name``.

    :raises DataError: no such kind is found.
    """
    if any(module.name == name for module in iter_modules(__path__)):
        module = import_module(f"{__name__}.{name}")
    else:
        found = list(entry_points(group=GROUP, name=name))
        if not found:
            close = did_you_mean(name, names()) or f"there are: {', '.join(names())}"
            hint = f"{close}; or install the package that adds it"
            raise DataError(f"no kind of target is called {name!r}", hint=hint)
        module = found[0].load()
    kind: type[TargetKind] = module.KIND
    return kind


@cache
def of(text: str) -> TargetKind:
    """The kind that :attr:`TargetKind.text` describes: a name, or a name and parameters as JSON.

    :raises DataError: no such kind is found, or its parameters are of another one.
    """
    name, _, parameters = text.partition(" ")
    kind = load(name)
    try:
        values: Any = json.loads(parameters) if parameters else {}
        return kind(**{key: _frozen(value) for key, value in values.items()})
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DataError(f"{text!r} does not describe a target of kind {name}: {error}") from error


def _frozen(value: Any) -> Any:
    """``value`` with tuples for lists, as a frozen value has them."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
