"""What ranks must agree on before they train."""

from pathlib import Path

import pytest
import torch

from mtt import MLIPTrainer
from mtt.errors import ConfigError
from mtt.options import load_options, resolve
from mtt.ranks import SerialRanks
from mtt.registry import find
from mtt.workflows.run.agreement import check_same_start, check_several
from mtt.workflows.run.datasets import read_data
from mtt.workflows.train import read_inputs


class Several(SerialRanks):
    """One process that believes to be one of five."""

    size = 5


def test_fewer_structures_than_ranks_are_refused_before_anything_is_written(ethanol: Path) -> None:
    section = {
        "systems": {"read_from": str(ethanol), "length_unit": "angstrom"},
        "targets": {"energy": {"unit": "eV", "forces": True, "stress": False}},
        "indices": [0, 1, 2],
    }
    options = {
        "seed": 1,
        "architecture": {"name": "soap_bpnn"},
        "training_set": section,
        "validation_set": {**section, "indices": [3]},
        "test_set": 0.0,
    }
    data = read_data(resolve(load_options(options), find("soap_bpnn").load()))
    cpu = torch.device("cpu")
    with pytest.raises(ConfigError, match=r"training_set: 3 structures .* fewer than the 5 ranks"):
        check_same_start(Several(), data, cpu, torch.float32, None)
    check_same_start(SerialRanks(), data, cpu, torch.float32, None)


def test_several_processes_need_a_trainer_that_shares_its_work(root: Path, ethanol: Path) -> None:
    check_several(Several(), MLIPTrainer, "soap_bpnn")
    check_several(SerialRanks(), object, "alone")
    options = {
        "architecture": {"name": "radial_sum", "model": {"cutoff": 3.0}},
        "training_set": {
            "systems": {"read_from": str(ethanol), "length_unit": "angstrom"},
            "targets": {"energy": {"unit": "eV", "forces": True, "stress": False}},
        },
        "validation_set": 0.2,
        "test_set": 0.0,
    }
    folders = [root / "tests" / "resources" / "architectures"]
    with pytest.raises(ConfigError, match="the trainer of radial_sum trains in one process, not"):
        read_inputs(options, None, None, (), folders, True, Several())
