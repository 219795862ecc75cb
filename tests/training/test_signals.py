"""Signals raise a flag, and nothing else, the first time."""

import os
import signal
import threading

import pytest

from mtt.training.signals import watch_signals


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_sets_the_flag_and_the_old_handlers_come_back(number):
    before = signal.getsignal(number)
    with watch_signals() as stop:
        assert not stop
        os.kill(os.getpid(), number)
        assert stop.signal == number
    assert signal.getsignal(number) is before


def test_a_second_signal_stops_at_once():
    with pytest.raises(KeyboardInterrupt), watch_signals() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop
        os.kill(os.getpid(), signal.SIGINT)


def test_outside_of_the_main_thread_no_handler_is_touched():
    before, found = signal.getsignal(signal.SIGTERM), []

    def work():
        with watch_signals() as stop:
            found.append((signal.getsignal(signal.SIGTERM), bool(stop)))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [(before, False)]
