"""What differs between two sets of options, value by value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mtt.options.yaml.places import KeyPath, dotted

LONGEST = 100
"""Characters of a value that is shown; lists of indices have thousands."""


class Absent:
    """Marks a value that one of the two does not have."""

    def __repr__(self) -> str:
        return "not there"


ABSENT = Absent()


class Difference(NamedTuple):
    """One value that is not what it was; ``ABSENT`` where there is none.

    :param path: keys and list indices from the root of the options.
    """

    path: KeyPath
    old: Any
    new: Any

    def __str__(self) -> str:
        return f"{self.key}: {shown(self.old)} → {shown(self.new)}"

    @property
    def key(self) -> str:
        """``architecture.training.num_epochs``."""
        return dotted(self.path)


def differences(old: Any, new: Any, path: KeyPath = ()) -> Iterator[Difference]:
    """Every value that differs, as deep as both sides have keys; lists of mappings by item."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in dict.fromkeys([*new, *old]):
            yield from differences(old.get(key, ABSENT), new.get(key, ABSENT), (*path, key))
    elif _is_list_of_mappings(old) and _is_list_of_mappings(new):
        for i in range(max(len(old), len(new))):
            before, after = (one[i] if i < len(one) else ABSENT for one in (old, new))
            yield from differences(before, after, (*path, i))
    elif _plain(old) != _plain(new):
        yield Difference(path, old, new)


def shown(value: Any) -> str:
    """A value on one line, as YAML has it; a long one is cut."""
    if value is ABSENT:
        return repr(value)
    text = value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False)
    return _cut(text)


def said(one: Difference, of: str = "run") -> str:
    """A difference in a sentence; values as Python has them."""
    new, old = (_cut(repr(value)) for value in (one.new, one.old))
    return f"{one.key} is {new} in the options and {old} in the {of}"


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _is_list_of_mappings(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, Mapping) for item in value)


def _plain(value: Any) -> Any:
    """``value`` in a form in which equal ones are equal: 1 is not true, a tuple is a list."""
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (list, tuple)) else value
