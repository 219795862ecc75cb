"""The learning rate of a fine-tuning."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

RATE = 0.001  # the default of the platform's trainer


@pytest.mark.parametrize(("began_with", "expected"), [(RATE, RATE), (0.5 * RATE, 10 * RATE)])
def test_a_run_that_began_with_the_rate_of_the_architecture_keeps_it(
    tiny: dict[str, Any],
    trained: Path,
    fit: Callable[..., Any],
    began_with: float,
    expected: float,
) -> None:
    training = tiny["architecture"]["training"]
    for option in ("learning_rate", "optimizer"):
        training.pop(option, None)
    finetune = {"read_from": str(trained / "model.ckpt"), "method": "heads"}
    training.update(num_epochs=1, finetune=finetune)
    before = copy.deepcopy(tiny)
    before["architecture"]["training"]["learning_rate"] = began_with
    first = fit(before)
    training["num_epochs"] = 2
    again = fit(tiny, first.checkpoint)
    stored = yaml.safe_load((again.path / "options_restart.yaml").read_text(encoding="utf-8"))
    assert stored["architecture"]["training"]["learning_rate"] == pytest.approx(expected)
