"""``mtt architectures``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mtt.cli import arguments
from mtt.cli.render import terminal

if TYPE_CHECKING:
    from mtt.options.schema.table import Row
    from mtt.registry import Found
    from mtt.workflows.facts import Facts


@click.command("architectures")
@click.argument("name", required=False)
@arguments.architectures
def command(name: str | None, architectures: tuple[Path, ...]) -> None:
    """List all architectures, or describe NAME: its abilities and options.

    Those that need packages which are not installed are listed with the command that installs
    them.
    """
    from mtt import registry

    if name is None:
        _list(registry.discover(architectures).values())
        return
    from mtt.workflows.facts import gather

    found = registry.find(name, architectures)
    for line in _told(gather(found)):
        terminal.done(line)
    if found.missing:
        terminal.done(f"\nnot installed yet: {', '.join(found.missing)}; {found.install}")


def _list(found: Iterable[Found]) -> None:
    """All architectures: what they are, their states, and their places.

    Those whose packages are not installed come last, with the command that installs them.
    """
    later = []
    for one in found:
        if one.missing and not one.problem:
            later.append(one)
        else:
            _architecture(one, str(one.folder))
    if later:
        terminal.done("\nnot installed yet:\n")
    for one in later:
        _architecture(one, f"needs {', '.join(one.missing)}: {one.install}")


def _architecture(one: Found, more: str) -> None:
    terminal.done(f"{one.name:<28} {one.state:<13} {one.problem or one.summary}")
    terminal.done(f"{'':<28} {'':<13} {more}")


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
