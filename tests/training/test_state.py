"""The state of a training in a checkpoint."""

import random

import numpy as np
import pytest
import torch

from mtt.checkpoint import read, write
from mtt.errors import CheckpointError
from mtt.training.determinism import deterministic
from mtt.training.state import TrainingState, restore_rng, rng_state

CPU = torch.device("cpu")


def draw():
    return torch.rand(3).tolist(), random.random(), np.random.rand(3).tolist()


def test_random_generators_go_on_where_they_were_through_a_file(tmp_path):
    np.random.randn()  # leaves a second Gaussian in store
    random.gauss(0, 1)
    contents = {"model_ckpt_version": 1, "architecture_name": "x", "rng": rng_state(CPU)}
    write(tmp_path / "x.ckpt", contents)
    expected, gauss = draw(), (np.random.randn(), random.gauss(0, 1))
    draw()
    restore_rng(read(tmp_path / "x.ckpt")["rng"], CPU)
    assert draw() == expected
    assert (np.random.randn(), random.gauss(0, 1)) == gauss


def test_a_checkpoint_without_a_training_is_refused():
    with pytest.raises(CheckpointError, match=r"no training to go on with; .*finetune"):
        TrainingState.from_checkpoint({"model_state_dict": {}})


def test_a_state_of_a_newer_version_is_refused():
    state = {**TrainingState().to_dict(), "version": 99}
    with pytest.raises(CheckpointError, match="has version 99, this mtt reads up to 1"):
        TrainingState.from_checkpoint({"trainer_state": state})


def test_deterministic_algorithms_end_with_the_block(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with pytest.raises(KeyError), deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
