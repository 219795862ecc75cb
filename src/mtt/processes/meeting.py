"""How processes meet: all of them in time, or a message about those who are missing."""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING

from mtt.errors import TrainingError
from mtt.processes.place import Place
from mtt.processes.watch import waited
from mtt.stopping import stop_if_asked

if TYPE_CHECKING:
    from torch.distributed import Store

PATIENCE = 300.0
"""Seconds within which all processes have to be there."""

_FOREVER = timedelta(days=30)
"""Of torch's own time limits: a rank may write a file for long, and the watch knows better."""

REFUSED = "refused"
"""Key of the store: why processes that come to it are not those of one training."""

_NAMED = 8


def meet(place: Place, environment: Mapping[str, str], patience: float = PATIENCE) -> Store:
    """Wait for all processes; the store in which they leave messages for each other.

    :param environment: of torchrun, whose agent may have the store already.
    :raises TrainingError: the address cannot be reached, processes are missing, two have the same
        number, or they do not agree how many they are.
    """
    store = _store(place, environment, patience)
    try:
        _introduce(place, store)
        _wait_for_all(place, store, patience)
    except RuntimeError as error:  # of a connection that is closed
        what = f"the first process has ended before {place} and all others were here"
        raise TrainingError(what, where=_address(place), hint="its output says why") from error
    return store


def _wait_for_all(place: Place, store: Store, patience: float) -> None:
    def complete() -> bool:
        stop_if_asked()
        if store.check([REFUSED]):
            raise _unlike(store.get(REFUSED).decode(), place)
        return bool(store.add("here", 0) >= place.size)

    if not waited(complete, patience):
        missing = [str(i) for i in range(place.size) if not store.check([f"here {i}"])]
        more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
        raise TrainingError(
            f"{place.size - len(missing)} of {place.size} processes are here after "
            f"{patience:g} s; rank {', '.join(missing[:_NAMED])}{more} is missing",
            where=_address(place),
            hint="look at the output of the missing ones: each needs the same number of "
            "processes and the same address",
        )


def _introduce(place: Place, store: Store) -> None:
    """Say that this process is here, unless its number is taken, or their number is another."""
    size = store.compare_set("size", "", str(place.size)).decode()
    what = ""
    if size != str(place.size):
        what = f"{place} is one of {place.size} processes, another is one of {size}"
    # a process that trains twice in one job meets the others twice
    own = f"{socket.gethostname()} {threading.get_native_id()}"
    if not what and store.compare_set(f"here {place.rank}", "", own).decode() != own:
        what = f"two processes are rank {place.rank} of {size}, one of them {place}"
    if what:
        store.set(REFUSED, what)
        raise _unlike(what, place)
    store.add("here", 1)


def _unlike(what: str, place: Place) -> TrainingError:
    hint = "start all of them with one launcher, and another training with another MASTER_PORT"
    return TrainingError(what, where=_address(place), hint=hint)


def make_group(place: Place, store: Store) -> None:
    """Connect the processes, once all of them are there; see :class:`DistributedRanks`."""
    import torch
    import torch.distributed as dist

    on_gpus = torch.cuda.is_available() and dist.is_nccl_available()
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
        store=dist.PrefixStore("group", store),
        rank=place.rank,
        world_size=place.size,
        timeout=_FOREVER,
    )


def same_store(place: Place, environment: Mapping[str, str]) -> Store:
    """Another connection to the store of :func:`meet`: one thread may wait while another asks."""
    from torch.distributed import PrefixStore, TCPStore

    own = TCPStore(place.address, place.port, is_master=False, timeout=timedelta(seconds=PATIENCE))
    return PrefixStore(_prefix(environment), own)


def _store(place: Place, environment: Mapping[str, str], patience: float) -> Store:
    from torch.distributed import PrefixStore, TCPStore

    is_master = place.rank == 0 and not has_agent(environment)
    try:
        own = TCPStore(
            place.address,
            place.port,
            is_master=is_master,
            timeout=timedelta(seconds=patience),
            wait_for_workers=False,
        )
    except (RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0].partition(". ")[0]
        if is_master:
            what = f"{place} cannot open the port at which the processes meet ({reason})"
            hint = "another job may have it: set MASTER_PORT to another one on all processes"
        else:
            what = f"{place} has not found the first process within {patience:g} s ({reason})"
            hint = "see that rank 0 runs, that MASTER_ADDR is its node, and that no firewall is "
            hint += "between them"
        raise TrainingError(what, where=_address(place), hint=hint) from error
    return PrefixStore(_prefix(environment), own)


def has_agent(environment: Mapping[str, str]) -> bool:
    """Whether the launcher has the store, as torchrun's agent does."""
    return environment.get("TORCHELASTIC_USE_AGENT_STORE") == "True"


def _prefix(environment: Mapping[str, str]) -> str:
    """Messages of an attempt that torchrun repeats are not read by the next one."""
    return f"mtt {environment.get('TORCHELASTIC_RESTART_COUNT', '0')}"


def _address(place: Place) -> str:
    return f"{place.address}:{place.port}"


def cores_for(n: int) -> int:
    """Threads for each of ``n`` processes on this machine."""
    return max(1, len(os.sched_getaffinity(0)) // n) if hasattr(os, "sched_getaffinity") else 1
