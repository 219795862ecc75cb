"""The option ``type`` of a target: the name of a kind, or ``{name: {parameter: value}}``.

Within mtt a kind is a text: its name, followed by the parameters as JSON where there are any.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields
from typing import Any

from mtt.discovery import TARGET_KINDS
from mtt.errors import ConfigError, did_you_mean

SCALAR = "scalar"


def kind_text(option: str | Mapping[str, Any] | None) -> str:
    """The text of what an options file has as ``type``."""
    if option is None or isinstance(option, str):
        return option or SCALAR
    ((name, parameters),) = option.items()
    parameters = json.loads(json.dumps(parameters))  # keys may be of several types: all are text
    return f"{name} {json.dumps(parameters, sort_keys=True)}" if parameters else str(name)


def kind_option(text: str) -> str | dict[str, Any]:
    """The option of which :func:`kind_text` gives ``text``."""
    name, _, parameters = text.partition(" ")
    return {name: json.loads(parameters)} if parameters else name


def kind_fault(text: str) -> tuple[str, str] | None:
    """Message and hint for wrong parameters of a kind; None for right ones, or an unknown name.

    Only a kind other than ``scalar`` is imported for it.
    """
    name, _, parameters = text.partition(" ")
    found = _class_of(name)
    if found is None:
        return None
    values = json.loads(parameters) if parameters else {}
    if not isinstance(values, dict):
        return f"the parameters of {name} are a mapping, got {values!r}", ""
    written = (one for one in fields(found) if one.init and not one.metadata.get("derived"))
    known = {one.name: one for one in written}
    unknown = [key for key in values if key not in known]
    if unknown:
        hint = did_you_mean(unknown[0], known) or f"known keys are {', '.join(known)}"
        return f"unknown key {unknown[0]!r} of {name}", hint
    missing = [key for key, one in known.items() if key not in values and _is_required(one)]
    if missing:
        what = f"{name} needs {' and '.join(missing)}"
        return what, f"write type: {{{name}: {{{missing[0]}: ...}}}}"
    try:
        found(**{key: _frozen(value) for key, value in values.items()})
    except (ValueError, TypeError) as error:
        return str(error), ""
    return None


def is_sum(text: str) -> bool:
    """Whether values of a kind are sums over atoms where the options do not say so."""
    found = _class_of(text.partition(" ")[0])
    return bool(getattr(found, "extensive", False))


def _class_of(name: str) -> Any:
    """The class of a kind; None for ``scalar``, and for one that cannot be loaded."""
    if name == SCALAR:
        return None
    try:
        return TARGET_KINDS.load(name, type)
    except ConfigError:  # the schema, or the reader of the data, reports it
        return None


def _is_required(one: Field[Any]) -> bool:
    return one.default is MISSING and one.default_factory is MISSING


def _frozen(value: Any) -> Any:
    """As :func:`mtt.data.kinds.of` gives parameters to a kind."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
