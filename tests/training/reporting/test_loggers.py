"""The files of a run."""

import csv
import json

import pytest

from mtt.training.reporting.loggers.csv import CsvLogger
from mtt.training.reporting.loggers.history import HistoryLogger

UNITS = {
    "epoch": "",
    "learning rate": "",
    "training loss": "",
    "training energy RMSE": "meV/atom",
    "validation loss": "",
    "validation energy RMSE": "meV/atom",
    "seconds": "s",
}


def row(epoch, loss=0.5):
    numbers = [epoch, 1e-4, loss, 12.0, 2 * loss, 1.2e-4, 0.25]
    return dict(zip(UNITS, numbers, strict=True))


def start(logger, history=(), epoch=0, num_epochs=12, log_interval=1):
    logger(
        "run_start",
        {
            "num_epochs": num_epochs,
            "n_batches": 3,
            "log_interval": log_interval,
            "history": history,
            "units": UNITS,
        },
        epoch,
    )


def epoch(logger, number, is_best=False, **changes):
    values = {"metrics": row(number, **changes), "units": UNITS, "is_best": is_best}
    logger("epoch", values, number)


def test_csv_holds_names_units_and_a_row_per_epoch(tmp_path):
    logger = CsvLogger(tmp_path / "train.csv")
    start(logger)
    epoch(logger, 1)
    epoch(logger, 2, loss=0.25)
    with open(tmp_path / "train.csv", encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == list(UNITS)
    assert rows[1] == list(UNITS.values())
    assert [list(map(float, cells)) for cells in rows[2:]] == [
        list(row(1).values()),
        list(row(2, loss=0.25).values()),
    ]


def strict(text):
    def refuse(constant):
        raise ValueError(f"not JSON: {constant}")

    return json.loads(text, parse_constant=refuse)


def test_history_is_strict_json_and_epochs_ascend_after_a_restart(tmp_path):
    path = tmp_path / "history.jsonl"
    first = HistoryLogger(path)
    start(first)
    for number in (1, 2, 3):
        epoch(first, number, loss=float("nan") if number == 2 else 0.5)
    # killed after epoch 3, in the middle of a line; the checkpoint is of epoch 2
    with open(path, "a", encoding="utf-8") as file:
        file.write('{"epoch": 4, "trai')
    second = HistoryLogger(path)
    start(second, history=(row(1), row(2, loss=float("nan"))), epoch=2)
    epoch(second, 3, loss=0.125)
    records = [strict(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [record["epoch"] for record in records] == [1, 2, 3]
    assert [record["training loss"] for record in records] == [0.5, None, 0.125]
    assert [file.name for file in tmp_path.iterdir()] == ["history.jsonl"]


def test_csv_leaves_cells_empty_that_the_run_before_a_restart_did_not_report(tmp_path):
    logger = CsvLogger(tmp_path / "train.csv")
    old = row(1)
    del old["validation energy RMSE"]
    start(logger, history=(old,), epoch=1)
    lines = (tmp_path / "train.csv").read_text(encoding="utf-8").splitlines()
    assert lines[2].split(",")[5] == ""


def test_a_kill_between_history_and_checkpoint_leaves_no_epoch_twice(
    make_trainer, make_model, train, restart, history, tmp_path
):
    def kill(category, values, epoch):
        if category == "epoch" and epoch == 3:  # the history has epoch 3, last.ckpt epoch 2
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(make_trainer(tmp_path, [kill]), make_model())
    assert [line["epoch"] for line in history(tmp_path / "history.jsonl")] == [1, 2, 3]
    model, trainer = restart(tmp_path / "checkpoints" / "last.ckpt", make_trainer(tmp_path))
    train(trainer, model)
    text = (tmp_path / "history.jsonl").read_text(encoding="utf-8")
    assert [strict(line)["epoch"] for line in text.splitlines()] == [1, 2, 3, 4]
    with open(tmp_path / "train.csv", encoding="utf-8", newline="") as file:
        assert [cells[0] for cells in csv.reader(file)][2:] == ["1", "2", "3", "4"]
