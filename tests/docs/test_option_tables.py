"""Every option stands in a table of the documentation, as its schema says."""

from __future__ import annotations

import re
import runpy
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtt.options.schema.table import Row, rows
from mtt.training import default_hypers, training_schema

DOCS = Path(__file__).resolve().parent.parent.parent / "docs"
DIRECTIVE = re.compile(r"^```\{option-table\} *(\S+)\n((?::.*\n)*)```", re.MULTILINE)


@pytest.fixture(scope="module")
def tables() -> SimpleNamespace:
    return SimpleNamespace(**runpy.run_path(str(DOCS / "extensions" / "option_rows.py")))


def directives() -> list[tuple[str, dict[str, str]]]:
    """Source and options of every directive of every page."""
    found = []
    for page in sorted((DOCS / "src").glob("*.md")):
        for name, lines in DIRECTIVE.findall(page.read_text()):
            pairs = (line.strip(":").split(": ", 1) for line in lines.splitlines())
            found.append((name, dict(pairs)))
    return found


def shown(tables: SimpleNamespace, name: str, at: str = "") -> list[str]:
    """Names in all tables of a source, in the order of the pages."""
    return [
        row.name
        for source, options in directives()
        if source == name and options.get("at", "") == at
        for row in rows(
            tables.source(name),
            options.get("only", "").split(),
            at=at,
            folded=options.get("folded", "").split(),
        )
    ]


def described(schema: Any) -> Iterator[str]:
    """Every key of a ``properties`` anywhere in ``schema``, however deep."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "properties":
                yield from value
            yield from described(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from described(value)


def leaves(values: Any, prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")


def last(name: str) -> str:
    return name.rpartition(".")[2]


def test_every_training_option_is_in_a_table(tables: SimpleNamespace) -> None:
    names = shown(tables, "training")
    assert set(leaves(default_hypers())) <= set(names)
    assert sorted(map(last, dict.fromkeys(names))) == sorted(described(training_schema()))
    assert {"early_stopping.patience", "stages[].num_epochs", "finetune.method"} <= set(names)


def test_every_option_of_the_file_is_in_a_table(tables: SimpleNamespace) -> None:
    names = [
        name
        for at in ("", "$defs/labelled", "$defs/target")
        for name in shown(tables, "options", at)
    ]
    assert set(map(last, names)) == set(described(tables.source("options").schema))
    assert {"architecture.name", "systems.read_from", "forces.key"} <= set(names)


def test_every_option_of_every_model_is_in_a_table(tables: SimpleNamespace) -> None:
    names = shown(tables, "model")
    # their page, and that of the options file
    unique = dict.fromkeys(names)
    assert sorted(map(last, unique)) == sorted(described(tables.source("model").schema))
    assert "prior.bonds.<name>.k" in names


@pytest.mark.parametrize("name", ["training", "options", "model"])
def test_every_row_says_what_the_option_takes_and_does(tables: SimpleNamespace, name: str) -> None:
    folded = ("training_set", "validation_set", "test_set")
    for row in rows(tables.source(name), folded=folded):
        assert row.values, f"{row.name}: no values"
        assert len(row.what) > 3, f"{row.name}: no description"


def test_a_row_is_what_schema_and_defaults_say(tables: SimpleNamespace) -> None:
    found = {row.name: row for row in rows(tables.source("training"))}
    assert found["learning_rate"][1:3] == ("number > 0", "`0.001`")
    assert found["amp"][1:3] == ("`bf16`, `fp16` or `null`", "`null`")
    assert found["early_stopping"][1:3] == ("mapping or `null`", "`null`")
    assert found["early_stopping.patience"][1:3] == ("integer ≥ 1", "required")
    assert found["early_stopping.min_delta"].default == "–"
    assert found["finetune"].default == "–"
    assert found["finetune.method"].default == "`full`"
    assert found["stages[].ema"].what == "As `ema` above."
    assert "stages[].ema.decay" not in found


def test_a_table_shows_signs_of_markdown_as_they_are(tables: SimpleNamespace) -> None:
    row = Row("a_b", "`x`, `y`", "`z`", "a_b | *c* [d] <e> `f_g` $h")
    assert tables.table([row]).splitlines()[2] == (
        r"| `a_b` | `x`, `y` | `z` | a\_b \| \*c\* \[d\] \<e\> `f_g` \$h |"
    )


def test_an_option_or_a_source_that_does_not_exist_is_refused(tables: SimpleNamespace) -> None:
    with pytest.raises(KeyError, match="there is no option emma"):
        rows(tables.source("training"), ["ema", "emma"])
    with pytest.raises(KeyError, match="there is no source trainig"):
        tables.source("trainig")
