"""Table of the options of a schema: name, allowed values, default, meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

Schema = Mapping[str, Any]

LEFT_OUT = "–"
"""The default of an option that has none, or whose parts have theirs."""

_TYPES = {
    "boolean": "`true`, `false`",
    "string": "text",
    "object": "mapping",
    "array": "list",
    "null": "`null`",
}
_BOUNDS = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}


class Row(NamedTuple):
    """One option.

    :param name: with dots: ``early_stopping.patience``; ``[]`` is any item of a list, ``<name>``
        any key of a mapping.
    :param values: what it may be, as Markdown.
    :param default: as Markdown.
    :param what: what it does, as the schema says.
    """

    name: str
    values: str
    default: str
    what: str


class Source(NamedTuple):
    """Options that a schema describes.

    :param schema: resolves references within itself.
    :param defaults: nested values; None where the schema itself holds them.
    """

    schema: Schema
    defaults: Mapping[str, Any] | None


def rows(
    source: Source,
    only: Sequence[str] = (),
    *,
    at: str = "",
    folded: Sequence[str] = (),
) -> list[Row]:
    """All options of ``source``, depth first in the order of the schema.

    :param only: these at the outermost level, in this order; empty for all.
    :param at: where in the schema to begin: ``$defs/target``.
    :param folded: names whose contents are described elsewhere.
    :raises KeyError: an option of ``only`` does not exist.
    """
    schema = source.schema
    for key in at.split("/") if at else ():
        schema = schema[key]
    found = list(_rows(_resolved(schema, source), source, "", source.defaults, folded))
    if not only:
        return found
    by_option: dict[str, list[Row]] = {}
    for row in found:
        by_option.setdefault(re.split(r"[.\[]", row.name)[0], []).append(row)
    missing = [name for name in only if name not in by_option]
    if missing:
        raise KeyError(f"there is no option {', '.join(missing)}")
    return [row for name in only for row in by_option[name]]


def _rows(
    schema: Schema, source: Source, prefix: str, defaults: Any, folded: Sequence[str]
) -> Iterator[Row]:
    for branch in _branches(schema, source):
        required = branch.get("required", schema.get("required", ()))
        for key, given in branch.get("properties", {}).items():
            name = f"{prefix}{key}"
            part = _resolved(given, source)
            held = part if source.defaults is None else defaults
            here = "default" if source.defaults is None else key
            default = held.get(here, _MISSING) if isinstance(held, Mapping) else _MISSING
            shown = "required" if key in required else _default(default)
            yield Row(name, _values(part, source), shown, _what(given, part))
            if name not in folded and not _is_alias(given):
                yield from _rows(part, source, f"{name}.", default, folded)
        for inner, mark in (("items", "[]"), ("additionalProperties", "<name>")):
            each = branch.get(inner)
            if isinstance(each, Mapping):
                joint = prefix.removesuffix(".") + mark if mark == "[]" else prefix + mark
                yield from _rows(_resolved(each, source), source, f"{joint}.", None, folded)


def _branches(schema: Schema, source: Source) -> list[Schema]:
    """``schema`` itself and its alternatives, each with what it holds."""
    inner = (_resolved(one, source) for one in schema.get("anyOf", ()))
    return [schema, *(branch for one in inner for branch in _branches(one, source))]


def _resolved(schema: Schema, source: Source) -> Schema:
    """``schema`` laid over what it refers to."""
    if "$ref" not in schema:
        return schema
    target: Any = source.schema
    for key in schema["$ref"].removeprefix("#/").split("/"):
        target = target[key]
    own = {key: value for key, value in schema.items() if key != "$ref"}
    return {**_resolved(target, source), **own}


def _is_alias(schema: Schema) -> bool:
    """Whether an option is another one of the same table, in another place."""
    return str(schema.get("$ref", "")).startswith("#/properties/")


def _what(given: Schema, part: Schema) -> str:
    if _is_alias(given):
        return f"As `{given['$ref'].rpartition('/')[2]}` above."
    return str(part.get("description", ""))


def _values(schema: Schema, source: Source) -> str:
    """Describe the allowed values of an option in words."""
    found = list(dict.fromkeys(_kinds(schema, source)))
    if source.defaults is None and len(found) > 1:  # there, null is the same as leaving it out
        found = [kind for kind in found if kind != "`null`"]
    if "`null`" in found:
        found.sort(key=lambda kind: kind == "`null`")
    return " or ".join(found)


def _kinds(schema: Schema, source: Source) -> Iterator[str]:
    for one in schema.get("anyOf", ()):
        yield from _kinds(_resolved(one, source), source)
    if "const" in schema:
        yield _code(schema["const"])
    elif "enum" in schema:
        values = [value for value in schema["enum"] if value is not None]
        yield ", ".join(map(_code, values))
        if None in schema["enum"]:
            yield "`null`"
    else:
        kinds = schema.get("type", [])
        for kind in [kinds] if isinstance(kinds, str) else kinds:
            yield _bounded(kind, schema, source)


def _bounded(kind: str, schema: Schema, source: Source) -> str:
    if kind in ("integer", "number"):
        bounds = [
            f"{sign} {_number(schema[key])}" for key, sign in _BOUNDS.items() if key in schema
        ]
        return " ".join([kind, ", ".join(bounds)]).strip()
    if kind == "array" and "items" in schema:
        items = set(_kinds(_resolved(schema["items"], source), source))
        return f"list of {items.pop()}" if len(items) == 1 else "list"
    return _TYPES[kind]


def _number(value: float) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _default(value: Any) -> str:
    if value is _MISSING:
        return LEFT_OUT
    if isinstance(value, Mapping) and value:
        return LEFT_OUT  # its own options have theirs
    return _code(value)


def _code(value: Any) -> str:
    if isinstance(value, str):
        return f"`{value}`" if value else "`''`"
    text = str(value) if isinstance(value, float) else json.dumps(value, ensure_ascii=False)
    return f"`{text}`"


_MISSING = object()
