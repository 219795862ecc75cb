"""The Sphinx directive ``promises``: what is promised, and the tests that prove it.

```{promises} 0
```

The argument is the number of a section of ``promises.yaml``, from 0; ``pages`` stands for the
tables of all pages, ``not-here`` for what is promised elsewhere only.
"""

from __future__ import annotations

from typing import Any

from docutils.statemachine import StringList
from promise_rows import of_pages, sections, table, table_of_pages, table_of_what_is_not_here
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective


class Promises(SphinxDirective):
    """A table of promises (see ``promise_rows``)."""

    required_arguments = 1

    def run(self) -> list[Any]:
        which = self.arguments[0]
        if which == "pages":
            text = table_of_pages(of_pages())
        elif which == "not-here":
            rows = [row for section in sections() for row in section.rows if row.not_here]
            text = table_of_what_is_not_here(rows)
        else:
            section = sections()[int(which)]
            rows = [row for row in section.rows if not row.not_here]
            text = f"{section.about}\n\n{table(rows)}"
        self.env.note_reread()  # tests and other pages change while this one stays
        return self.parse_text_to_nodes(StringList(text.splitlines(), source="promises"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("promises", Promises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
