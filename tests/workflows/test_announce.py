"""What a training says before it begins."""

from __future__ import annotations

import logging
from typing import Any

import ase.io
import pytest

from mtt.workflows.train import check_only


def test_extra_data_that_nothing_reads_are_named(
    tiny: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    frames: Any = ase.io.read(tiny["training_set"]["systems"]["read_from"], ":20")
    for atoms in frames:
        atoms.info |= {"spin": 1.0, "counts": 1.0}
    ase.io.write("spins.xyz", frames)
    tiny["training_set"]["systems"]["read_from"] = "spins.xyz"
    for extra, said in (
        ({"energy_mask": {"key": "counts"}}, []),
        (
            {"energy_mask": {"key": "counts"}, "spin_multiplicity": {"key": "spin"}},
            [
                "extra_data: spin_multiplicity changes nothing: soap_bpnn predicts from structures "
                "alone, and the training reads masks of targets (energy_mask) and nothing else of "
                "them"
            ],
        ),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "mtt"):
            check_only({**tiny, "training_set": {**tiny["training_set"], "extra_data": extra}})
        assert [line for line in caplog.messages if line.startswith("extra_data")] == said
