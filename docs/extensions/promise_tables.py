"""The Sphinx directive ``promises``: what is promised, and the tests that prove it.

```{promises} sections
```

The argument is ``sections`` for the promises of ``promises.yaml``, each section with its heading;
``pages`` for the tables of all pages; ``not-here`` for what is promised elsewhere only; or
``summary`` for the run of the tests whose report (see ``test_report``) fills the last columns.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from docutils.statemachine import StringList
from promise_rows import (
    of_pages,
    sections,
    summary,
    table,
    table_of_pages,
    table_of_what_is_not_here,
)
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from table_class import with_class
from test_report import Report, read


class Promises(SphinxDirective):
    """A table of promises (see ``promise_rows``)."""

    required_arguments = 1

    def run(self) -> list[Any]:
        self.env.note_reread()  # tests and other pages change while this one stays
        text = _TEXTS[self.arguments[0]](read())
        lines = StringList(text.splitlines(), source="promises")
        return self.parse_text_to_nodes(lines, allow_section_headings=True)


def _sections(report: Report | None) -> str:
    tables = [
        f"## {section.title}\n\n{section.about}\n\n{with_class(table(rows, report), 'promises')}"
        for section in sections()
        if (rows := [row for row in section.rows if not row.not_here])
    ]
    return "\n\n".join(tables)


def _not_here(report: Report | None) -> str:
    rows = [row for section in sections() for row in section.rows if row.not_here]
    return table_of_what_is_not_here(rows)


_TEXTS: dict[str, Callable[[Report | None], str]] = {
    "summary": summary,
    "sections": _sections,
    "pages": lambda report: with_class(table_of_pages(of_pages(), report), "promises"),
    "not-here": _not_here,
}


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("promises", Promises)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
