"""From mappings to typed training options, with all mistakes at once, and back."""

from collections.abc import Mapping
from typing import Any

import pytest

from mtt.errors import ConfigError
from mtt.options.training import (
    EarlyStoppingOptions,
    EmaOptions,
    LossOptions,
    NamedChoice,
    PrefitOptions,
    TrainingOptions,
    parse,
)
from mtt.options.training.finetune import LoraConfig

FULL: dict[str, Any] = {
    "batch_size": 4,
    "optimizer": {"name": "adamw", "betas": [0.9, 0.99]},
    "scheduler": "linear",
    "learning_rate_factors": {"heads.*": 1.0, "*": 0.1},
    "ema": {"decay": 0.99},
    "prefit": {"parameters": ["prior.*"], "max_steps": 3},
    "early_stopping": {"patience": 5, "start": 0.5},
    "per_structure_targets": ["energy"],
    "loss": {
        "energy": {
            "type": "huber",
            "weight": {0: 1.0, 100: 25.0},
            "reduction": "sum",
            "delta": 0.5,
            "gradients": {"positions": {"type": "mse", "weight": 10.0, "reduction": "mean"}},
        }
    },
    "finetune": {
        "read_from": "a.ckpt",
        "method": "lora",
        "config": {"rank": 2},
        "inherit_heads": {"energy/ccsd": "energy"},
        "baseline": "refit",
        "replay": {"data": {"systems": "old.xyz"}, "number": 20, "held": 0.2},
        "anchor": 0.01,
        "depth_decay": 0.7,
    },
    "stages": [
        {"num_epochs": 2, "ema": False},
        {"name": "last", "num_epochs": 3, "from": "best", "batch_size": 16, "amp": "bf16"},
    ],
}


def problems(values: Mapping[str, Any]) -> dict[str, str]:
    with pytest.raises(ConfigError) as caught:
        parse(values)
    return {problem.where: problem.what for problem in caught.value.problems}


def test_every_section_has_its_type():
    options = parse(FULL)
    assert options.optimizer == NamedChoice("adamw", {"betas": [0.9, 0.99]})
    assert options.scheduler == NamedChoice("linear")
    assert options.ema == EmaOptions(0.99)
    assert options.prefit == PrefitOptions(("prior.*",), max_steps=3)
    assert options.early_stopping == EarlyStoppingOptions(5, start=0.5)
    assert options.per_structure_targets == ("energy",)
    assert isinstance(options.loss, dict)
    assert options.loss["energy"].weight == {0: 1.0, 100: 25.0}
    assert options.loss["energy"].gradients == {"positions": LossOptions(weight=10.0)}
    assert options.finetune.config == LoraConfig(rank=2)
    assert options.log_interval == TrainingOptions().log_interval


def test_nothing_gives_the_defaults():
    assert parse({}) == TrainingOptions()


def test_parsed_options_give_the_mapping_again():
    assert parse(FULL).to_hypers() == {**TrainingOptions().to_hypers(), **FULL}
    assert parse(TrainingOptions().to_hypers()) == TrainingOptions()


@pytest.mark.parametrize(
    ("given", "written"),
    [(True, True), (False, False), ({}, True), ({"decay": 0.999}, True), ({"decay": 0.5},) * 2],
)
def test_an_average_is_written_in_its_shortest_form(given, written):
    assert parse({"ema": given}).to_hypers()["ema"] == written


def test_a_stage_has_the_options_of_the_whole_below_its_own():
    first, second = parse(FULL).stages
    assert (first.name, first.source, first.num_epochs) == ("", "last", 2)
    assert first.own == ("ema",)
    assert (second.name, second.source) == ("last", "best")
    assert first.options.ema is None
    assert second.options.ema == EmaOptions(0.99)
    assert (first.options.batch_size, second.options.batch_size) == (4, 16)
    assert second.options.num_epochs == 3


def test_all_mistakes_are_found_each_with_its_key():
    found = problems(
        {
            "batch_size": 0,
            "learning_rate": "1e-3",
            "augmentation": "O3",
            "early_stopping": {"start": 2},
            "stages": [{"num_epochs": 1, "amp": "fp8"}, {"epochs": 3}],
            "finetune": {"readfrom": "x"},
        }
    )
    prefix = "architecture.training"
    assert set(found) == {
        f"{prefix}.batch_size",
        f"{prefix}.learning_rate",
        f"{prefix}.augmentation",
        f"{prefix}.early_stopping.patience",
        f"{prefix}.early_stopping.start",
        f"{prefix}.stages[0].amp",
        f"{prefix}.stages[1].epochs",
        f"{prefix}.stages[1].num_epochs",
        f"{prefix}.finetune.readfrom",
    }
    assert found[f"{prefix}.batch_size"] == "must be at least 1, got 0"


def test_mistakes_in_losses_of_the_training_and_of_stages_are_found_together():
    loss = {"energy": {"reduction": "none", "gradients": {"positions": {"delta": 0}}}}
    loss["mtt::gap"] = {"wieght": 1}
    found = problems({"loss": loss, "stages": [{"num_epochs": 1, "loss": {"energy": "mae"}}]})
    assert found == {
        "architecture.training.loss.energy": "unknown reduction 'none'",
        "architecture.training.loss.energy.forces": "delta must be above 0",
        "architecture.training.loss.mtt::gap": "unknown option 'wieght'",
        "architecture.training.stages[0].loss.energy": "expected a mapping",
    }


@pytest.mark.parametrize(
    ("finetune", "where", "what"),
    [
        ({"method": "lora"}, "read_from", "nothing to fine-tune"),
        ({"config": {}, "inherit_heads": {"a": "b"}}, "read_from", "nothing to fine-tune"),
        ({"baseline": "keep"}, "read_from", "nothing to fine-tune"),
        ({"anchor": 0.1}, "read_from", "nothing to fine-tune"),
        ({"read_from": "a", "anchor": -0.1}, "anchor", "at least 0"),
        ({"read_from": "a", "depth_decay": 1.5}, "depth_decay", "at most 1"),
        ({"read_from": "a", "method": "replay"}, "replay.data", "nothing to replay"),
        ({"read_from": "a", "replay": {"number": 3}}, "replay.data", "nothing to replay"),
        (
            {"read_from": "a", "method": "lora", "replay": {"data": "b", "weight": 2.0}},
            "replay.weight",
            "method lora does not learn the replayed structures",
        ),
        (
            {"read_from": "a", "replay": {"data": {"systems": "b", "targets": {"energy": {}}}}},
            "replay.data.targets",
            "labels: source predicts the labels",
        ),
        ({"read_from": "a", "method": "freeze"}, "config.freeze", "nothing is named"),
        ({"read_from": "a", "method": "lora", "config": {"rnk": 1}}, "config.rnk", "unknown key"),
        ({"read_from": "a", "method": "lora", "config": {"rank": 0}}, "config.rank", "at least 1"),
        ({"read_from": "a", "config": {"rank": 1}}, "config.rank", "unknown key"),
        ({"read_from": "a", "method": "half"}, "method", "expected one of 'full', 'heads'"),
    ],
)
def test_what_does_not_fit_the_method_of_fine_tuning_is_refused(finetune, where, what):
    (found,) = problems({"finetune": finetune}).items()
    assert found[0] == f"architecture.training.finetune.{where}"
    assert what in found[1]


def test_clashes_are_found_in_the_stage_that_has_them():
    found = problems(
        {
            "compile": True,
            "batch_atoms": "auto",
            "max_atoms_per_batch": 10,
            "stages": [
                {"num_epochs": 1},
                {"num_epochs": 1, "amp": "bf16"},
                {"num_epochs": 1, "gradient_combination": "config"},
            ],
        }
    )
    prefix = "architecture.training"
    where = [f"{prefix}.batch_atoms", f"{prefix}.stages[1].compile", f"{prefix}.stages[2].compile"]
    assert list(found) == where


def test_options_of_an_architecture_beside_those_of_the_platform_are_left_to_it():
    assert parse({"own": 3, "batch_size": 2}) == TrainingOptions(batch_size=2)


def test_tuples_of_python_are_lists():
    assert parse({"per_structure_targets": ("energy",)}).per_structure_targets == ("energy",)


def test_what_is_parsed_does_not_follow_the_mapping():
    given = {"learning_rate_factors": {"a": 1.0}}
    options = parse(given)
    given["learning_rate_factors"]["a"] = 2.0
    options.to_hypers()["learning_rate_factors"]["a"] = 3.0
    assert options.learning_rate_factors == {"a": 1.0}
