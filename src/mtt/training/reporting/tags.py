"""Names of metrics for programs that draw curves: ``part/quantity [unit]``."""

from __future__ import annotations

from collections.abc import Mapping

from mtt.training.reporting.events import PARTS


def tags(
    metrics: Mapping[str, float], units: Mapping[str, str], part: str = ""
) -> dict[str, float]:
    """``metrics`` by their tags; without ``part`` they are the row of an epoch.

    Tags begin with ``training/``, ``validation/``, ``system/`` or the ``part``.
    """
    return {
        _tag(name, units.get(name, ""), part): value
        for name, value in metrics.items()
        if name != "epoch"  # the axis
    }


def _tag(name: str, unit: str, part: str) -> str:
    shown = f"{name} [{unit}]" if unit else name
    if part:
        return f"{part}/{shown}"
    for prefix in PARTS.values():
        if name.startswith(prefix):
            return f"{prefix.strip()}/{shown.removeprefix(prefix)}"
    return f"{'system' if name == 'seconds' else 'training'}/{shown}"
