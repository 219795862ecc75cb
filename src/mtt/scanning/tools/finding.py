"""Findings of a scan of the data, one per row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

Severity = Literal["wrong", "suspicious", "note", "fine"]
SEVERITIES: tuple[Severity, ...] = ("wrong", "suspicious", "note", "fine")


class Place(NamedTuple):
    """Frames of one file in one part of the data; no frames where all of it is meant."""

    part: str  # "training", "validation" or "test"
    file: str
    frames: tuple[int, ...] = ()  # ascending, counted from 0 in the file


@dataclass(frozen=True)
class Finding:
    """A problem that was found, or a measurement that is in order.

    :param check: the subject, one of a few stable names (``"duplicates"``).
    :param severity: ``"wrong"`` spoils a model or its scores; ``"suspicious"`` should be looked
        at; a ``"note"`` should be known; ``"fine"`` was measured and is in order.
    :param number: what was measured, in ``unit`` (``""``: a ratio or a count); or None.
    :param advice: what to do.
    """

    check: str
    severity: Severity
    what: str
    places: tuple[Place, ...] = ()
    number: float | None = None
    unit: str = ""
    advice: str = ""


def count(n: int, things: str) -> str:
    """``1 structure``, ``2 structures``."""
    return f"{n} {things.removesuffix('s') if n == 1 else things}"


def by_severity(findings: Sequence[Finding]) -> list[Finding]:
    """The worst first, else in the order in which they were found."""
    return sorted(findings, key=lambda one: SEVERITIES.index(one.severity))
