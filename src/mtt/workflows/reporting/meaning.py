"""What the options of runs mean, so that other spellings of the same are not a difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from mtt import registry
from mtt.errors import MttError
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import Architecture
from mtt.report.differences import flattened
from mtt.workflows.restart.stored_options import by_symbol, options_in

_PRECISION = "base_precision"
_NAME = "architecture.name"

Flat = Mapping[str, Any]


def meaning(run: Path, architecture: Architecture | None) -> dict[str, Any] | None:
    """Options of a run with all defaults, today's names, and the precision that null means.

    None where they cannot be read, or are not those of ``architecture``.
    """
    if architecture is None:
        return None
    try:
        options = options_in(run, architecture)
    except MttError:  # of another version; they are compared as they are written
        return None
    if options is None:
        return None
    if options.get(_PRECISION) is None:
        options[_PRECISION] = first_precision(architecture)
    return by_symbol(options)


def loaded(name: Any, architectures: Sequence[str | Path] = ()) -> Architecture | None:
    """The architecture ``name``; None where there is none, or it cannot be loaded."""
    if not isinstance(name, str):
        return None
    try:
        return registry.find(name, architectures).load()
    except MttError:
        return None


def first_precision(architecture: Architecture) -> int:
    """Bits that a model has where the options name none."""
    return torch.finfo(architecture.model.__supported_dtypes__[0]).bits


def defaults_of(architecture: Architecture) -> dict[str, Any]:
    """Defaults of the options of ``architecture``, in the form of the options of a run."""
    folder = architecture.default_hypers
    return {
        "architecture": {
            "model": deep_merge(architecture.model.platform_hypers(), folder.get("model") or {}),
            "training": deep_merge(
                architecture.trainer.platform_hypers(), folder.get("training") or {}
            ),
        }
    }


def spelled_alike(options: Sequence[Flat | None]) -> list[Flat | None]:
    """Flat options in which what is left out, or null, is its default where others name it.

    Architectures are loaded for those runs only that leave something out.
    """
    keys: dict[Any, set[str]] = {}
    precisions: dict[Any, set[Any]] = {}
    for one in options:
        if one is not None:
            keys.setdefault(one.get(_NAME), set()).update(one)
            precisions.setdefault(one.get(_NAME), set()).add(one.get(_PRECISION))
    made: list[Flat | None] = []
    for one in options:
        name = None if one is None else one.get(_NAME)
        absent = set() if one is None else keys[name] - set(one)
        unclear = one is not None and one.get(_PRECISION) is None and len(precisions[name]) > 1
        if one is None or not (absent or unclear):
            made.append(one)
            continue
        defaults = _defaults(name)
        filled = {key: defaults[key] for key in absent if key in defaults}
        if unclear and _PRECISION in defaults:
            filled[_PRECISION] = defaults[_PRECISION]
        made.append({**one, **filled})
    return made


@cache
def _defaults(name: Any) -> dict[str, Any]:
    architecture = loaded(name)
    if architecture is None:
        return {}
    bits = {_PRECISION: first_precision(architecture)}
    return {**dict(flattened(defaults_of(architecture))), **bits}
