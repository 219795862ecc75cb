"""The lines that a user watches."""

import logging

import pytest

from mtt.training.reporting.console.shown import number
from mtt.training.reporting.loggers.line import LineLogger
from mtt.training.reporting.loggers.table import TableLogger

UNITS = {
    "epoch": "",
    "learning rate": "",
    "training loss": "",
    "training energy RMSE": "meV/atom",
    "validation loss": "",
    "validation energy RMSE": "meV/atom",
    "validation mse_bulk loss": "",
    "validation mse_bulk energy RMSE": "meV/atom",
    "seconds": "s",
}


def row(epoch, loss=0.5):
    numbers = [epoch, 1e-4, loss, 12.3456, 2 * loss, 1.2e-4, 123456.0, 1.2345e-7, 0.25]
    return dict(zip(UNITS, numbers, strict=True))


def start(logger, epoch=0, log_interval=1, units=UNITS):
    values = {"num_epochs": 12, "n_batches": 3, "log_interval": log_interval, "history": ()}
    logger("run_start", {**values, "units": units}, epoch)


def epoch(logger, number, is_best=False, units=UNITS):
    metrics = {name: value for name, value in row(number).items() if name in units}
    logger("epoch", {"metrics": metrics, "units": units, "is_best": is_best}, number)


def test_a_line_shows_every_part_with_units_and_significant_digits(caplog):
    logger = LineLogger()
    with caplog.at_level(logging.INFO, "mtt"):
        start(logger)
        epoch(logger, 3, is_best=True)
        logger("end", {"best_epoch": 3, "metric": "loss", "best_metric": 1.2e-4}, 12)
    assert caplog.messages == [
        "epochs 1 to 12 of 3 batches each; training | validation | validation mse_bulk, "
        "errors are RMSE",
        "epoch  3/12  loss 0.5 | 1 | 1.235e+05  energy 12.35 | 0.00012 | 1.235e-07 meV/atom  "
        "lr 0.0001  0.2 s  best",
        "best epoch: 3 (loss 0.00012 on the validation set)",
    ]


def test_a_run_with_no_epoch_left_says_so(caplog):
    logger = LineLogger()
    with caplog.at_level(logging.INFO, "mtt"):
        start(logger, epoch=12)
        logger("end", {"best_epoch": 3, "metric": "loss", "best_metric": 1.2e-4}, 12)
    assert caplog.messages[0] == "all 12 epochs are trained"


def test_a_line_leaves_extended_metrics_out(caplog):
    logger = LineLogger()
    extended = {"training energy MaxAE": "meV/atom", "validation energy MaxAE": "meV/atom"}
    lines = []
    for units in (UNITS, {**UNITS, **extended}):
        with caplog.at_level(logging.INFO, "mtt"):
            start(logger, units=units)
            metrics = row(3) | dict.fromkeys(extended, 0.5)
            logger("epoch", {"metrics": metrics, "units": units, "is_best": False}, 3)
        lines.append(caplog.messages[-1])
    assert lines[0] == lines[1]


def test_a_table_shows_every_metric_with_units_and_significant_digits(caplog):
    units = {name: unit for name, unit in UNITS.items() if "mse_bulk" not in name}
    logger = TableLogger()
    with caplog.at_level(logging.INFO, "mtt"):
        start(logger, units=units)
        epoch(logger, 1, units=units)
        epoch(logger, 2, is_best=True, units=units)
    assert "\n".join(caplog.messages[1:]) == (
        """\
                        training     training  validation   validation
epoch  learning rate        loss  energy RMSE        loss  energy RMSE     seconds
                                     meV/atom                 meV/atom           s
-----  -------------  ----------  -----------  ----------  -----------  ----------
    1         0.0001         0.5        12.35           1      0.00012        0.25
    2         0.0001         0.5        12.35           1      0.00012        0.25  best"""
    )


def test_a_table_repeats_its_header_when_its_columns_change(caplog):
    few = {name: unit for name, unit in UNITS.items() if "mse_bulk" not in name}
    logger = TableLogger()
    with caplog.at_level(logging.INFO, "mtt"):
        start(logger, units=few)
        epoch(logger, 1, units=few)
        epoch(logger, 2)
    assert "1.235e+05" in caplog.messages[-1]
    assert sum("energy RMSE" in line for line in caplog.messages) == 2


@pytest.mark.parametrize("kind", [LineLogger, TableLogger])
@pytest.mark.parametrize(("first", "shown"), [(0, [1, 5, 10, 12]), (6, [7, 10, 12])])
def test_the_console_shows_every_log_interval_and_both_ends(caplog, kind, first, shown):
    logger = kind()
    with caplog.at_level(logging.INFO, "mtt"):
        start(logger, epoch=first, log_interval=5)
        for number in range(first + 1, 13):
            epoch(logger, number)
    rows = [line.removeprefix("epoch ") for line in caplog.messages if "12.35" in line]
    assert [int(line.replace("/", " ").split()[0]) for line in rows] == shown


def test_errors_that_are_shown_are_roots_of_the_mean_over_the_whole_set(
    caplog, make_trainer, make_model, make_batch, train, validation
):
    with caplog.at_level(logging.INFO, "mtt"):
        # batches of unequal size: the mean of their errors would be another number
        model = train(make_trainer(num_epochs=1, batch_size=4), make_model())
    batch = make_batch(validation, model.eval())
    predicted = model.predict_targets(batch.graph, create_graph=False)["energy"]
    wrong = predicted.forces.detach() - batch.targets["energy"].forces
    rmse = number(1e3 * wrong.square().mean().sqrt().item())  # meV
    (line,) = (line for line in caplog.messages if line.startswith("epoch 1/1"))
    assert f"| {rmse} " in line[line.index("forces") :]


PARTS = ("training", "validation", "validation mse_bulk")
WIDE = {f"{part} {name}": "" for part in PARTS for name in ("loss", "energy RMSE", "energy MAE")}
WIDE = {"epoch": "", "learning rate": "", **WIDE, "seconds": "s"}


@pytest.mark.parametrize("kind", [LineLogger, TableLogger])
@pytest.mark.parametrize("width", [200, 80, 60, 30, 12])
def test_a_terminal_of_any_width_gets_lines_that_fit(caplog, kind, width):
    metrics = dict.fromkeys(WIDE, -1.2345e-05) | {"epoch": 3, "seconds": 12.0}
    logger = kind()
    with caplog.at_level(logging.INFO, "mtt"):
        start(logger, units=WIDE)
        values = {"metrics": metrics, "units": WIDE, "is_best": True, "metric": "mae_prod"}
        logger("epoch", values, 3)
    records = [record for record in caplog.records if hasattr(record.args[0], "fitted")]
    shown = [record.args[0].fitted(width) for record in records]
    lines = "\n".join(text for text in shown if text).splitlines()
    # a column of the table is not broken: an epoch and the widest name are its least width
    least = len("epoch") + 2 + len("mse_bulk energy RMSE") if kind is TableLogger else 0
    assert max(map(len, lines)) <= max(width, least)
    whole, squeezed = caplog.messages[-1], "".join(shown[-1].split())
    assert "\n" not in whole
    assert whole.endswith("12.0 s  best by mae_prod" if kind is LineLogger else "best by mae_prod")
    assert squeezed.endswith("bestbymae_prod")
    has_mae = kind is TableLogger or len(whole) <= width
    shown_numbers = squeezed.count("-1.234e-05") - (kind is TableLogger)  # the learning rate
    assert shown_numbers == (9 if has_mae else 6)
