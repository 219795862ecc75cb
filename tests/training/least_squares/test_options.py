"""The options of a trainer that solves: typed, and few."""

from __future__ import annotations

from typing import Any

import pytest

from mtt import LeastSquaresTrainer
from mtt.errors import ConfigError
from mtt.training import default_hypers


class Trainer(LeastSquaresTrainer):
    __checkpoint_version__ = 1


def test_defaults_are_those_of_the_platform_but_for_the_size_of_a_batch() -> None:
    own, platform = Trainer.platform_hypers(), default_hypers()
    assert {key: own[key] for key in own if own[key] != platform.get(key)} == {
        "ridge": "evidence",
        "batch_size": 16,
    }
    trainer = Trainer({"ridge": 1e-6, "batch_size": 4})
    assert (trainer.ridge.ridge, trainer.options.batch_size) == (1e-6, 4)


@pytest.mark.parametrize("value", [0, -1e-6, True, "likelihood", None])
def test_a_ridge_that_is_neither_positive_nor_a_criterion_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"architecture\.training\.ridge"):
        Trainer({"ridge": value})


def test_mistakes_in_options_of_the_platform_are_all_named() -> None:
    with pytest.raises(ConfigError) as error:
        Trainer({"batch_size": 0, "scale_targets": "maybe"})
    assert {one.where for one in error.value.problems} == {
        "architecture.training.batch_size",
        "architecture.training.scale_targets",
    }
