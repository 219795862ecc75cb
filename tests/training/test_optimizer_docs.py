"""The pages on optimizers and schedules say what the code does."""

import re
from pathlib import Path

import pytest
import torch

from mtt.discovery import OPTIMIZERS, SCHEDULES
from mtt.options import read_yaml
from mtt.options.training import parse as parse_options
from mtt.training.optimizers import make_optimizer, preset
from mtt.training.optimizers.kind import OptimizerKind
from mtt.training.schedules import make_schedule
from mtt.training.schedules.kind import ScheduleKind

DOCS = Path(__file__).resolve().parents[2] / "docs" / "src"
PAGES = {name: (DOCS / f"{name}.md").read_text() for name in ("optimizers", "schedules")}
KINDS = {name: OPTIMIZERS.load(name, OptimizerKind) for name in OPTIMIZERS.names()}
RECIPES = [
    block for page in PAGES.values() for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)
]


@pytest.fixture
def parse(tmp_path):
    """YAML text to values, as an options file has them."""

    def read(text):
        path = tmp_path / "text.yaml"
        path.write_text(text)
        return read_yaml(path)

    return read


def options_told(page):
    """Name to ``key: default`` pairs of the page's table of options."""
    table = PAGES[page].partition("## Options and their defaults")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", table, re.MULTILINE)
    return {name: re.findall(r"`(\w+): ([^`]*)`", options) for name, options in rows}


def normal(value):
    if isinstance(value, tuple | list):
        return [normal(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def test_defaults_of_optimizers_are_documented(parse):
    told = options_told("optimizers")
    assert set(told) == set(OPTIMIZERS.names())
    for name, kind in KINDS.items():
        known = kind.options(kind.optimizer_class(name))
        found = {key: normal(parse(f"value: {text}")["value"]) for key, text in told[name]}
        assert found == {key: normal(option.default) for key, option in known.items()}, name


def test_defaults_of_schedules_are_documented(parse):
    told = options_told("schedules")
    assert set(told) == set(SCHEDULES.names())
    for name in SCHEDULES.names():
        known = SCHEDULES.load(name, ScheduleKind).options
        found = {key: normal(parse(f"value: {text}")["value"]) for key, text in told[name]}
        assert found == {key: normal(option.default) for key, option in known.items()}, name


def test_presets_are_documented(parse):
    table = PAGES["optimizers"].partition("| optimizer | sets |")[2].partition("\n###")[0]
    told = {}
    for names, options in re.findall(r"^\| (`.*?) \| (.*) \|$", table, re.MULTILINE):
        values = [parse(text) for text in re.findall(r"`([^`]*)`", options)]
        for name in re.findall(r"`(\w+)`", names):
            told[name] = {key: value for one in values for key, value in one.items()}
    assert told == {name: kind.sets for name, kind in KINDS.items() if kind.sets}


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_recipe_of_the_pages_can_be_made(recipe, parse):
    training = parse(recipe)["architecture"]["training"]
    hypers = preset(parse_options(training))
    parts = {name: torch.nn.Linear(3, 3) for name in ("first", "hidden", "heads")}
    made = make_optimizer(torch.nn.ModuleDict(parts), hypers)
    rate = make_schedule(hypers, total_steps=1000, steps_per_epoch=10)
    assert 0 < rate(0) <= max(group["lr"] for group in made.param_groups)


def test_decay_is_documented_as_it_is():
    """With a gradient of zero, what shrinks moves at once, and L2 only through the gradient."""
    rows = re.findall(r"^\| `(\w+)` \| [^|]* \| ([\w, ]+) \|$", PAGES["optimizers"], re.MULTILINE)
    assert {name for name, _ in rows} == set(KINDS)
    for name, told in rows:
        if told == "none":
            continue
        ratio = []
        for decay in (0.1, 0.2):
            model = torch.nn.Linear(2, 2, bias=False).double()
            torch.nn.init.constant_(model.weight, 2.0)
            asked = {"optimizer": name, "weight_decay": decay, "learning_rate": 0.01}
            made = make_optimizer(model, parse_options(asked))
            for _ in range(2):  # soap only measures in the first step
                model.weight.grad = torch.zeros_like(model.weight)
                for group in made.param_groups:
                    model.weight.grad.add_(model.weight.detach(), alpha=group["l2"])
                made.step()
            ratio.append(2.0 - model.weight.mean().item())
        shrinks = ratio[1] == pytest.approx(2 * ratio[0], rel=0.02)
        # without moments, as in the first steps of radam, both are the same
        expected = told == "shrinks" or "sgd" in name or name == "radam"
        assert shrinks == expected, (name, ratio)
