"""The options in the page on fine-tuning are those of runs that work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from mtt import train

QUICK = ["architecture.training.num_epochs=1", "architecture.training.batch_size=32"]


@pytest.fixture
def page(root: Path, here: Path) -> list[dict[str, Any]]:
    (here / "examples").symlink_to(root / "examples")
    text = (root / "docs" / "src" / "finetuning.md").read_text()
    blocks = re.findall(r"^```yaml\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    return [yaml.safe_load(block) for block in blocks]


def test_every_recipe_of_the_page_is_in_order(page: list[dict[str, Any]]) -> None:
    source, *recipes = page
    train(source, overrides=[*QUICK, "validation_set=0.9", "final_eval=false"])
    methods = [one["architecture"]["training"]["finetune"]["method"] for one in recipes]
    assert methods == ["full", "heads", "freeze", "lora", "replay"]
    for recipe in recipes:
        train(recipe, output="tuned.pt", dry_run=True)
