"""Taking part in a training of several processes, and leaving it with one message for all."""

from __future__ import annotations

import atexit
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mtt.errors import MttError, Problem
from mtt.processes.meeting import has_agent, make_group, meet, same_store
from mtt.processes.place import Place, place_of
from mtt.processes.watch import END, FAILED, FAILURES, GRACE, STUCK, Watch, waited
from mtt.ranks import RankError, Ranks, SerialRanks
from mtt.stopping import Stopped

if TYPE_CHECKING:
    from torch.distributed import Store

log = logging.getLogger(__name__)

GONE = "gone"
"""Key of the store: the first rank has printed all that it has to."""

LEFT = "left"
"""Key of the store: how many of the others need it no longer."""

_PATIENCE = 120.0  # of the others, for the first rank to print and to close its files


@contextmanager
def joined(environment: Mapping[str, str]) -> Iterator[Ranks]:
    """The ranks of this training, while the block runs; one process alone, as a rule.

    What ends the block on one rank ends it on all. An error that all of them raise is raised by
    the first one, and one that a rank alone has by that rank; the others exit without a word.

    :param environment: variables of this process: ``os.environ``.
    :raises TrainingError: the processes do not meet.
    :raises SystemExit: another rank says why the training ends.
    """
    place = place_of(environment)
    if place is None:
        yield SerialRanks()
        return
    from mtt.processes.distributed import DistributedRanks

    store = meet(place, environment)
    own, launched = same_store(place, environment), has_agent(environment)
    watch = Watch(own, place.rank, place.size, str(place), launched)
    watch.start()
    if place.rank == 0:
        atexit.register(_say_goodbye, store, place.size)
    make_group(place, store)
    with _silent(place):
        try:
            yield DistributedRanks(watch, place.local)
        except BaseException as error:
            _leave(place, store, watch, error)
            raise
        watch.close()
        if place.rank:
            _left(store)
        _disconnect()


def _say_goodbye(store: Store, size: int) -> None:
    """The first rank has printed all that it has to: others end now, and it after them."""
    with suppress(RuntimeError):
        store.set(GONE, "")
        waited(lambda: bool(store.add(LEFT, 0) >= size - 1), GRACE)


def _left(store: Store) -> None:
    with suppress(RuntimeError):
        store.add(LEFT, 1)


@contextmanager
def _silent(place: Place) -> Iterator[None]:
    """What is logged is logged by the first rank."""
    logger = logging.getLogger("mtt")
    before = logger.level
    if place.rank:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(before)


def _leave(place: Place, store: Store, watch: Watch, error: BaseException) -> None:
    """End with ``error``, or silently where another rank has one to end with."""
    code = _exit_code(error)
    try:
        if isinstance(error, RankError):
            _leave_to_another(error, watch)
        said = f"{type(error).__name__}: {error.what if isinstance(error, Stopped) else error}"
        store.set(f"{FAILED} {place.rank}", json.dumps([said, code]))
        store.add(FAILURES, 1)
        if place.rank == 0:
            if watch.unexplained:
                _left(store)  # for one that was killed, which cannot say that it needs it no longer
            return
        # the first rank does not speak if it is the one that was killed
        patience = GRACE if watch.unexplained else 6 * GRACE
        waited(lambda: store.check([f"{FAILED} 0"]) or store.check([STUCK]), patience)
        if store.check([f"{FAILED} 0"]) and _said(store, 0) == said:
            _wait_for_the_first(store)
            raise SystemExit(code)
        store.set(END, "")
    except RuntimeError:
        pass  # the store is gone, with the first rank; what this one has to say is not said yet
    finally:
        watch.close()
        if place.rank:
            _left(store)
    if isinstance(error, MttError):
        raise _located(error, place) from error


def _leave_to_another(error: RankError, watch: Watch) -> None:
    """Exit where the rank that has failed has said why."""
    try:
        if not error.exit_code:
            watch.raise_reason()
    except RankError as reason:
        error = reason
    if error.exit_code:
        log.debug("%s", error)
        raise SystemExit(error.exit_code)


def _wait_for_the_first(store: Store) -> None:
    """A launcher stops the others when one has ended; so the first rank has to end first."""
    with suppress(RuntimeError):  # the store is gone, and the first rank with it
        waited(lambda: store.check([GONE]), _PATIENCE)


def _said(store: Store, rank: int) -> str:
    return str(json.loads(store.get(f"{FAILED} {rank}"))[0])


def _located(error: MttError, place: Place) -> MttError:
    problems = [Problem(f"{place}: {one.what}", one.where, one.hint) for one in error.problems]
    return type(error).collect(problems)


def _exit_code(error: BaseException) -> int:
    if isinstance(error, Stopped):
        return error.exit_code
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else 1
    return 1


def _disconnect() -> None:
    import torch.distributed as dist

    dist.destroy_process_group()
