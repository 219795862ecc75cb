"""Training options of existing files that ask for nothing here: taken as far as they do not."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from mtt.options.schema.validate import UNAVAILABLE, validate
from mtt.options.yaml.places import Fault, KeyPath

_SCHEMA: dict[str, dict[str, Any]] = {
    "num_workers": {"type": ["integer", "null"], "minimum": 0},
    "log_separate_blocks": {"const": False, UNAVAILABLE: "errors of separate blocks"},
    "distributed": {"const": False, UNAVAILABLE: "this name here; give batch_size_per_rank"},
    "distributed_port": {"type": "integer", "minimum": 1, "maximum": 65535},
}
RETIRED = tuple(_SCHEMA)

_NUM_WORKERS = "num_workers is not used: batches are gathered without worker processes"


def retired(
    platform: Collection[str], folder: Collection[str], schema: Mapping[str, Any] | None
) -> list[str]:
    """The names of ``RETIRED`` that an architecture does not take itself.

    :param platform: options of its trainer's class; of a trainer without any, nothing is retired.
    :param folder: those of its ``default-hypers.yaml``, which are its own unless its schema,
        where it has one, knows nothing of them.
    """
    if not platform:
        return []
    own = [*platform, *(key for key in folder if schema is None or _describes(schema, key))]
    return [name for name in RETIRED if name not in own]


def retired_faults(training: Mapping[str, Any], names: Collection[str], at: KeyPath) -> list[Fault]:
    """Find options of ``names`` that are not available.

    :param at: where ``training`` is in the options file.
    """
    given = {name: training[name] for name in names if name in training}
    return [
        fault
        for name, value in given.items()
        for fault in validate(value, _SCHEMA[name], (*at, name))
    ]


def retired_notices(
    training: Mapping[str, Any], names: Collection[str], at: KeyPath
) -> list[Fault]:
    """Notices on options without effect."""
    used = "num_workers" in names and training.get("num_workers")
    return [Fault((*at, "num_workers"), _NUM_WORKERS)] if used else []


def without_retired(training: Mapping[str, Any], names: Collection[str]) -> dict[str, Any]:
    """``training`` without the options ``names``, as older checkpoints hold them."""
    return {key: value for key, value in training.items() if key not in names}


def _describes(schema: Any, key: str) -> bool:
    """Whether ``schema``, itself or within, has a property of this name."""
    if isinstance(schema, Mapping):
        properties = schema.get("properties")
        if isinstance(properties, Mapping) and key in properties:
            return True
        return any(_describes(one, key) for one in schema.values())
    return isinstance(schema, list) and any(_describes(one, key) for one in schema)
