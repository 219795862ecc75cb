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
