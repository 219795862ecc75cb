"""Numbers that a loss of spectra has beside weight and reduction; read from its source."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from mtt.discovery import LOSSES
from mtt.options.yaml.places import Fault, KeyPath

FEWEST = 5
"""Points of a spectrum, as many as a derivative takes."""


def parameters_of(kind: str) -> Mapping[str, float]:
    """Names and defaults; none of a loss of components, or of one that is not known."""
    return LOSSES.facts("parameters", {}).get(kind, {})


def is_for_spectra(kind: str) -> bool:
    """Whether the loss ``kind`` has a meaning for the values of spectra alone."""
    return LOSSES.facts("only_spectra", False).get(kind, False)


def is_spectrum(kind: str, components: bool, numbers: int) -> bool:
    """Whether the loss ``kind``, if it is one of spectra, fits a target of so many numbers."""
    return not is_for_spectra(kind) or (not components and numbers >= FEWEST)


def for_spectra(kind: str) -> tuple[str, str]:
    """Message and hint for such a loss that is given for something else."""
    what = f"{kind} is for spectra: scalars with num_subtargets points of a grid"
    return what, "write it as the type of such a target: {mtt::dos: {type: " + kind + "}}"


def parameter_faults(given: Mapping[str, Any], path: KeyPath) -> Iterator[Fault]:
    """Find values that are not numbers, or too small."""
    for key, value in given.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield Fault((*path, key), f"expected a number, got {value!r}")
        elif not math.isfinite(value) or value < 0 or (value == 0 and key.endswith("_step")):
            least = "above 0" if key.endswith("_step") else "at least 0"
            yield Fault((*path, key), f"must be {least}, got {value!r}")
