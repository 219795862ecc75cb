"""Between a mapping of checked values and the dataclass that it describes."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import is_dataclass
from typing import Any, TypeVar, get_args, get_origin

from mtt.options.training.option import Definition, definitions

T = TypeVar("T")


def read_section(section: type[T], values: Mapping[str, Any]) -> T:
    """``section`` with the options that ``values`` gives; further keys are left out."""
    given = {one.name: read_value(one, values[one.key]) for one in known(section, values)}
    return section(**given)


def known(section: type, values: Mapping[str, Any]) -> list[Definition]:
    """The options of ``section`` that ``values`` gives."""
    return [one for one in definitions(section) if one.key in values]


def read_value(definition: Definition, value: Any) -> Any:
    """The typed value of an option, from the checked one of a file."""
    if definition.form is not None:
        return definition.form.read(value)
    return _read(definition.annotation, value)


def _read(annotation: Any, value: Any) -> Any:
    kinds = [annotation, *get_args(annotation)]
    if isinstance(value, Mapping):
        sections = [kind for kind in kinds if isinstance(kind, type) and is_dataclass(kind)]
        return read_section(sections[0], value) if sections else copy.deepcopy(dict(value))
    is_tuple = any(get_origin(kind) is tuple for kind in kinds)
    return tuple(value) if is_tuple and isinstance(value, list | tuple) else value


def write_section(section: Any, *, whole: bool = False) -> dict[str, Any]:
    """``section`` in plain types, as an options file has it.

    :param whole: with the options that have their default; else they are left out.
    """
    plain = {}
    for one in definitions(type(section)):
        value = getattr(section, one.name)
        if whole or one.is_required or value != one.default:
            plain[one.key] = write_value(one, value)
    return plain


def write_value(definition: Definition, value: Any) -> Any:
    """The way back from :func:`read_value`."""
    if definition.form is not None:
        return definition.form.write(value)
    if is_dataclass(value):
        return write_section(value)
    if isinstance(value, tuple):
        return list(value)
    return copy.deepcopy(dict(value)) if isinstance(value, Mapping) else value
