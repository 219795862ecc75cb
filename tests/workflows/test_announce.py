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
                "alone, and the training reads nothing but energy_mask"
            ],
        ),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING, "mtt"):
            check_only({**tiny, "training_set": {**tiny["training_set"], "extra_data": extra}})
        assert [line for line in caplog.messages if line.startswith("extra_data")] == said


def test_charge_and_spin_are_inputs_of_a_model_that_takes_them(
    tiny: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    frames: Any = ase.io.read(tiny["training_set"]["systems"]["read_from"], ":20")
    for atoms in frames:
        atoms.info["q"] = 1.0
    ase.io.write("charged.xyz", frames)
    tiny["training_set"]["systems"]["read_from"] = "charged.xyz"
    model = {"d_pet": 8, "d_head": 8, "d_node": 8, "d_feedforward": 8, "num_heads": 1}
    model |= {"num_attention_layers": 1, "num_gnn_layers": 1, "system_conditioning": True}
    tiny["architecture"] = {"name": "pet", "model": model, "training": {"num_epochs": 1}}
    missing = "pet takes a spin_multiplicity, and extra_data has none: it is 1 in every structure"
    extra = {"charge": {"key": "q"}}
    with caplog.at_level(logging.WARNING, "mtt"):
        check_only({**tiny, "training_set": {**tiny["training_set"], "extra_data": extra}})
    assert [line for line in caplog.messages if "extra_data" in line] == [missing]
