"""The table of epochs that a training returns."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Any

import pytest

from mtt import train
from mtt.errors import MttError
from mtt.workflows.following.history import History, Recorder

UNITS = {"epoch": "", "validation loss": "", "validation forces RMSE": "meV/Å"}
ROWS = [dict(zip(UNITS, (i, 0.5**i, 10.0 * i), strict=True)) for i in (1, 2, 3)]


def test_rows_columns_and_parts() -> None:
    history = History(ROWS, UNITS, best_epoch=2)
    assert len(history) == 3
    assert history[-1] == ROWS[2]
    assert history["validation loss"] == [0.5, 0.25, 0.125]
    assert history[1:]["epoch"] == [2, 3]
    assert history[1:].best == ROWS[1]
    assert history.columns == tuple(UNITS)
    assert [row["epoch"] for row in history] == [1, 2, 3]
    assert "3 epochs" in repr(history)


def test_a_column_that_is_missing_is_named_with_the_nearest() -> None:
    with pytest.raises(KeyError, match=r"no column 'validation los'.*'validation loss'"):
        History(ROWS, UNITS)["validation los"]


def test_rows_before_a_restart_may_lack_columns() -> None:
    history = History([{"epoch": 1}, *ROWS[1:]], UNITS)
    values = history["validation loss"]
    assert math.isnan(values[0])
    assert values[1:] == [0.25, 0.125]
    assert "<td>1</td><td></td><td></td>" in history._repr_html_()


def test_a_notebook_shows_units_the_best_epoch_and_the_ends_of_a_long_table() -> None:
    rows = [{"epoch": i, "a<b": 1.0 / i} for i in range(1, 101)]
    text = History(rows, {"epoch": "", "a<b": "Å"}, best_epoch=95)._repr_html_()
    assert "<th>a&lt;b</th>" in text
    assert "<small>Å</small>" in text
    assert "<th>95</th><th>0.01053</th>" in text
    assert text.count("…") == 1
    assert "<td>10</td>" in text
    assert "<td>11</td>" not in text
    assert "<td>100</td>" in text


def test_pandas_is_asked_for_only_where_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(MttError, match=r"needs the package pandas.*pip install pandas"):
        History(ROWS, UNITS).to_pandas()


def test_a_table_of_pandas_has_the_same_columns() -> None:
    pytest.importorskip("pandas")
    frame = History(ROWS, UNITS).to_pandas()
    assert frame.index.tolist() == [1, 2, 3]
    assert frame["validation loss"].tolist() == [0.5, 0.25, 0.125]


def test_epochs_before_a_restart_are_part_of_the_table() -> None:
    recorder = Recorder()
    recorder("run_start", {"history": tuple(ROWS[:2]), "units": UNITS}, 2)
    recorder("epoch", {"metrics": ROWS[2], "units": UNITS, "is_best": True}, 3)
    recorder("end", {"best_epoch": 3}, 3)
    assert list(recorder.history) == ROWS
    assert recorder.history.best == ROWS[2]


def test_a_training_returns_its_epochs_whatever_writes_them_down(
    tiny: dict[str, Any], capfd: pytest.CaptureFixture[str]
) -> None:
    seen: list[dict[str, float]] = []

    def listener(category: str, values: Any, epoch: int) -> None:
        if category == "epoch":
            seen.append(dict(values["metrics"]))

    result = train({**tiny, "loggers": []}, listeners=[listener], progress=True)
    assert list(result.history) == seen
    assert result.history["epoch"] == [1, 2]
    assert result.history.units["validation forces RMSE"] == "meV/Å"
    assert result.history.best_epoch in (1, 2)
    assert isinstance(result.directory, Path)
    # a pipe gets no bar
    assert "epoch" not in capfd.readouterr().err
