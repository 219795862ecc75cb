"""Names that metatrain knows, so that a message says "not available", not "unknown"."""

from __future__ import annotations

from collections.abc import Container
from functools import cache
from importlib.resources import files
from typing import Any

from mtt.options.yaml.load import parse


def peer_notice(name: str) -> str | None:
    """Notice on an architecture ``name`` that metatrain offers and that was not found here.

    None for a name that metatrain does not know either. To be asked when nothing was found.
    """
    known = _table()["architectures"]
    last = name.removeprefix("experimental.").removeprefix("deprecated.")
    for full in (name, f"experimental.{last}", last):
        if full in known:
            return f"{name} ({known[full]}; of metatrain) is not available here"
    return None


def training_notice(key: str, known: Container[str] = ()) -> str | None:
    """Notice on a training option of metatrain that an architecture does not have.

    :param known: the platform's options that it has; one that does the same is suggested.
    """
    instead = _table()["renamed"].get(key)
    if instead and instead.partition(":")[0] in known:
        return f"not available under this name; use {instead}"
    note = _table()["training"].get(key)
    return f"not available yet: {note}" if note else None


def loss_notice(name: str) -> str | None:
    """Notice on a type of loss of metatrain that does not exist here."""
    note = _table()["losses"].get(name)
    return f"not available yet: {note} ({name!r})" if note else None


@cache
def _table() -> dict[str, dict[str, Any]]:
    text = files("mtt.options").joinpath("peers.yaml").read_text(encoding="utf-8")
    table: dict[str, dict[str, Any]] = parse(text, "peers.yaml").values
    return table
