"""What is made of an object in a pickle in place of it: its attributes, and no code."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


class Record(dict[str, Any]):
    """Attributes of an object by name; of one that is stored otherwise, its ``state``.

    :cvar of: full name of the object's class, which is not imported.
    """

    of = ""

    def __setstate__(self, state: Any) -> None:
        if isinstance(state, Mapping) and all(isinstance(key, str) for key in state):
            self.update(state)
        else:
            self["state"] = state


def records_of(names: Iterable[str]) -> dict[str, type[Record]]:
    """A kind of record for each of the classes."""
    return {name: type("Record", (Record,), {"of": name}) for name in names}
