"""Every architecture has its page, made from its folder."""

from __future__ import annotations

import re
import runpy
import shutil
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from mtt import registry
from mtt.errors import ArchitectureError
from mtt.registry import PAGE
from mtt.workflows.facts import gather

ROOT = Path(__file__).resolve().parent.parent.parent
EXTENSIONS = ROOT / "docs" / "extensions"
FOLDERS = [ROOT / "examples" / "architecture", ROOT / "tests" / "resources" / "architectures"]
FOUND = registry.discover(FOLDERS)
WITH_SCHEMA = [name for name, one in FOUND.items() if (one.folder / "schema-hypers.json").is_file()]


@pytest.fixture(scope="module")
def texts() -> Iterator[SimpleNamespace]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(EXTENSIONS))
        yield SimpleNamespace(**runpy.run_path(str(EXTENSIONS / "architecture_text.py")))


@pytest.fixture(scope="module")
def pages(texts: SimpleNamespace) -> dict[str, str]:
    found: dict[str, str] = texts.pages(FOLDERS)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of an architecture called ``dropped``, without a page."""
    folder = tmp_path / "dropped"
    shutil.copytree(FOLDERS[1] / "radial_sum", folder, ignore=shutil.ignore_patterns("__pycache__"))
    for path in folder.iterdir():
        path.write_text(path.read_text().replace("radial_sum", "dropped"))
    return folder


def leaves(values: dict[str, Any], prefix: str = "") -> Iterator[str]:
    for key, value in values.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")


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


def test_every_architecture_that_is_found_has_a_page(pages: dict[str, str]) -> None:
    assert list(pages) == ["index", *FOUND]
    for name in FOUND:
        assert f"]({name}.md)" in pages["index"]
        assert re.search(rf"^{re.escape(name)}$", pages["index"], re.MULTILINE)


@pytest.mark.parametrize("name", WITH_SCHEMA)
def test_a_page_has_every_option_once(name: str, pages: dict[str, str]) -> None:
    one = FOUND[name].load()
    told = re.findall(r"^\| `([^`]+)` \|", pages[name], re.MULTILINE)
    assert len(set(told)) == len(told)
    model = (one.schema or {})["properties"]["model"]
    assert set(leaves(one.default_hypers["model"])) <= set(told)
    assert {key.rpartition(".")[2] for key in told} >= set(described(model))


def test_a_page_without_a_schema_shows_the_defaults_with_their_comments(
    texts: SimpleNamespace, folder: Path
) -> None:
    (folder / "schema-hypers.json").unlink()
    defaults = folder / "default-hypers.yaml"
    text = defaults.read_text().strip() + " # a comment"
    defaults.write_text(text)
    assert f"```yaml\n{text}\n```" in texts.pages([folder])["dropped"]


@pytest.mark.parametrize("name", FOUND)
def test_a_page_holds_the_prose_and_the_facts(name: str, pages: dict[str, str]) -> None:
    facts = gather(FOUND[name])
    for part in re.split(r"^(?=## )", facts.prose, flags=re.MULTILINE):
        assert part.strip() in pages[name]
    for heading, text in facts.glance:
        assert f"| {heading} |" in pages[name]
        assert text.split("_")[0] in pages[name]
    assert all(f"]({address})" in pages[name] for address in facts.papers)
    assert all(reason.split("_")[0] in pages[name] for reason in facts.unpromised.values())


def test_a_folder_that_is_dropped_in_has_its_page(texts: SimpleNamespace, folder: Path) -> None:
    text = "# The dropped one\n\nA lead.\n\n## The model\n\nProse.\n\n## References\n\n- a book\n"
    (folder / PAGE).write_text(text)
    page = texts.pages([folder])["dropped"]
    places = [
        page.index(part)
        for part in (
            "# The dropped one", "A lead.", "| state | external |", "## The model", "Prose.",
            "## Options", "`cutoff`", "## References", "- a book",
        )
    ]  # fmt: skip
    assert places == sorted(places)


def test_a_folder_without_prose_has_a_page_of_facts(texts: SimpleNamespace, folder: Path) -> None:
    page = texts.pages([folder])["dropped"]
    summary = registry.find("dropped", [folder]).summary
    assert summary
    assert page.startswith(f"# dropped\n\n{summary}\n\n| | |\n")
    assert "| trained by | its own trainer |" in page
    assert "| predicts | what its code accepts; it does not declare it |" in page


def test_training_defaults_of_a_folder_are_on_its_page(pages: dict[str, str]) -> None:
    assert "with these defaults:\n\n```yaml\ntraining:\n  batch_size: 8\n" in (pages["gaussians"])
    assert "All [options of the platform](/training.md) with their defaults." in pages["soap_bpnn"]


def test_declared_exceptions_are_on_the_page(pages: dict[str, str]) -> None:
    section = pages["radial_sum"].partition("## Declared exceptions")[2]
    unpromised = FOUND["radial_sum"].load().model.__conformance_exceptions__
    assert unpromised
    for check, reason in unpromised.items():
        assert f"- {check}: {reason}\n" in section


def test_an_architecture_that_cannot_be_loaded_stops_the_build(
    texts: SimpleNamespace, folder: Path
) -> None:
    (folder / "trainer.py").write_text("import no_such_module\n")
    with pytest.raises(ArchitectureError, match="it needs 'no_such_module'"):
        texts.pages([folder])


def test_pages_are_written_once_and_old_ones_go(texts: SimpleNamespace, tmp_path: Path) -> None:
    texts.write(tmp_path / "pages", {"a": "A\n", "b": "B\n"})
    before = (tmp_path / "pages" / "a.md").stat().st_mtime_ns
    texts.write(tmp_path / "pages", {"a": "A\n", "c": "C\n"})
    assert sorted(path.name for path in (tmp_path / "pages").iterdir()) == ["a.md", "c.md"]
    assert (tmp_path / "pages" / "a.md").stat().st_mtime_ns == before


def test_prose_goes_into_the_wheel() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert "**/*.md" in project["tool"]["setuptools"]["package-data"]["mtt"]


def test_links_of_prose_lead_to_pages() -> None:
    for one in FOUND.values():
        text = gather(one).prose
        for target in re.findall(r"\]\((?!https?://)([^)#]+)", text):
            assert target.startswith("/"), f"{one.folder / PAGE}: {target}"
            assert (ROOT / "docs" / "src" / target[1:]).is_file(), f"{one.folder / PAGE}: {target}"
