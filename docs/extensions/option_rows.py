"""Tables of options, from the schemas and defaults that the package itself reads.

No table of options is written by hand: a directive of ``option_tables.py`` names a source and
the options of one topic, and the rows come from ``mtt.options.schema.table``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mtt.options.schema.table import Row, Source
from mtt.options.schema.validate import MODEL, OPTIONS, packaged_schema
from mtt.training import default_hypers, training_schema


def source(name: str) -> Source:
    """``training``, ``model`` (of every MLIPModel), or ``options`` (the file).

    :raises KeyError: another name.
    """
    sources = {
        "training": Source(training_schema(), default_hypers()),
        "model": Source(packaged_schema(MODEL), {}),
        "options": Source(packaged_schema(OPTIONS), None),
    }
    if name not in sources:
        raise KeyError(f"there is no source {name}")
    return sources[name]


def table(found: Sequence[Row]) -> str:
    """A Markdown table."""
    lines = ["| option | values | default | what it does |", "|---|---|---|---|"]
    for row in found:
        cells = (f"`{row.name}`", row.values, row.default, escaped(row.what))
        lines.append("| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Plain text as Markdown; text between backticks stays code."""
    pieces = re.split(r"(`[^`]*`)", text)
    plain = [re.sub(r"([\\*_<>\[\]$~])", r"\\\1", piece) for piece in pieces[::2]]
    return "".join(piece for pair in zip(plain, [*pieces[1::2], ""], strict=True) for piece in pair)
