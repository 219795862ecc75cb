"""When checkpoints are written, and which are kept."""

import pytest
import torch

from mtt.checkpoint import read
from mtt.ranks import SerialRanks
from mtt.training.checkpoints import Checkpoints
from mtt.training.reporting.events import Events


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "checkpoints"


def kept(folder):
    return sorted(int(path.stem.removeprefix("epoch_")) for path in folder.glob("epoch_*.ckpt"))


def within(folder, found):
    """A listener that takes down step and batch of every ``last.ckpt`` that is told of."""

    def listener(category, values, epoch):
        if category == "checkpoint" and values["path"].endswith("last.ckpt"):
            state = read(folder / "last.ckpt")["trainer_state"]
            found.append((state["step"], state["batch"]))

    return listener


def test_checkpoints_by_steps_are_written_within_epochs_too(
    make_model, make_trainer, train, listen, folder
):
    """Every 4 of 12 steps; and the last one, as always."""
    found = []
    trainer = make_trainer(num_epochs=2, checkpoint_interval=None, checkpoint_interval_steps=4)
    train(listen(trainer, within(folder, found)), make_model())
    assert found == [(4, 4), (8, 2), (12, 6), (12, 0)]
    assert kept(folder) == []


def test_checkpoints_by_steps_count_optimizer_steps(
    make_model, make_trainer, train, listen, folder
):
    found = []
    trainer = make_trainer(
        num_epochs=2,
        checkpoint_interval=None,
        checkpoint_interval_steps=2,
        gradient_accumulation=2,
    )
    train(listen(trainer, within(folder, found)), make_model())
    assert found == [(2, 4), (4, 2), (6, 6), (6, 0)]


def test_checkpoints_by_minutes_are_written_when_the_time_has_come(
    make_model, make_trainer, train, listen, folder, tmp_path
):
    found = []
    for minutes, expected in ((1e-9, [(k, k) for k in range(1, 7)]), (1e6, [])):
        found.clear()
        trainer = make_trainer(
            num_epochs=1, checkpoint_interval=None, checkpoint_interval_minutes=minutes
        )
        train(listen(trainer, within(folder, found)), make_model())
        assert found == [*expected, (6, 0)]


@pytest.mark.parametrize("batch", [3, 6])
def test_a_killed_run_resumes_from_a_checkpoint_within_an_epoch_bit_for_bit(
    assert_equal, make_model, make_trainer, train, listen, restart, rows, folder, tmp_path, batch
):
    class Kill(BaseException):
        pass

    def kill(category, values, epoch):
        if category == "progress" and (epoch, values["batch"]) == (2, batch):
            raise Kill

    options = {"num_epochs": 3, "checkpoint_interval": None, "checkpoint_interval_steps": 1}
    straight = train(make_trainer(**options), make_model(dropout=0.2))
    killed = tmp_path / "killed"
    with pytest.raises(Kill):
        train(listen(make_trainer(**options), kill), make_model(dropout=0.2), checkpoints=killed)
    state = read(killed / "last.ckpt")["trainer_state"]
    assert (state["epoch"], state["batch"]) == (1, batch - 1)
    torch.rand(5)
    model, trainer = restart(killed / "last.ckpt", make_trainer(**options))
    train(trainer, model, checkpoints=killed)
    assert_equal(dict(straight.state_dict()), dict(model.state_dict()))
    assert rows(read(folder / "last.ckpt")) == rows(read(killed / "last.ckpt"))


def test_without_an_interval_only_best_and_last_are_there(make_model, make_trainer, train, folder):
    train(make_trainer(checkpoint_interval=None), make_model())
    names = {path.name for path in folder.iterdir()}
    assert names == {"best.ckpt", "last.ckpt"}


@pytest.mark.parametrize(
    ("keep", "expected"), [(None, [1, 2, 3, 4, 5]), (0, []), (1, [5]), (3, [3, 4, 5])]
)
def test_the_newest_checkpoints_of_epochs_are_kept(
    make_model, make_trainer, train, last, folder, keep, expected
):
    train(make_trainer(num_epochs=6, checkpoint_interval=1, keep_checkpoints=keep), make_model())
    assert kept(folder) == expected
    for epoch in expected:
        assert last(f"epoch_{epoch}")["epoch"] == epoch
    assert last()["epoch"] == 6
    assert last("best")["best_epoch"] == last("best")["epoch"]


def test_what_was_kept_before_a_restart_is_counted_too(
    make_model, make_trainer, train, restart, folder
):
    options = {"checkpoint_interval": 1, "keep_checkpoints": 2}
    train(make_trainer(num_epochs=4, **options), make_model())
    assert kept(folder) == [2, 3]
    model, trainer = restart(folder / "last.ckpt", make_trainer(num_epochs=6, **options))
    train(trainer, model)
    assert kept(folder) == [3, 5]


def test_epochs_are_kept_in_the_order_of_their_numbers_and_nothing_else_is_deleted(tmp_path):
    """9 is before 10, whatever the alphabet says; other files are not ours."""
    contents = {"model_ckpt_version": 1, "architecture_name": "x", "model_state_dict": {}}
    for name in ("epoch_x.ckpt", "epoch_1.ckpt.bak", "notes.txt"):
        (tmp_path / name).write_text("")
    checkpoints = Checkpoints(tmp_path, lambda: contents, Events(), keep=2, ranks=SerialRanks())
    for epoch in (8, 9, 10, 11):
        checkpoints.save_epoch(epoch)
    names = {path.name for path in tmp_path.iterdir()} - {"last.ckpt", "last.previous.ckpt"}
    assert names == {
        "epoch_10.ckpt",
        "epoch_11.ckpt",
        "epoch_x.ckpt",
        "epoch_1.ckpt.bak",
        "notes.txt",
    }
