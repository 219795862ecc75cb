"""How far work is: rate and time left, in any width; nothing in pipes or with ``--quiet``."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from mtt import progress
from mtt.cli.render import progress as bars_room
from mtt.cli.render import terminal as rendering
from mtt.cli.render import training
from mtt.cli.render.progress import bars, duration


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that both displays see; to be set."""
    now = [100.0]
    for room in (bars_room, training, progress):
        monkeypatch.setattr(room.time, "monotonic", lambda: now[0])
    return now


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.2, "0 s"), (59.4, "59 s"), (200.0, "3 min 20 s"), (7500.0, "2 h 5 min")),
        *((86400.0 * 3 + 4 * 3600, "3 d 4 h"), (-5.0, "0 s")),
    ],
)
def test_durations_have_two_units_at_most(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize("width", [120, 80, 60, 40])
def test_long_work_shows_its_rate_and_the_time_left_in_any_width(
    terminal: Callable[..., io.StringIO], clock: list[float], width: int
) -> None:
    screen = terminal(width)
    with bars():
        work = progress.Work("evaluating /a/long/path/to/some/structures.xyz")
        work(0, 0.0)
        clock[0] += 10.0
        work(500, 0.25)
        text = screen.getvalue()
        work.over()
    assert "500, 50/s" in text
    assert "30 s left" in text
    assert max(map(len, text.replace("\r", "\n").splitlines())) <= width + 12, "and codes"


@pytest.mark.parametrize(("is_terminal", "quiet"), [(False, False), (True, True)])
def test_pipes_and_quiet_terminals_show_nothing_of_it(
    terminal: Callable[..., io.StringIO],
    clock: list[float],
    monkeypatch: pytest.MonkeyPatch,
    is_terminal: bool,
    quiet: bool,
) -> None:
    screen = terminal(80, is_terminal)
    monkeypatch.setattr(rendering, "_quiet", [True] if quiet else [])
    with bars(), training.training_display() as display:
        display("run_start", {"num_epochs": 10, "n_batches": 4}, 0)
        work = progress.Work("evaluating")
        work(1, 0.5)
        display("progress", {"batch": 2, "n_batches": 4}, 1)
    assert screen.getvalue() == ""


def test_a_training_shows_its_epoch_and_the_time_left_of_the_whole_run(
    terminal: Callable[..., io.StringIO], clock: list[float]
) -> None:
    screen = terminal(60)
    with training.training_display() as display:
        display("run_start", {"num_epochs": 10, "n_batches": 4}, 5)
        clock[0] += 60.0
        display("progress", {"batch": 4, "n_batches": 4}, 6)
        display._progress.refresh()  # type: ignore[attr-defined]
    text = screen.getvalue()
    assert "epoch 6 of 10" in text
    assert "60%" in text
    assert "4 min 0 s left" in text, "four epochs of a minute each; restarts count from theirs"


@pytest.mark.parametrize("width", [120, 80, 60, 40])
def test_work_without_steps_shows_its_name_and_the_time_that_it_takes(
    terminal: Callable[..., io.StringIO], clock: list[float], width: int
) -> None:
    screen = terminal(width)
    with bars(), progress.working("fitting baselines"):
        clock[0] += 8.0
        rendering._shared[0]._live_stack[-1].refresh()
        text = screen.getvalue()
    assert "fitting baselines" in text
    assert "8 s" in text
    assert max(map(len, text.replace("\r", "\n").splitlines())) <= width + 12, "and codes"
