"""A choice by name, with options that belong to what is chosen: an optimizer, a schedule."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mtt.options.training.option import Form


@dataclass(frozen=True)
class NamedChoice:
    """A name, and the options that were given with it; what is chosen knows and checks them."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: str | Mapping[str, Any]) -> NamedChoice:
        """Parse ``name``, or ``{name: ..., option: ...}``."""
        if isinstance(value, str):
            return cls(value)
        return cls(value["name"], {key: item for key, item in value.items() if key != "name"})

    def plain(self) -> str | dict[str, Any]:
        """Convert to the form of options files."""
        return {"name": self.name, **self.options} if self.options else self.name


def choice_of(kind: str) -> Form:
    """The form of an option that is a :class:`NamedChoice`, or null.

    :param kind: what is chosen: ``optimizer``.
    """
    name = {
        "type": "string",
        "description": f"One of the names above; the other keys are options of that {kind}.",
    }
    mapping = {"type": "object", "required": ["name"], "properties": {"name": name}}
    schema = {"anyOf": [{"type": ["string", "null"]}, mapping]}
    return Form(
        lambda: schema,
        lambda value: None if value is None else NamedChoice.of(value),
        lambda value: None if value is None else value.plain(),
    )
