"""Options files of other programs, recognised by their keys: one message instead of many."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from mtt.errors import ConfigError
from mtt.options.yaml.load import parse

PAGE = "Coming from other programs"
"""The page of the manual with what their options are called here."""

_OURS = ("architecture", "training_set")


def check_ours(values: Mapping[str, Any], source: str) -> None:
    """Whether ``values`` may be options of mtt, however wrong.

    :raises ConfigError: they have none of the keys that ours need, and those of another program.
    """
    if any(key in values for key in _OURS):
        return
    found = {name: _count(values, one["keys"]) - one["least"] for name, one in _table().items()}
    name = max(found, key=lambda name: found[name])
    if found[name] >= 0:
        raise ConfigError(
            f"this looks like an options file of {name}",
            where=source,
            hint=f"see {PAGE!r} in the manual for what its options are called here; "
            "examples/quickstart/options.yaml is a file to begin with",
        )


def _count(values: Mapping[str, Any], keys: list[str]) -> int:
    return sum(_has(values, *key.partition("=")[::2]) for key in keys)


def _has(values: Any, path: str, wanted: str) -> bool:
    for key in path.split("."):
        if not isinstance(values, Mapping) or key not in values:
            return False
        values = values[key]
    return not wanted or values == wanted


@cache
def _table() -> dict[str, dict[str, Any]]:
    text = files("mtt.options").joinpath("foreign.yaml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = parse(text, "foreign.yaml").values
    return table
