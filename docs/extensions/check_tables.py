"""The Sphinx directive ``checks``: what an architecture is checked for, from the catalogue itself.

```{checks}
```
"""

from __future__ import annotations

from typing import Any

from check_rows import table
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from mtt.testing import CHECKS


class Checks(SphinxDirective):
    """A table of all checks, in the order in which they run."""

    def run(self) -> list[Any]:
        self.env.note_reread()  # the page may be the same while the catalogue is another
        return self.parse_text_to_nodes(StringList(table(CHECKS).splitlines(), source="checks"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("checks", Checks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
