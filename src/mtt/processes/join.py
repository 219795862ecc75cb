"""Taking part in a training of several processes, and leaving it with one message for all."""

from __future__ import annotations

import atexit
import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, NoReturn

from mtt.errors import MttError, Problem
from mtt.processes.meeting import make_group, meet, same_store
from mtt.processes.place import Place, place_of
from mtt.processes.watch import END, FAILED, GRACE, Watch, waited
from mtt.ranks import RankError, Ranks, SerialRanks
from mtt.stopping import Stopped

if TYPE_CHECKING:
    from torch.distributed import Store

log = logging.getLogger(__name__)

GONE = "gone"
"""Key of the store: the first rank has printed all that it has to."""

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
    watch = Watch(same_store(place, environment), place.rank, place.size, str(place))
    watch.start()
    if place.rank == 0:
        atexit.register(_say, store, GONE)
    make_group(place, store)
    with _silent(place):
        try:
            yield DistributedRanks(watch, place.local)
        except BaseException as error:
            _leave(place, store, watch, error)
            raise
        watch.close()
        _disconnect()


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
            _leave_to_another(store, place)
            _say(store, END)
            return
        said = f"{type(error).__name__}: {error}"
        store.set(f"{FAILED} {place.rank}", json.dumps([said, code]))
        if place.rank == 0:
            return
        if waited(lambda: store.check([f"{FAILED} 0"]), GRACE / 2) and _said(store, 0) == said:
            _wait_for_the_first(store)
            raise SystemExit(code)
        _say(store, END)
    except RuntimeError:  # the store is gone, with the first rank
        raise SystemExit(code) from error
    finally:
        watch.close()
    if isinstance(error, MttError):
        raise _located(error, place) from error


def _leave_to_another(store: Store, place: Place) -> None:
    """Exit where another rank has said why it ends, or does so soon."""
    others = [i for i in range(place.size) if i != place.rank]

    def failed() -> list[int]:
        return [i for i in others if store.check([f"{FAILED} {i}"])]

    if waited(lambda: bool(failed()), GRACE):
        said, code = json.loads(store.get(f"{FAILED} {failed()[0]}"))
        log.debug("rank %d ended: %s", failed()[0], said)
        _exit(code)
    if place.rank and waited(lambda: store.check([END]), GRACE / 2):
        _exit(1)


def _exit(code: int) -> NoReturn:
    raise SystemExit(code)


def _wait_for_the_first(store: Store) -> None:
    """A launcher stops the others when one has ended; so the first rank has to end first."""
    with suppress(RuntimeError):  # the store is gone, and the first rank with it
        waited(lambda: store.check([GONE]), _PATIENCE)


def _said(store: Store, rank: int) -> str:
    return str(json.loads(store.get(f"{FAILED} {rank}"))[0])


def _say(store: Store, key: str) -> None:
    with suppress(RuntimeError):
        store.set(key, "")


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
