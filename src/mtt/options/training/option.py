"""Definition of one option."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field
from functools import cache
from typing import Any, Literal, get_type_hints

When = Literal["any time", "from here", "before the first step"]
"""When an option acts in a training that is resumed. *any time*: how long the training is, what
is reported of it, the hardware. *from here*: the steps, validations and stages to come. *before
the first step*: what the training begins with, so that a change is refused."""


@dataclass(frozen=True)
class Form:
    """Form of an option in a file, where it differs from its type.

    :param schema: JSON Schema, from the schema of the option's class (``{}`` without one).
    :param read: from the checked value of a file to that of the option.
    :param write: the way back, to plain types.
    """

    schema: Callable[[], dict[str, Any]]
    read: Callable[[Any], Any]
    write: Callable[[Any], Any]


@dataclass(frozen=True)
class Definition:
    """One option.

    :param name: of the field.
    :param key: in files; differs from ``name`` where that is a word of Python.
    :param annotation: the type.
    :param default: None may be one; ``MISSING`` where the option must be given.
    :param description: for the schema and the manual. ``$optimizers`` and the like are replaced
        by lists of names, see :func:`mtt.options.training.schema.with_names`.
    :param acts: on restart; None for a part of another option, which acts with it.
    :param in_stages: whether a stage may have its own.
    :param limits: keywords of JSON Schema: ``minimum``, ``minItems`` …
    """

    name: str
    key: str
    annotation: Any
    default: Any
    description: str
    acts: When | None
    in_stages: bool
    form: Form | None
    limits: Mapping[str, Any]

    @property
    def is_required(self) -> bool:
        return self.default is MISSING


def option(
    default: Any = MISSING,
    description: str = "",
    *,
    acts: When | None = None,
    in_stages: bool = False,
    form: Form | None = None,
    key: str = "",
    **limits: Any,
) -> Any:
    """The field of a frozen dataclass that is an option; parameters as of :class:`Definition`.

    Mappings, and options that are dataclasses, give their type as ``default``.
    """
    about = {"description": description, "acts": acts, "in_stages": in_stages, "form": form}
    metadata = {"option": {**about, "key": key, "limits": limits}}
    if default is MISSING:
        return field(metadata=metadata)
    if isinstance(default, type):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, metadata=metadata)


def definitions(section: type) -> tuple[Definition, ...]:
    """The options of a dataclass, in their order; fields that are not options are left out."""
    return _definitions(section)


@cache
def _definitions(section: type) -> tuple[Definition, ...]:
    return tuple(_of_fields(section))


def _of_fields(section: type) -> Iterator[Definition]:
    hints = get_type_hints(section)
    for one in dataclasses.fields(section):
        if "option" not in one.metadata:
            continue
        about = dict(one.metadata["option"])
        default = one.default if one.default_factory is MISSING else one.default_factory()
        key = about.pop("key") or one.name
        yield Definition(one.name, key, hints[one.name], default, **about)
