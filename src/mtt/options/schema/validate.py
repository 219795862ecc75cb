"""JSON Schema validation that finds all mistakes, each with its key and a remedy."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema
import referencing
import referencing.exceptions
from jsonschema.validators import extend, validator_for
from referencing.jsonschema import DRAFT202012

from mtt.discovery import TARGET_KINDS
from mtt.errors import ArchitectureError, did_you_mean
from mtt.options.schema.words import expected, shown, spelling_hint
from mtt.options.yaml.places import Fault, KeyPath

TRAINING = "mtt:training"
"""The name by which a folder's schema refers to the platform's training options."""

MODEL = "mtt:model"
"""The name of the platform's model options, which folders need not refer to."""

OPTIONS = "options.schema.json"
"""The schema of the whole options file; its name for the other schemas of this folder."""

UNAVAILABLE = "x-not-available"
"""Schema note: why a key, or each of some values (a mapping), is not available yet."""

FOUND = "x-found"
"""Schema note: the entry-point group whose names are also allowed, in addition to those listed."""

_FOUND = {plugins.group: plugins for plugins in (TARGET_KINDS,)}


def validate(
    values: Any, schema: Mapping[str, Any], path: KeyPath = (), source: str = ""
) -> list[Fault]:
    """Find all mistakes in ``values``, the section at ``path`` of the options.

    Stricter than JSON Schema: ``8.0`` is not an integer; no boolean, nan or infinity is a number.

    :param source: file of the schema, for messages.
    :raises ArchitectureError: the schema refers to something that does not exist.
    """
    body = {key: value for key, value in schema.items() if key != "$schema"}
    validator = _validator_class(schema.get("$schema", ""))(body, registry=_REGISTRY)
    try:
        errors = list(validator.iter_errors(_text_keys(values)))
    except referencing.exceptions.Unresolvable as error:
        raise ArchitectureError(
            f"the schema refers to {error.ref!r}, which does not exist", where=source
        ) from error
    return [fault for error in errors for fault in _faults(error, path)]


def packaged(*parts: str) -> Any:
    """The JSON file ``mtt/<parts>``, read without importing any module."""
    return json.loads(files("mtt").joinpath(*parts).read_text(encoding="utf-8"))


@cache
def packaged_schema(name: str) -> Any:
    """The schema of that name, or of this folder; without ``$schema``: the root decides."""
    rooms = {TRAINING: "training", MODEL: "mlip"}
    parts = (rooms[name], "schema-hypers.json") if name in rooms else ("options", name)
    schema = packaged(*parts)
    return {key: value for key, value in schema.items() if key not in ("$schema", "$id")}


def found_names(group: str) -> list[str]:
    """Names of the entry points of a group, see :data:`FOUND`."""
    return [*_FOUND[group].names()]


def _retrieve(uri: str) -> referencing.Resource[Any]:
    if uri not in (TRAINING, MODEL, OPTIONS):
        raise referencing.exceptions.NoSuchResource(uri)
    return DRAFT202012.create_resource(packaged_schema(uri))


_REGISTRY: referencing.Registry[Any] = referencing.Registry(
    retrieve=_retrieve  # type: ignore[call-arg]
)


@cache
def _validator_class(draft: str) -> Any:
    """A validator of ``draft`` that is strict about numbers and says what we say."""
    base = validator_for({"$schema": draft}, default=jsonschema.Draft202012Validator)
    checker = base.TYPE_CHECKER.redefine_many({"integer": _is_integer, "number": _is_number})
    rules = {
        "type": _type,
        "enum": _enum,
        "const": _const,
        "required": _required,
        "additionalProperties": _additional,
        "dependentRequired": _dependent,
        **{name: _bound(name) for name in _BOUNDS},
    }
    return extend(base, rules, type_checker=checker)


def _is_integer(_: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_: Any, value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


class _Error(jsonschema.ValidationError):
    """A validation error in our words, with a remedy."""

    hint: str = ""


def _error(what: str, hint: str = "", key: str | None = None) -> _Error:
    error = _Error(what, path=() if key is None else (key,))
    error.hint = hint
    return error


# Rules: called as rule(validator, value of the keyword, instance, schema); see jsonschema.extend.
Errors = Iterator[jsonschema.ValidationError]


def _type(validator: Any, types: Any, value: Any, schema: Any) -> Errors:
    names = [types] if isinstance(types, str) else types
    if not any(validator.is_type(value, name) for name in names):
        yield _error(f"expected {expected(names)}, got {shown(value)}", spelling_hint(value, names))


def _enum(validator: Any, allowed: Any, value: Any, schema: Any) -> Errors:
    found = schema.get(FOUND) and _FOUND[schema[FOUND]].names()
    if found:
        allowed = list(dict.fromkeys([*allowed, *found]))
        if isinstance(value, dict) and len(value) == 1 and next(iter(value)) in found:
            value = next(iter(value))  # with parameters
    if not any(_same(value, item) for item in allowed):
        words = [item for item in allowed if item is not None]
        known = ", ".join(shown(item, short=True) for item in words)
        hint = did_you_mean(value, words) if isinstance(value, str) else ""
        yield _error(f"expected {'one of ' * (len(words) > 1)}{known}, got {shown(value)}", hint)


def _const(validator: Any, only: Any, value: Any, schema: Any) -> Errors:
    if not _same(value, only):
        yield _error(f"must be {shown(only, short=True)}, got {shown(value)}")


def _same(value: Any, other: Any) -> bool:
    return type(value) is type(other) and bool(value == other)


def _required(validator: Any, keys: Any, value: Any, schema: Any) -> Errors:
    if validator.is_type(value, "object"):
        for key in keys:
            if key not in value:
                yield _error("missing key", f"add '{key}:' here", key)


def _dependent(validator: Any, rules: Any, value: Any, schema: Any) -> Errors:
    if validator.is_type(value, "object"):
        for given, keys in rules.items():
            for key in (k for k in keys if given in value and k not in value):
                yield _error("missing key", f"'{given}' needs it", key)


def _additional(validator: Any, rule: Any, value: Any, schema: Any) -> Errors:
    if not validator.is_type(value, "object"):
        return
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for key in value:
        if key in known or any(re.search(pattern, key) for pattern in patterns):
            continue
        if rule is False:
            yield _error("unknown key", _known_hint(key, known), key)
        else:
            yield from validator.descend(value[key], rule, path=key)


def _known_hint(key: str, known: Mapping[str, Any]) -> str:
    few = f"known keys are {', '.join(known)}" if 0 < len(known) <= 8 else ""
    return did_you_mean(key, known) or few


_BOUNDS: dict[str, tuple[str, Callable[[Any, Any], bool]]] = {
    "minimum": ("at least {}", lambda value, bound: value >= bound),
    "maximum": ("at most {}", lambda value, bound: value <= bound),
    "exclusiveMinimum": ("above {}", lambda value, bound: value > bound),
    "exclusiveMaximum": ("below {}", lambda value, bound: value < bound),
}


def _bound(name: str) -> Any:
    text, holds = _BOUNDS[name]

    def rule(validator: Any, bound: Any, value: Any, schema: Any) -> Errors:
        if validator.is_type(value, "number") and not holds(value, bound):
            yield _error(f"must be {text.format(bound)}, got {value}")

    return rule


def _faults(error: jsonschema.ValidationError, above: KeyPath) -> Iterator[Fault]:
    """Convert one validation error to faults."""
    path = (*above, *error.path)
    schema = error.schema if isinstance(error.schema, dict) else {}
    note = schema.get(UNAVAILABLE)
    if error.validator in ("additionalProperties", "required", "dependentRequired"):
        note = None  # the note is about the mapping, the fault about one of its keys
    if isinstance(note, dict):
        value = error.instance
        names = value if isinstance(value, dict) else [str(value)]
        note = next((note[name] for name in names if name in note), None)
    if note:
        yield Fault(path, f"not available yet: {note}")
    elif error.validator in ("anyOf", "oneOf") and error.context:
        yield from _nearest_branch(error, above)
    elif error.validator == "unevaluatedProperties" and isinstance(error.instance, dict):
        unknown = [key for key in error.instance if repr(key) in error.message]
        yield from (Fault((*path, key), "unknown key") for key in unknown)
    else:
        yield Fault(path, error.message, getattr(error, "hint", ""))


def _nearest_branch(error: jsonschema.ValidationError, above: KeyPath) -> Iterator[Fault]:
    """The mistakes of the alternative that has the right type, or all the types allowed."""
    branches: dict[int, list[jsonschema.ValidationError]] = {}
    for child in error.context:
        branches.setdefault(int(child.relative_schema_path[0]), []).append(child)
    fitting = [
        children
        for children in branches.values()
        if not any(child.validator == "type" and not child.relative_path for child in children)
    ]
    if fitting:
        for child in min(fitting, key=len):
            yield from _faults(child, (*above, *error.path))
        return
    types: list[str] = []
    for child in error.context:
        if child.validator == "type":
            value: Any = child.validator_value
            types.extend([value] if isinstance(value, str) else value)
    what = f"expected {expected(list(dict.fromkeys(types)))}, got {shown(error.instance)}"
    yield Fault((*above, *error.path), what, spelling_hint(error.instance, types))


def _text_keys(value: Any) -> Any:
    """``value`` with text for keys, as JSON has them (``{1: -13.6}`` is allowed in YAML)."""
    if isinstance(value, dict):
        return {str(key): _text_keys(item) for key, item in value.items()}
    return [_text_keys(item) for item in value] if isinstance(value, list) else value
