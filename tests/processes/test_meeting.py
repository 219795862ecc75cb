"""Processes that meet are those of one training, or all of them say why not; threads take part."""

from __future__ import annotations

import socket
import time
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from mtt.errors import TrainingError
from mtt.processes.meeting import meet
from mtt.processes.place import Place


@pytest.fixture
def port() -> int:
    with socket.socket() as one:
        one.bind(("localhost", 0))
        return int(one.getsockname()[1])


def met(
    port: int, *places: tuple[int, int], patience: float = 20.0, pause: float = 0.0
) -> list[str]:
    """What each of the processes (rank, size) ends with: an error, or nothing.

    :param pause: seconds between one that comes and the next.
    """

    def one(rank: int, size: int) -> str:
        try:
            kept.append(meet(Place(rank, size, rank, size, "localhost", port), {}, patience))
        except TrainingError as error:
            return str(error)
        return ""

    kept: list[object] = []  # the first one has the store
    with ThreadPoolExecutor(len(places)) as pool:
        running: list[Future[str]] = []
        for place in places:
            running.append(pool.submit(one, *place))
            time.sleep(pause)
        return [each.result() for each in running]


def test_processes_of_one_training_meet(port: int) -> None:
    assert met(port, (0, 3), (2, 3), (1, 3)) == ["", "", ""]


def of_one_kind(found: list[str], message: str) -> None:
    """All say it, but those whose connection the first one has closed before they could read it."""
    assert any(message in said for said in found)
    gone = "the first process has ended before rank"
    assert all(message in said or gone in said for said in found), found


def test_processes_that_do_not_agree_how_many_they_are_all_end_at_once(port: int) -> None:
    found = met(port, (0, 2), (1, 3), pause=0.5)  # the first one waits already
    of_one_kind(found, "processes, another is one of ")
    assert f"localhost:{port}: rank " in " ".join(found)
    assert "start all of them with one launcher" in " ".join(found)


def test_two_processes_of_one_number_are_refused(port: int) -> None:
    of_one_kind(met(port, (0, 3), (1, 3), (1, 3)), "two processes are rank 1 of 3, one of them")


def test_processes_that_do_not_come_are_named(port: int) -> None:
    found = met(port, (0, 4), (2, 4), patience=1.0)
    of_one_kind(found, "2 of 4 processes are here after 1 s; rank 1, 3 is missing")
