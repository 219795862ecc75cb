"""One display of the progress, updated in place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from mtt.workflows.following import progress
from mtt.workflows.following.progress import Bar, as_html, in_notebook, showing

METRICS = {"training loss": 0.5, "validation loss": 0.25}


def follow(bar: Bar, epochs: int = 2, batches: int = 3) -> None:
    bar("run_start", {"num_epochs": epochs}, 0)
    for epoch in range(1, epochs + 1):
        for batch in range(1, batches + 1):
            bar("progress", {"batch": batch, "n_batches": batches}, epoch)
        bar("epoch", {"metrics": METRICS}, epoch)
    bar("end", {"best_epoch": 1}, epochs)
    bar.stop()


def test_the_bar_counts_batches_and_names_losses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    states: list[Mapping[str, Any]] = []
    follow(Bar(lambda state: states.append(dict(state))))
    done = [state["done"] for state in states]
    assert done == sorted(done)
    assert (states[-1]["done"], states[-1]["total"]) == (6, 6)
    assert states[-1]["text"] == "epoch 2/2, training loss 0.5, validation loss 0.25, best epoch 1"


def test_updates_are_rare_however_many_batches_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "INTERVAL", 3600.0)
    states: list[int] = []
    follow(Bar(lambda state: states.append(state["done"])), batches=1000)
    assert states == [0, 2000, 2000]  # the start, the end, and the stop


def test_a_bar_of_a_notebook_has_text_that_is_escaped() -> None:
    text = as_html({"done": 1, "total": 4, "seconds": 2.4, "text": "a<b"})
    assert '<progress value="1" max="4"' in text
    assert "a&lt;b, 2 s" in text
    assert "value" not in as_html({"done": 0, "total": 0, "seconds": 0.0, "text": "training"})


def test_a_script_shows_nothing_unless_it_asks() -> None:
    assert not in_notebook()
    with showing(None) as nothing:
        assert nothing == ()
    with showing(False) as nothing:
        assert nothing == ()


def test_a_pipe_gets_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    with showing(True) as nothing:
        assert nothing == ()
    assert capfd.readouterr().err == ""
