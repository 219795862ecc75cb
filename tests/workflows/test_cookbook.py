"""The recipes of the page "Training cookbook": as they stand, and made small enough to train."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import ase.io
import pytest

from mtt import train
from mtt.options import read_yaml
from mtt.options.yaml.overrides import deep_merge
from mtt.workflows.run.folder import RunFolder

PAGE = Path(__file__).resolve().parent.parent.parent / "docs" / "src" / "cookbook.md"
Fit = Callable[..., RunFolder]

SMALL = {
    "soap": {"max_angular": 1, "max_radial": 2, "cutoff": {"radius": 3.0}},
    "bpnn": {"num_hidden_layers": 1, "num_neurons_per_layer": 4},
}


def recipes() -> list[Any]:
    """The YAML blocks, by the word before the colon of their section and their place in it."""
    found = []
    for section in PAGE.read_text(encoding="utf-8").split("\n## ")[1:]:
        name = re.split(r"[:\n]", section, maxsplit=1)[0].replace(" ", "-")
        for number, block in enumerate(re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)):
            found.append(pytest.param(block, id=f"{name}-{number}"))
    return found


def small(recipe: Mapping[str, Any], data: str) -> dict[str, Any]:
    """``recipe`` with little data, a tiny model, and one epoch per stage."""
    result = deep_merge(
        dict(recipe),
        {"architecture": {"model": SMALL}, "training_set": {"systems": {"read_from": data}}},
    )
    training = result["architecture"]["training"]
    if "prefit" in training:
        training["prefit"]["max_steps"] = 2
    for part in training.get("stages", [training]):
        part["num_epochs"] = 1
    return result


@pytest.fixture(params=recipes())
def recipe(root: Path, here: Path, request: pytest.FixtureRequest) -> dict[str, Any]:
    """Every recipe, where its data are, whole and a few frames of them."""
    (here / "examples").symlink_to(root / "examples")
    for name in ("ethanol", "alloy"):
        frames: Any = ase.io.read(root / "examples" / "data" / f"{name}.xyz", ":24")
        ase.io.write(here / f"{name}.xyz", frames)
    (here / "options.yaml").write_text(request.param, encoding="utf-8")
    return read_yaml(here / "options.yaml")


def before(recipe: Mapping[str, Any], fit: Fit) -> None:
    """The run that a fine-tuning starts from, with the same options of the model."""
    finetune = recipe["architecture"]["training"].get("finetune")
    if finetune:
        model = recipe["architecture"].get("model", {})
        training = {"num_epochs": 1, "batch_size": 16}
        first = {**recipe, "architecture": {"name": "soap_bpnn", "model": model}}
        first = deep_merge(first, {"training_set": {"systems": {"read_from": "ethanol.xyz"}}})
        first["architecture"]["training"] = training
        folder = fit(first)
        (folder.path / "checkpoints" / "best.ckpt").rename(finetune["read_from"])


def test_every_recipe_is_valid_as_it_is(recipe: dict[str, Any], fit: Fit) -> None:
    before(recipe, fit)
    train("options.yaml", output="tuned.pt", dry_run=True)


def test_every_recipe_trains(recipe: dict[str, Any], fit: Fit) -> None:
    name = Path(recipe["training_set"]["systems"]["read_from"]).name
    options = small(recipe, name)
    before(options, fit)
    folder = fit(options)
    stages = recipe["architecture"]["training"].get("stages", [None])
    assert len((folder.path / "history.jsonl").read_text().splitlines()) == len(stages)
    assert (folder.path / "checkpoints" / "best.ckpt").is_file()
