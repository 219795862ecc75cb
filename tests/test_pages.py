"""The pages of the manual: their examples are valid, and the tests that they name exist."""

import re
from pathlib import Path

import pytest
import yaml

from mtt.options import load_options, resolve
from mtt.options.yaml.overrides import deep_merge
from mtt.registry import find

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs" / "src").glob("*.md"))
TECHNIQUES = [
    "accumulation",
    "augmentation",
    "averaging",
    "conflict-free",
    "precision",
    "stages",
    "stopping",
]


def examples():
    """The YAML blocks of the pages about techniques, each a part of an options file."""
    for name in TECHNIQUES:
        text = (ROOT / "docs" / "src" / f"{name}.md").read_text(encoding="utf-8")
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)):
            yield pytest.param(block, id=f"{name}-{number}")


@pytest.mark.parametrize("block", list(examples()))
def test_the_examples_complete_the_quickstart(block, tmp_path, monkeypatch):
    quickstart = yaml.safe_load((ROOT / "examples/quickstart/options.yaml").read_text())
    del quickstart["architecture"]["model"]  # the block may name another architecture
    merged = deep_merge(quickstart, yaml.safe_load(block))
    path = tmp_path / "options.yaml"
    path.write_text(yaml.safe_dump(merged))
    monkeypatch.chdir(ROOT)
    options = resolve(load_options(path), find(merged["architecture"]["name"]).load())
    assert options.architecture["training"]["batch_size"] == 8


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_tests_that_a_page_names_exist(page):
    # in the tables of promises; elsewhere `test_set` is an option
    _, _, text = page.read_text(encoding="utf-8").partition("## What we promise")
    named = set(re.findall(r"`(test_\w+)`", text))
    files = set(re.findall(r"`(?:tests/)?([\w/]+/test_\w+\.py)`", text))
    sources = "\n".join(
        path.read_text(encoding="utf-8") for path in ROOT.glob("tests/**/test_*.py")
    )
    assert not {name for name in named if f"def {name}(" not in sources}
    assert not {name for name in files if not (ROOT / "tests" / name).is_file()}
