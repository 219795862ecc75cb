"""Where a fine-tuning starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mtt import train
from mtt.errors import CheckpointError


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "other.ckpt: no such file"),
        ("weights", "other.ckpt: is not a checkpoint, but a text"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused_before_the_data_are_read(
    tiny: dict[str, Any], content: str | None, message: str
) -> None:
    tiny["architecture"]["training"]["finetune"] = {"read_from": "other.ckpt"}
    tiny["training_set"]["systems"] = "nowhere.xyz"
    if content:
        Path("other.ckpt").write_text(content)
    with pytest.raises(CheckpointError, match=message):
        train(tiny)
    assert not Path("outputs").exists()
