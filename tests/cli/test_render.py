"""What a terminal shows: at once, and in its own width."""

import logging
import subprocess
import sys

import pytest

from mtt import progress
from mtt.cli.render import terminal as rendering
from mtt.cli.render.progress import bars


def widest(screen):
    return max(map(len, screen.getvalue().splitlines()))


@pytest.mark.parametrize("width", [80, 60, 40])
def test_tables_of_a_narrow_terminal_keep_their_numbers(terminal, width):
    screen = terminal(width)
    row = ["energy (per atom)", "meV/atom", "1000 of 2000", *["-1.234e-05"] * 4]
    rendering.table(["", "unit", "labels", "mean", "std", "min", "max"], [row])
    assert widest(screen) <= width
    assert "…" not in screen.getvalue()
    assert sum(screen.getvalue().count(digit) for digit in "1234") >= 16


def test_a_table_with_room_is_as_it_always_was(terminal):
    screens = [terminal(width) for width in (50, 200)]
    for screen in screens:
        rendering._shared[0].file = screen
        rendering.table(["", "RMSE"], [["energy", "1.25"]])
    assert "─" in screens[0].getvalue()
    assert screens[0].getvalue().split() == screens[1].getvalue().split()


def test_quiet_shows_results_and_warnings_alone(terminal):
    screen = terminal(80)
    rendering.setup(False)
    rendering.set_quiet(True)
    log = logging.getLogger("mtt.anything")
    log.info("epoch 1")
    log.info("forgetting: %s", "nothing", extra={"result": True})
    log.warning("few structures")
    assert screen.getvalue().splitlines() == ["forgetting: nothing", "warning: few structures"]
    rendering.setup(False)
    log.info("epoch 2")
    assert screen.getvalue().splitlines()[-1] == "epoch 2"


def test_long_messages_are_broken_at_blanks_and_paths_stay_whole(terminal):
    path = "/a/folder/" + "of_a_very_long_name/" * 4 + "model.pt"
    screen, handler = terminal(60), rendering._Console()
    for text in ("a sentence of many words " * 6, f"wrote {path}"):
        handler.emit(logging.LogRecord("mtt", logging.INFO, "", 0, text, None, None))
    lines = screen.getvalue().splitlines()
    assert path in lines
    assert max(len(line) for line in lines if line != path) <= 60


def test_a_pipe_gets_every_message_as_one_line(terminal):
    screen = terminal(60, is_terminal=False)
    text = "a sentence of many words " * 6
    rendering._Console().emit(logging.LogRecord("mtt", logging.INFO, "", 0, text, None, None))
    assert screen.getvalue() == f"{text}\n"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_long_work_has_a_bar_on_a_terminal_alone(terminal, is_terminal):
    screen = terminal(80, is_terminal)
    with bars():
        work = progress.Work("neighbour lists within 5")
        work(1234, 0.5)
        rendering._shared[0].print("a line above")
        work.over()
    assert ("neighbour lists within 5" in screen.getvalue()) is is_terminal
    assert ("1,234" in screen.getvalue()) is is_terminal
    assert "a line above" in screen.getvalue()


def test_a_bar_goes_with_another_display(terminal):
    screen = terminal(80)
    with rendering._shared[0].status("checking"), bars():
        progress.Work("reading h2.xyz")(0, None)
    assert "checking" in screen.getvalue()


def test_a_training_says_what_it_does_before_anything_is_imported_that_takes_long(tmp_path):
    program = (
        "import sys; sys.modules['torch'] = sys.modules['ase'] = sys.modules['rich'] = None\n"
        "from mtt.cli.main import run; run(['train', 'options.yaml'])"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.stdout.splitlines()[0].endswith(": training with options.yaml")
    assert "torch" in done.stderr or "ase" in done.stderr or "rich" in done.stderr
