"""The Sphinx directive ``option-table``: options of one topic, from the package's schemas.

```{option-table} training
:only: ema amp tf32
```
"""

from __future__ import annotations

from typing import Any, ClassVar

from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from option_rows import source, table
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from table_class import with_class

from mtt.options.schema.table import rows


class OptionTable(SphinxDirective):
    """A table of the options of a source (see ``option_rows.source``)."""

    required_arguments = 1
    option_spec: ClassVar[dict[str, Any]] = {
        "only": directives.unchanged_required,
        "at": directives.unchanged_required,
        "folded": directives.unchanged_required,
    }

    def run(self) -> list[Any]:
        try:
            found = rows(
                source(self.arguments[0]),
                self.options.get("only", "").split(),
                at=self.options.get("at", ""),
                folded=self.options.get("folded", "").split(),
            )
        except KeyError as error:
            raise self.error(str(error.args[0])) from error
        self.env.note_reread()  # the page may be the same while the schema is another
        text = with_class(table(found), "options")
        return self.parse_text_to_nodes(StringList(text.splitlines(), source="schema"))


def setup(app: Sphinx) -> dict[str, bool]:
    """Called by Sphinx."""
    app.add_directive("option-table", OptionTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
