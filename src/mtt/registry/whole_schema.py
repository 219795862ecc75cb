"""One JSON Schema of a whole options file, for editors: without references to other files.

Editors know draft-07, where what is written beside ``$ref`` does not count: there it becomes
``allOf``. Everything that the schema refers to is below its ``$defs``.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from mtt.errors import ArchitectureError
from mtt.options.schema.validate import (
    FOUND,
    MODEL,
    OPTIONS,
    TRAINING,
    found_names,
    packaged_schema,
)
from mtt.registry.find import discover, find
from mtt.registry.found import Found
from mtt.registry.hypers import schema as schema_of

DRAFT = "http://json-schema.org/draft-07/schema#"
KINDS = "mtt.target_kinds"
_WITH_PARAMETERS = {"type": "object", "minProperties": 1, "maxProperties": 1}
_OWN = ("x-not-available", FOUND, "$schema", "$id")  # of no use to editors


def whole_schema(name: str | None = None, folders: Sequence[str | Path] = ()) -> dict[str, Any]:
    """The schema of options files for ``mtt train``.

    :param name: of the only architecture that the files may name; None: any that is found, whose
        options are those of the name in the file.
    :param folders: of architectures outside of the package.
    :raises ArchitectureError: there is no such architecture, or its schema is not one.
    """
    known = [find(name, folders)] if name else [*discover(folders).values()]
    whole = _plain(copy.deepcopy(packaged_schema(OPTIONS)), "#")
    whole = {"$schema": DRAFT, **whole}
    definitions = whole["$defs"]
    definitions["training"] = _plain(copy.deepcopy(packaged_schema(TRAINING)), "#/$defs/training")
    definitions["model"] = _plain(copy.deepcopy(packaged_schema(MODEL)), "#/$defs/model")
    definitions["training"]["type"] = ["object", "null"]  # a section that is left empty is null
    section = definitions["architecture"]
    names = section["properties"]["name"]
    if name:
        names["const"] = name
    else:
        names["examples"] = [one.name for one in known]
    section["allOf"] = []
    for one in known:
        section["allOf"] += _conditions(one, definitions, required=bool(name))
    if not section["allOf"]:
        del section["allOf"]
    return whole


def _conditions(one: Found, definitions: dict[str, Any], *, required: bool) -> list[dict[str, Any]]:
    """What holds of the section ``architecture`` where it names ``one``."""
    try:
        own = None if one.problem else schema_of(one)
    except ArchitectureError:
        if required:
            raise
        own = None  # `mtt architectures` says what is wrong with it
    if own is None:
        return []
    place = f"architecture {one.name}"
    parts = copy.deepcopy(own.get("properties", {}))
    model = parts.get("model", {})
    if model.get("additionalProperties") is False:
        shared = definitions["model"].get("properties", {})
        model["properties"] = {
            **{key: {"$ref": f"mtt:shared/{key}"} for key in shared},
            **model.get("properties", {}),
        }
    kept = {key: parts[key] for key in ("model", "training") if key in parts}
    for part in kept.values():
        if "type" in part:
            part["type"] = [*dict.fromkeys([*_listed(part["type"]), "null"])]
    # internal references of the folder's schema are relative to all of it
    rest = {key: value for key, value in own.items() if key in ("definitions", "$defs")}
    definitions[place] = _plain({**rest, "properties": kept}, f"#/$defs/{place}")
    named = {"properties": {"name": {"const": one.name}}, "required": ["name"]}
    return [{"if": named, "then": {"$ref": f"#/$defs/{place}"}}]


def _plain(value: Any, root: str) -> Any:
    """``value`` in the words of draft-07, with references below ``root``."""
    if isinstance(value, list):
        return [_plain(item, root) for item in value]
    if not isinstance(value, dict):
        return value
    found = {
        {"dependentRequired": "dependencies"}.get(key, key): _plain(item, root)
        for key, item in value.items()
        if key not in _OWN and key != "$ref"
    }
    if FOUND in value and "enum" in found:
        more = [name for name in found_names(value[FOUND]) if name not in found["enum"]]
        found["enum"] = [*found["enum"], *more]
        if value[FOUND] == KINDS:  # those that turn are written with their parameters
            found["anyOf"] = [{"enum": found.pop("enum")}, _WITH_PARAMETERS]
    if isinstance(value.get("$ref"), str):
        reference = {"$ref": _below(value["$ref"], root)}
        if not found:
            return reference
        found["allOf"] = [*found.get("allOf", []), reference]
    return found


def _below(reference: str, root: str) -> str:
    if reference == TRAINING:
        return "#/$defs/training"
    if reference.startswith("mtt:shared/"):
        return "#/$defs/model/properties/" + reference.removeprefix("mtt:shared/")
    return root + reference.removeprefix("#") if reference.startswith("#") else reference


def _listed(types: Any) -> list[Any]:
    return [types] if isinstance(types, str) else list(types)
