"""JSON Schema (draft 7) from the definitions of options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import is_dataclass
from string import Template
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin

from mtt.options.training.option import Definition, definitions

_JSON = {int: "integer", float: "number", bool: "boolean", str: "string", NoneType: "null"}


def section_schema(section: type) -> dict[str, Any]:
    """The schema of a mapping that holds the options of ``section``, and nothing else."""
    options = list(definitions(section))
    required = [one.key for one in options if one.is_required]
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": required} if required else {}),
        "properties": {one.key: option_schema(one) for one in options},
    }


def option_schema(definition: Definition) -> dict[str, Any]:
    """The schema of one option, with its description."""
    if definition.form is not None:
        found = definition.form.schema()
    else:
        found = _schema(definition.annotation, definition.limits)
    return {**found, "description": definition.description}


def _schema(annotation: Any, limits: Mapping[str, Any]) -> dict[str, Any]:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in _JSON:
        return {"type": _JSON[annotation], **limits}
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, UnionType):
        return _union([_schema(one, {}) for one in arguments], limits)
    if origin is tuple:
        return {"type": "array", "items": _schema(arguments[0], {}), **limits}
    if origin is not None and issubclass(origin, Mapping):
        values = {} if arguments[1] is Any else _schema(arguments[1], limits)
        return {"type": "object", **({"additionalProperties": values} if values else {})}
    assert is_dataclass(annotation), f"options have no type {annotation}"
    return section_schema(annotation)  # type: ignore[arg-type]


def _union(parts: list[dict[str, Any]], limits: Mapping[str, Any]) -> dict[str, Any]:
    """One ``type`` of several names, or alternatives where one is a mapping of options."""
    if any("properties" in one for one in parts):
        return {"anyOf": sorted(parts, key=lambda one: "properties" in one)}
    merged: dict[str, Any] = {}
    for one in parts:
        merged |= {key: value for key, value in one.items() if key != "type"}
    return {"type": [one["type"] for one in parts], **merged, **limits}


def with_names(schema: Any, names: Mapping[str, Sequence[str]]) -> Any:
    """``schema`` with lists of names in its descriptions.

    :param names: ``{"losses": ["mse", "mae"]}`` puts ``mse, mae`` in the place of ``$losses``.
    :raises KeyError: a description asks for another list.
    """
    if isinstance(schema, Mapping):
        lists = {key: ", ".join(found) for key, found in names.items()}
        return {
            key: Template(value).substitute(lists)
            if key == "description" and isinstance(value, str)
            else with_names(value, names)
            for key, value in schema.items()
        }
    return [with_names(one, names) for one in schema] if isinstance(schema, list) else schema
