"""``-r key.key=value``: options from the command line, laid over those of the file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from mtt.errors import ConfigError
from mtt.options.yaml.load import Document, parse
from mtt.options.yaml.places import KeyPath, dotted

_PART = re.compile(r"([^.\[\]]+)|\[(\d+)\]")
_NAME = re.compile(r"(?:[^.\[\]]+|\[\d+\])(?:\.[^.\[\]]+|\[\d+\])*\Z")


def apply_overrides(document: Document, overrides: Sequence[str]) -> None:
    """Set ``key.key=value`` in ``document``; the value is YAML, keys may be new.

    List items are ``key[0]`` or ``key.0``. A mapping is merged into the one that is there;
    everything else replaces it.

    :raises ConfigError: an override without ``=``, with a value that is not YAML, or a path
        that leads through a value that has no keys.
    """
    for override in overrides:
        name, equals, text = override.partition("=")
        if not equals or not _NAME.match(name.strip()):
            raise ConfigError(
                "an override is written key.key=value", where=f"-r {override}", hint="add '='"
            )
        value = parse(text, f"-r {override}").values
        keys = [key or int(index) for key, index in _PART.findall(name.strip())]
        _set(document, keys, value, override)


def deep_merge(below: Any, above: Any) -> Any:
    """``above`` laid over ``below``, key by key where both are mappings."""
    if isinstance(below, dict) and isinstance(above, dict):
        merged = dict(below)
        for key, value in above.items():
            merged[key] = deep_merge(below[key], value) if key in below else value
        return merged
    return above


def _set(document: Document, keys: list[str | int], value: Any, override: str) -> None:
    node: Any = document.values
    path: KeyPath = ()
    for key in keys[:-1]:
        here = _existing(node, key, override)
        path = (*path, here)
        if not isinstance(_child(node, here), (dict, list)):
            node[here] = _spell_out(_child(node, here), path, override)
        node = node[here]
    last = _existing(node, keys[-1], override)
    node[last] = deep_merge(_child(node, last), value)
    document.places.mark_override((*path, last), override)


def _child(node: Any, key: Any) -> Any:
    return node[key] if isinstance(node, list) else node.get(key)


def _existing(node: Any, key: str | int, override: str) -> str | int:
    """Convert ``key`` to the form that ``node`` uses: a list's index or a whole number to int."""
    if isinstance(node, list):
        if not str(key).isdecimal() or int(key) >= len(node):
            what = f"{key!r} is not an item of a list of {len(node)}"
            raise ConfigError(what, where=f"-r {override}")
        return int(key)
    return int(key) if key not in node and str(key).isdecimal() else key


def _spell_out(value: Any, path: KeyPath, override: str) -> dict[Any, Any]:
    """Expand a short form to its mapping, so that an override can add to it."""
    if isinstance(value, str) and str(path[0]).endswith("_set"):
        if path[-1] == path[0] or isinstance(path[-1], int):
            return {"systems": {"read_from": value}, "targets": {"energy": {"read_from": value}}}
        return {"read_from": value}
    if isinstance(value, str):
        hint = f"give the whole value: {dotted(path)}={{...}}"
        raise ConfigError(f"{value!r} has no keys", where=f"-r {override}", hint=hint)
    return {}
