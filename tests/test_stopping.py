"""Signals raise a flag, and nothing else, the first time."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from mtt.stopping import REPEATED, Stopped, stop_if_asked, watch_signals

CODES = {signal.SIGTERM: 143, signal.SIGUSR1: 143, signal.SIGINT: 130}


def send(number):
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", CODES)
def test_a_signal_sets_the_flag_and_the_old_handlers_come_back(number):
    before, said = signal.getsignal(number), []
    with watch_signals(report=said.append) as stop:
        stop_if_asked()
        send(number)
        assert stop.signal == number
        assert stop.exit_code == CODES[number]
        with pytest.raises(Stopped, match=f"stopped by {number.name}; nothing half-made") as caught:
            stop_if_asked()
    assert caught.value.exit_code == CODES[number]
    assert signal.getsignal(number) is before
    assert said == [f"{number.name}: stopping; once more to stop at once"]
    stop_if_asked()  # nobody watches any more


def test_one_wish_may_come_twice_and_a_second_one_stops_at_once():
    """As `timeout` does it, which sends SIGTERM to the process and then to its group."""
    with watch_signals() as stop:
        send(signal.SIGTERM)
        send(signal.SIGTERM)
        assert stop.signal == signal.SIGTERM
        time.sleep(1.1 * REPEATED)
        with pytest.raises(Stopped, match="stopped at once by SIGINT") as caught:
            send(signal.SIGINT)
        assert caught.value.exit_code == 130


def test_who_saves_first_is_not_interrupted_by_scans_within():
    with watch_signals() as stop:
        with watch_signals("later") as same:
            send(signal.SIGTERM)
            stop_if_asked()
            assert same is stop
            assert same.signal == signal.SIGTERM
        with pytest.raises(Stopped):
            stop_if_asked()


def test_code_that_never_looks_is_stopped_at_once():
    with watch_signals():
        with pytest.raises(Stopped, match="stopped at once by SIGUSR1"), watch_signals("at once"):
            send(signal.SIGUSR1)
        with pytest.raises(Stopped):
            stop_if_asked()


def test_a_stop_is_not_caught_as_an_error():
    assert not issubclass(Stopped, Exception)


def test_outside_of_the_main_thread_no_handler_is_touched():
    before, found = signal.getsignal(signal.SIGTERM), []

    def work():
        with watch_signals() as stop:
            found.append((signal.getsignal(signal.SIGTERM), stop.signal))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(before, None)]


FORK = """
import os, signal
from mtt.stopping import EXIT_CODES, watch_signals
ready, tell = os.pipe()
with watch_signals():
    child = os.fork()
    if not child:
        os.write(tell, b".")
        signal.pause()
        os._exit(0)
    os.read(ready, 1)
    os.kill(child, signal.SIGUSR1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGUSR1
"""


def test_a_forked_process_inherits_no_handler():
    subprocess.run([sys.executable, "-c", FORK], check=True, timeout=60)
