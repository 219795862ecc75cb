"""The Sphinx directive ``checks``: what an architecture is checked for, from the catalogue itself.

```{checks}
```
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docutils.statemachine import StringList
from option_rows import escaped
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mtt.testing import CHECKS, Check


class Checks(SphinxDirective):
    """A table of all checks, in the order in which they run."""

    def run(self) -> list[Any]:
        self.env.note_reread()  # the page may be the same while the catalogue is another
        return self.parse_text_to_nodes(StringList(table(CHECKS).splitlines(), source="checks"))


def table(checks: Sequence[Check]) -> str:
    """A Markdown table."""
    lines = ["| check | if it fails | where to look |", "|---|---|---|"]
    for check in checks:
        cells = (escaped(text).replace("|", r"\|") for text in _texts(check))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _texts(check: Check) -> tuple[str, str, str]:
    return check.name, check.meaning, check.look


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("checks", Checks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
