"""``mtt schema``."""

from __future__ import annotations

import json
from pathlib import Path

import click

from mtt.cli import arguments
from mtt.cli.render import terminal


@click.command("schema")
@click.argument("architecture", required=False)
@arguments.architectures
def command(architecture: str | None, architectures: tuple[Path, ...]) -> None:
    """Print the JSON Schema of an options file, which editors complete and check by.

    With ARCHITECTURE, the file may name this one alone; without it, the options of each
    architecture are those of the name in the file.

    \b
    mtt schema > options.schema.json
    and the first line of options.yaml, for VS Code's YAML extension and others:
    # yaml-language-server: $schema=options.schema.json
    """
    from mtt.registry.whole_schema import whole_schema

    schema = whole_schema(architecture, architectures)
    terminal.done(json.dumps(schema, indent=2, ensure_ascii=False))
