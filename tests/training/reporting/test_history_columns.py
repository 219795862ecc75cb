"""The row of an epoch."""

import pytest

from mtt import DatasetInfo, TargetInfo
from mtt.evaluation import names
from mtt.training.reporting.history_columns import Record
from mtt.training.scoring.validation import metric_names

INFO = DatasetInfo("angstrom", [1, 6], {"energy": TargetInfo.energy(forces=True)})
TRAINING = {"loss": 0.5, "gradient norm": 3.0, **dict.fromkeys(names(INFO, extended=True), 0.25)}


def row_of(record, *sets):
    found = metric_names(INFO, True, sets)
    return record.row(7, 1e-3, TRAINING, dict.fromkeys(found, 0.5), 2.0)


def test_a_row_has_the_columns_that_are_announced_in_their_order():
    for sets in ((), ("bulk",), ("bulk", "surface")):
        for extended in (False, True):
            record = Record(INFO, True, extended, sets)
            assert list(row_of(record, *sets)) == list(record.units)


def test_one_set_has_the_columns_that_it_always_had():
    assert Record(INFO, log_mae=False).units == {
        "epoch": "",
        "learning rate": "",
        "gradient norm": "",
        "training loss": "",
        "training energy RMSE": "meV/atom",
        "training forces RMSE": "meV/Å",
        "validation loss": "",
        "validation energy RMSE": "meV/atom",
        "validation forces RMSE": "meV/Å",
        "seconds": "s",
    }


def test_sets_with_a_name_come_after_the_whole_under_their_prefix():
    record = Record(INFO, False, False, ("bulk", "surface"))
    added = [name for name in record.units if name not in Record(INFO, False).units]
    metrics = ("loss", "energy RMSE", "forces RMSE")
    expected = [f"validation {name} {metric}" for name in ("bulk", "surface") for metric in metrics]
    assert added == expected
    row = row_of(record, "bulk", "surface")
    assert row["validation surface forces RMSE"] == pytest.approx(500.0)
    assert row["validation surface loss"] == 0.5


def test_extended_metrics_come_with_their_units_and_mean_errors_only_where_asked_for():
    units = Record(INFO, log_mae=False, extended=True).units
    assert units["training forces C RMSE"] == "meV/Å"
    assert units["validation forces MaxAE"] == "meV/Å"
    assert units["validation forces cosine"] == ""
    assert not any(name.endswith(" MAE") for name in units)
    row = row_of(Record(INFO, log_mae=True, extended=True))
    assert row["validation forces cosine"] == 0.5  # no unit to convert
    assert row["training forces x MAE"] == 250.0
