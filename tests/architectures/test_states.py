"""A stable architecture has all that is asked of one: schema, page, stored files."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mtt import registry
from mtt.checkpoint.archive import ARCHIVE_VERSION
from mtt.registry import PAGE, Architecture

STORED = Path(__file__).parent.parent / "resources" / "checkpoints"
STABLE = {name: one for name, one in registry.discover().items() if one.state == "stable"}
SECTIONS = ("## When to use it", "## The model", "## References")


def lacking(one: Architecture, stored: Path = STORED) -> Iterator[str]:
    """What a stable architecture must have and this one has not."""
    if one.schema is None:
        yield "schema-hypers.json"
    page = one.folder / PAGE
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    if not text.startswith("# "):
        yield f"{PAGE}, with a title"
    else:
        lines = text.splitlines()
        yield from (f"{PAGE}, the section {name!r}" for name in SECTIONS if name not in lines)
    if not one.model.__default_metadata__.references.get("architecture"):
        yield "references of __default_metadata__"
    model, trainer = one.model.__checkpoint_version__, one.trainer.__checkpoint_version__
    for stem, ending in (
        (f"{one.name}-model-{model}-trainer-{trainer}", ".ckpt"),
        (f"{one.name}-archive-{ARCHIVE_VERSION}-model-{model}", ".zip"),
    ):
        for name in (stem + ending, stem + ".json"):
            # later versions of the engine's state stand in the names
            if not any((*stored.glob(name), *stored.glob(name.replace(".", "-state-*.")))):
                yield name


@pytest.mark.parametrize("name", STABLE)
def test_a_stable_architecture_has_schema_page_and_stored_files(name: str) -> None:
    missing = list(lacking(STABLE[name].load()))
    assert not missing, "see 'What a state asks for' in docs/src/writing-an-architecture.md"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    source = Path(__file__).parent.parent / "resources" / "architectures" / "radial_sum"
    folder = tmp_path / "radial_sum"
    shutil.copytree(source, folder, ignore=shutil.ignore_patterns("__pycache__", "*.json", PAGE))
    one = registry.find("radial_sum", [folder]).load()
    stored = [
        "radial_sum-model-1-trainer-1.ckpt",
        "radial_sum-model-1-trainer-1.json",
        "radial_sum-archive-1-model-1.zip",
        "radial_sum-archive-1-model-1.json",
    ]
    references = "references of __default_metadata__"
    assert list(lacking(one)) == [
        "schema-hypers.json",
        f"{PAGE}, with a title",
        references,
        *stored,
    ]
    (folder / PAGE).write_text("# radial_sum\n\n## The model\n")
    found = list(lacking(one, tmp_path))
    assert f"{PAGE}, the section '## When to use it'" in found
    assert f"{PAGE}, the section '## The model'" not in found
