"""Older checkpoints, step by step; newer and foreign ones, refused."""

from __future__ import annotations

import types
from pathlib import Path
from typing import Any

import pytest

from mtt.checkpoint import upgrade, upgrade_steps
from mtt.errors import CheckpointError
from mtt.registry import Architecture

Checkpoint = dict[str, Any]


def model_1_to_2(checkpoint: Checkpoint) -> Checkpoint:
    return checkpoint | {"widths": [checkpoint["width"]]}


def model_2_to_3(checkpoint: Checkpoint) -> Checkpoint:
    return checkpoint | {"depth": len(checkpoint["widths"])}


STEPS = {"model_1_to_2": model_1_to_2, "model_2_to_3": model_2_to_3}


class Model:
    """The part of a model that upgrading calls."""

    __checkpoint_version__ = 3

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: Checkpoint) -> Checkpoint:
        return upgrade_steps(checkpoint, "model", cls.__checkpoint_version__, STEPS)


class Trainer:
    """The part of a trainer that upgrading calls."""

    __checkpoint_version__ = 2

    @classmethod
    def upgrade_checkpoint(cls, checkpoint: Checkpoint) -> Checkpoint:
        steps = {"trainer_1_to_2": lambda old: old | {"momentum": 0.9}}
        return upgrade_steps(checkpoint, "trainer", cls.__checkpoint_version__, steps)


def architecture(model: type = Model, trainer: type = Trainer) -> Architecture:
    return Architecture(
        name="own", folder=Path(), state="external", model=model, trainer=trainer,
        authors=[], maintainers=[], default_hypers={}, schema=None,
    )  # fmt: skip


def old() -> Checkpoint:
    return {"architecture_name": "own", "model_ckpt_version": 1, "width": 8}


def test_an_old_checkpoint_goes_through_every_step() -> None:
    new = upgrade(old() | {"trainer_ckpt_version": 1}, architecture())
    assert new == {
        "architecture_name": "own",
        "model_ckpt_version": 3,
        "trainer_ckpt_version": 2,
        "width": 8,
        "widths": [8],
        "depth": 1,
        "momentum": 0.9,
    }


def test_a_checkpoint_of_today_stays_as_it_is() -> None:
    new = {"architecture_name": "own", "model_ckpt_version": 3, "trainer_ckpt_version": 2}
    assert upgrade(dict(new), architecture()) == new


def test_steps_can_be_in_a_module() -> None:
    module = types.ModuleType("upgrade")
    module.model_1_to_2 = model_1_to_2  # type: ignore[attr-defined]
    assert upgrade_steps(old(), "model", 2, module)["model_ckpt_version"] == 2


def test_without_a_trainer_its_part_is_left_alone() -> None:
    checkpoint = old() | {"trainer_ckpt_version": 9}
    assert upgrade(checkpoint, architecture(), trainer=False)["trainer_ckpt_version"] == 9


def test_another_architecture_is_refused() -> None:
    checkpoint = old() | {"architecture_name": "other"}
    with pytest.raises(CheckpointError, match=r"a\.ckpt: is a checkpoint of .* 'other', not"):
        upgrade(checkpoint, architecture(), where="a.ckpt")


@pytest.mark.parametrize("kind", ["model", "trainer"])
def test_a_newer_checkpoint_is_refused(kind) -> None:
    checkpoint = old() | {f"{kind}_ckpt_version": 9}
    with pytest.raises(CheckpointError, match=f"of {kind} version 9, newer than the [23] "):
        upgrade(checkpoint, architecture())
    with pytest.raises(CheckpointError, match=r"written with mtt 9\.1; this is mtt "):
        upgrade(checkpoint | {"mtt_version": "9.1"}, architecture())


def test_a_missing_step_is_named() -> None:
    with pytest.raises(CheckpointError, match=r"model version 0; .* no way leads from 0 to 1"):
        upgrade(old() | {"model_ckpt_version": 0}, architecture())


def test_a_version_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(CheckpointError, match="model_ckpt_version is 'one', not a number"):
        upgrade(old() | {"model_ckpt_version": "one"}, architecture())


def test_an_upgrade_that_fails_is_reported_with_its_cause() -> None:
    checkpoint = {"architecture_name": "own", "model_ckpt_version": 1}
    with pytest.raises(CheckpointError, match=r"a: its model version 1 could not .* to 3: 'width'"):
        upgrade(checkpoint, architecture(), where="a")


def test_an_upgrade_that_changes_nothing_is_a_mistake_of_the_architecture() -> None:
    class Forgetful(Model):
        @classmethod
        def upgrade_checkpoint(cls, checkpoint: Checkpoint) -> Checkpoint:
            return checkpoint

    with pytest.raises(CheckpointError, match="did not return a checkpoint with model_ckpt"):
        upgrade(old(), architecture(model=Forgetful))
