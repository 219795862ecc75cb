"""``mtt architectures``."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mtt.cli import arguments, render

if TYPE_CHECKING:
    from mtt.options.schema.table import Row
    from mtt.workflows.facts import Facts


@click.command("architectures")
@click.argument("name", required=False)
@arguments.architectures
def command(name: str | None, architectures: tuple[Path, ...]) -> None:
    """List all architectures, or describe NAME: its abilities and options."""
    from mtt import registry

    if name is None:
        render.architectures(registry.discover(architectures).values())
        return
    from mtt.workflows.facts import gather

    for line in _told(gather(registry.find(name, architectures))):
        render.done(line)


def _told(facts: Facts) -> Iterator[str]:
    """The page of the manual without its prose."""
    import yaml

    one = facts.architecture
    yield f"{one.name}  ({one.folder})"
    if facts.summary:
        yield f"\n{facts.summary}"
    yield ""
    for heading, text in facts.glance:
        yield f"{heading}: {text}"
    if facts.papers:
        yield f"papers: {', '.join(facts.papers)}"
    for check, reason in facts.unpromised.items():
        yield f"does not promise: {check} ({reason})"
    yield "\ndefault options:\n"
    yield yaml.safe_dump({"architecture": one.default_hypers}, sort_keys=False).rstrip()
    for section, rows in (("model", facts.model_rows), ("training", facts.training_rows)):
        if rows:
            yield f"\nwhat they mean, under architecture.{section}:\n"
            for row in rows:
                yield from _option(row)


def _option(row: Row) -> Iterator[str]:
    from mtt.options.schema.table import LEFT_OUT

    default = "" if row.default == LEFT_OUT else f" (default {row.default})"
    yield f"{row.name}: {row.values}{default}".replace("`", "")
    yield f"    {row.what}"
