"""The state of a training in a checkpoint."""

import math

import pytest
import torch

from mtt.errors import CheckpointError
from mtt.training.numerics.determinism import deterministic
from mtt.training.state import TrainingState


def test_a_checkpoint_without_a_training_is_refused():
    with pytest.raises(CheckpointError, match=r"no training to resume; .*finetune"):
        TrainingState.from_checkpoint({"model_state_dict": {}})


def test_a_state_of_a_newer_version_is_refused():
    state = {**TrainingState().to_dict(), "version": 99}
    with pytest.raises(CheckpointError, match="has version 99, this mtt reads up to 5"):
        TrainingState.from_checkpoint({"trainer_state": state})


def test_the_history_comes_back_with_every_float():
    row = {"epoch": 1, "loss": 0.1 + 0.2, "bulk loss": math.nan, "norm": math.inf}
    stored = TrainingState(epoch=1, history=[row]).to_dict()
    (back,) = TrainingState.from_checkpoint({"trainer_state": stored}).history
    assert str(back) == str(row)


def test_a_stage_begins_with_nothing_of_the_one_before():
    state = TrainingState(epoch=7, parts={"optimizer": {}})
    state.begin_stage(1, "fine", "best")
    assert (state.stage, state.stage_start, state.parts) == (1, 7, {})
    assert state.origin["stages"] == [{"name": "fine", "from": "best", "epoch": 7}]


def test_what_is_stored_is_a_copy():
    state = TrainingState()
    state.begin_stage(0, "one", "last")
    stored = state.to_dict()
    state.begin_stage(1, "two", "last")
    assert len(stored["origin"]["stages"]) == 1


def test_deterministic_algorithms_end_with_the_block(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    with pytest.raises(KeyError), deterministic(True):
        assert torch.are_deterministic_algorithms_enabled()
        raise KeyError
    assert not torch.are_deterministic_algorithms_enabled()
    with deterministic(False):
        assert not torch.are_deterministic_algorithms_enabled()
