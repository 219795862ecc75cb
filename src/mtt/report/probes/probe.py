"""What a probe finds, as plain values: curves, numbers, or why there are none."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

LATE = "the time was over"
"""How the problem of a probe begins that came to a part of its work."""


@dataclass
class Finding:
    """One probe.

    :param key: of the probe: ``"dimers"``.
    :param numbers: pairs of a name and a text.
    :param curves: titles, axes and lines, see :func:`curve`.
    :param problem: why it failed or was left out; empty where it did not.
    """

    key: str
    numbers: list[tuple[str, str]] = field(default_factory=list)
    curves: list[dict[str, Any]] = field(default_factory=list)
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "key": self.key,
            "numbers": [list(pair) for pair in self.numbers],
            "curves": self.curves,
            "problem": self.problem,
        }


class Clock:
    """Time that is left to the probes.

    :param seconds: of all together.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds

    @property
    def left(self) -> float:
        """Seconds; negative where there are none."""
        return self._end - time.perf_counter()


def curve(
    title: str,
    x: str,
    y: str,
    lines: dict[str, list[tuple[float, float]]],
    note: str = "",
    domain: tuple[float, float] | None = None,
) -> dict[str, Any]:
    """A chart of lines by name.

    :param domain: of the vertical axis; lines are cut off outside of it.
    """
    found = {
        name: [[round(float(a), 6), float(f"{b:.7g}")] for a, b in points if b - b == 0]
        for name, points in lines.items()
    }
    return {
        "title": title,
        "x": x,
        "y": y,
        "lines": found,
        "note": note,
        "domain": None if domain is None else list(domain),
    }
