"""The table of all checks of an architecture, from the catalogue itself."""

from __future__ import annotations

from collections.abc import Sequence

from option_rows import escaped

from mtt.testing import Check


def table(checks: Sequence[Check]) -> str:
    """A Markdown table."""
    lines = ["| check | if it fails | where to look |", "|---|---|---|"]
    for check in checks:
        cells = (escaped(text).replace("|", r"\|") for text in _texts(check))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _texts(check: Check) -> tuple[str, str, str]:
    return check.name, check.meaning, check.look
