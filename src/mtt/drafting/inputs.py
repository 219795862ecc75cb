"""Charge and spin of the data as inputs of the model, where it takes them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from mtt.data.labels.keys import numbers_in
from mtt.drafting.content import Content
from mtt.drafting.labels import Chosen
from mtt.registry import Found

_INPUTS = {
    "charge": (re.compile(r"(^|_)charge$"), "max_charge"),
    "spin_multiplicity": (re.compile(r"(^|_)(multiplicity|mult)$"), "max_spin_multiplicity"),
}
"""Input to the names of its keys, and the option of a model that limits its values."""


def inputs_for(content: Content, labels: Chosen, found: Found) -> dict[str, str]:
    """Input of the model to its key in the files.

    Keys with one value in all structures are not among the states of ``labels``, and need not be
    inputs.
    """
    architecture = found.load()
    supported = getattr(architecture.model, "__supported_inputs__", ())
    hypers = architecture.default_hypers["model"]
    chosen: dict[str, str] = {}
    for name, (pattern, limit) in _INPUTS.items():
        if name in supported:
            keys = [key for key in labels.states if pattern.search(key.lower())]
            fitting = [key for key in keys if _fits(content, key, name, hypers.get(limit))]
            if fitting:
                chosen[name] = fitting[0]
    return chosen


def extra_data(inputs: Mapping[str, str]) -> dict[str, Any]:
    """``extra_data`` of a data set, empty without inputs."""
    return {name: {"key": key} for name, key in inputs.items()}


def _fits(content: Content, key: str, name: str, limit: int | None) -> bool:
    """Whether every structure has a whole number that the model takes."""
    values = [frame.per_structure.get(key) for frame in content.frames]
    if any(value is None for value in values):
        return False
    numbers = np.array([float(numbers_in(value).reshape(-1)[0]) for value in values])
    least = 1.0 if name == "spin_multiplicity" else -np.inf
    whole = bool(np.isfinite(numbers).all() and (numbers == np.round(numbers)).all())
    within = limit is None or bool((np.abs(numbers) <= limit).all())
    return whole and within and bool((numbers >= least).all())
