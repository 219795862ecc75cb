"""What outputs do not declare of targets, in the metadata of exported models."""

from __future__ import annotations

from collections.abc import Mapping

from metatomic.torch import ModelMetadata

from mtt.checkpoint import merge_metadata
from mtt.data.info import TargetInfo
from mtt.data.labels.units import declared

_PREFIX = "unit of "
_KIND = "kind of "
_GRADIENTS = "gradients of "
_QUANTITY = "quantity of "
_PROPERTIES = "properties of "
_MOST_DIGITS = 9


def with_undeclared(metadata: ModelMetadata, targets: Mapping[str, TargetInfo]) -> ModelMetadata:
    """``metadata`` with what outputs cannot declare of units, kinds, sizes and derivatives."""
    extra = {
        f"{_PREFIX}{name}": target.unit
        for name, target in targets.items()
        if declared(target.unit) != target.unit
    }
    extra |= {f"{_KIND}{n}": t.kind for n, t in targets.items() if t.of_kind.components}
    extra |= {
        f"{_GRADIENTS}{name}": " ".join(target.gradients)
        for name, target in targets.items()
        if target.gradients and not target.is_energy
    }
    # by metatomic's standard these two names are energies, and others are not
    extra |= {
        f"{_QUANTITY}{name}": "energy"
        for name, target in targets.items()
        if target.is_energy and name.split("/")[0] != "energy"
    }
    extra |= {
        f"{_PROPERTIES}{n}": f"{t.properties}" for n, t in targets.items() if t.properties > 1
    }
    return merge_metadata(metadata, ModelMetadata(extra=extra)) if extra else metadata


def stored_unit(metadata: ModelMetadata, name: str, unit: str) -> str:
    """The unit of the output ``name`` as the data have it.

    :param unit: the one that the output declares, which metatomic may spell in another way.
    """
    return str(dict(metadata.extra).get(f"{_PREFIX}{name}", "")) or unit


def stored_kind(metadata: ModelMetadata, name: str) -> str:
    """Text of the kind of the output ``name``: that of the metadata, else ``"scalar"``."""
    return str(dict(metadata.extra).get(f"{_KIND}{name}", "scalar"))


def stored_gradients(metadata: ModelMetadata, name: str) -> tuple[str, ...]:
    """The derivatives of the output ``name`` that the model was trained on, energies left out."""
    return tuple(str(dict(metadata.extra).get(f"{_GRADIENTS}{name}", "")).split())


def is_stored_energy(metadata: ModelMetadata, name: str) -> bool:
    """Whether the output ``name``, which is not called ``energy``, is one all the same."""
    return f"{_QUANTITY}{name}" in dict(metadata.extra)


def stored_properties(metadata: ModelMetadata, name: str) -> int:
    """How many properties the output ``name`` has: that of the metadata, else 1."""
    found = str(dict(metadata.extra).get(f"{_PROPERTIES}{name}", ""))
    return int(found) if found.isdecimal() and len(found) < _MOST_DIGITS else 1
