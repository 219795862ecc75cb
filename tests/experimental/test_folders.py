"""Every experimental architecture has what its place asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from mtt import registry

ROOT = Path(__file__).resolve().parent.parent.parent
FOUND = {name: one for name, one in registry.discover().items() if name.startswith("experimental.")}


@pytest.mark.parametrize("name", FOUND)
def test_it_has_a_page_a_maintainer_and_an_example(name: str) -> None:
    folder = FOUND[name].folder
    assert (folder / "README.md").read_text(encoding="utf-8").startswith("# ")
    assert re.search(r"^__maintainers__ = \[\(", (folder / "__init__.py").read_text(), re.M)
    examples = [path.read_text() for path in (ROOT / "examples").glob("*/*.yaml")]
    assert any(re.search(rf"^  name: {re.escape(name)}$", text, re.M) for text in examples)


@pytest.mark.parametrize("name", FOUND)
def test_an_extra_installs_what_it_needs(name: str) -> None:
    text = (FOUND[name].folder / "__init__.py").read_text()
    extra = re.search(r'^__extra__ = "(.+)"$', text, re.M)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert bool(extra) == ("__packages__" in text)
    assert extra is None or extra[1] in project["optional-dependencies"]
