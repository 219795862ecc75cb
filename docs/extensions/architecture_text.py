"""Pages of architectures, as Markdown: the prose of their folders, and facts from their code."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml
from option_rows import escaped, table

from mtt import registry
from mtt.registry.architecture import DEFAULTS
from mtt.workflows.facts import Facts, gather

INDEX = "index"

_ABOUT = """\
# All architectures

All architectures are trained, exported and evaluated by the same commands; only `architecture.name`
differs. `mtt architectures` lists them too, with those in your own folders, and
`mtt architectures NAME` shows the content of these pages. The states are defined in
[Writing an architecture](/writing-an-architecture.md#what-a-state-asks-for).
"""


def pages(folders: Sequence[str | Path] = ()) -> dict[str, str]:
    """Map the name of each page to its Markdown: one page per architecture, and an index.

    :param folders: more of them, as for ``--architectures``.
    :raises ArchitectureError: one of them cannot be loaded.
    """
    found = [registry.find(name, folders) for name in registry.discover(folders)]
    known = [gather(one) for one in found]
    return {INDEX: index(known), **{facts.architecture.name: page(facts) for facts in known}}


def write(folder: Path, contents: dict[str, str]) -> None:
    """Make ``folder`` hold these pages and no others; an unchanged page is not written."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.md"):
        if path.stem not in contents:
            path.unlink()
    for name, text in contents.items():
        path = folder / f"{name}.md"
        if not path.is_file() or path.read_text(encoding="utf-8") != text:
            path.write_text(text, encoding="utf-8")


def index(known: Sequence[Facts]) -> str:
    """The page that leads to the others."""
    lines = ["| architecture | what it is | predicts | state |", "|---|---|---|---|"]
    for facts in known:
        glance, name = dict(facts.glance), facts.architecture.name
        cells = (f"[{escaped(name)}]({name}.md)", escaped(facts.summary), glance["predicts"])
        lines.append(f"| {' | '.join(cells)} | {facts.architecture.state} |")
    names = [facts.architecture.name for facts in known]
    tree = ["```{toctree}", ":hidden:", "", *names, "```"]
    return "\n".join([_ABOUT, *lines, "", *tree, ""])


def page(facts: Facts) -> str:
    """The page of one: title and lead, facts, prose, options, and the references last."""
    lead, sections = _split(facts)
    last = [one for one in sections if one.startswith("## References")]
    prose = [one for one in sections if one not in last]
    parts = [lead, _glance(facts), *prose, _options(facts), _training(facts), _less(facts), *last]
    return "\n\n".join(part.strip() for part in parts if part) + "\n"


def _split(facts: Facts) -> tuple[str, list[str]]:
    """The text above the first section of ``README.md``, and the sections."""
    if not facts.prose:
        return f"# {escaped(facts.architecture.name)}\n\n{escaped(facts.summary)}", []
    lead, *sections = re.split(r"^(?=## )", facts.prose, flags=re.MULTILINE)
    return lead, sections


def _glance(facts: Facts) -> str:
    lines = ["| | |", "|---|---|"]
    for heading, text in facts.glance:
        cell = text if heading in ("predicts", "fine-tuning") else escaped(text)
        lines.append(f"| {heading} | {cell} |")
    if facts.papers:
        links = ", ".join(f"[{escaped(_short(one))}]({one})" for one in facts.papers)
        lines.append(f"| papers | {links} |")
    return "\n".join(lines)


def _short(address: str) -> str:
    return re.sub(r"^https?://((dx\.)?doi\.org/)?", "", address)


def _options(facts: Facts) -> str:
    shared = "[those of every model](/options.md#model-options-of-the-platform)"
    every = f", in addition to {shared}" if facts.architecture.model.platform_hypers() else ""
    if facts.model_rows:
        return f"## Options\n\nUnder `architecture.model`{every}:\n\n{table(facts.model_rows)}"
    text = (facts.architecture.folder / DEFAULTS).read_text(encoding="utf-8")
    about = f"The folder has no schema; these are its defaults{every}."
    return f"## Options\n\n{about}\n\n```yaml\n{text.strip()}\n```"


def _training(facts: Facts) -> str:
    """What the folder says about its training."""
    if facts.training_rows:
        return f"## Training\n\nUnder `architecture.training`:\n\n{table(facts.training_rows)}"
    if not facts.engine:
        return ""
    own = facts.architecture.default_hypers["training"]
    options = "[options of the platform](/training.md)"
    if not own:
        return f"## Training\n\nAll {options} with their defaults."
    text = yaml.safe_dump({"training": own}, sort_keys=False).strip()
    return f"## Training\n\nThe {options}, with these defaults:\n\n```yaml\n{text}\n```"


def _less(facts: Facts) -> str:
    return "\n".join(_unpromised(facts)) if facts.unpromised else ""


def _unpromised(facts: Facts) -> Iterator[str]:
    yield "## Declared exceptions\n"
    yield "It passes all checks of [conformance](/conformance.md) except these:\n"
    for check, reason in facts.unpromised.items():
        yield f"- {escaped(check)}: {escaped(reason)}"
