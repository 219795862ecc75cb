"""``mtt train --debug``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_debug_shows_what_decides_the_behaviour_of_the_model(
    mtt: Callable[..., Any], write: Callable[..., Path], tiny: dict[str, Any]
) -> None:
    options = write(tiny)
    quiet = mtt("train", options, "--dry-run")
    assert quiet.code == 0
    assert "the model:" not in quiet.out
    told = mtt("train", "--debug", options, "--dry-run")
    assert told.code == 0
    model = told.out.partition("the model:")[2]
    assert "'cutoff': {'radius': 2.5" in model
    assert mtt("train", options, "--dry-run").out == quiet.out  # the next command is quiet again
