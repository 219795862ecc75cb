"""The upgrade steps that an architecture folder keeps in its ``upgrade.py``."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


def folder_steps(owner: type) -> Mapping[str, Any]:
    """Functions of ``upgrade.py`` beside the module of ``owner``, if there is such a file."""
    package = owner.__module__.rpartition(".")[0]
    if not package or find_spec(f"{package}.upgrade") is None:
        return {}
    return vars(import_module(f"{package}.upgrade"))
