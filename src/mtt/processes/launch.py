"""``mtt train --nproc N``: several processes on this machine, started by torch's elastic agent."""

from __future__ import annotations

import logging
import os
import signal
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from mtt.errors import TrainingError
from mtt.processes.meeting import cores_for
from mtt.processes.place import LAUNCHED, place_of
from mtt.stopping import EXIT_CODES

_TO_SAVE = 60
"""Seconds that processes have to save and end, from a signal on."""


def number_of_processes(wish: str, environment: Mapping[str, str]) -> int:
    """The number that ``--nproc`` asks for; ``gpu`` is one for each GPU of this machine.

    :raises TrainingError: neither a number nor ``gpu``; no GPU is here; this process is one of
        several already.
    """
    if place_of(environment) is not None:
        raise TrainingError(
            "this process is one of several already, which a launcher has started",
            where=f"--nproc {wish}",
            hint="leave --nproc out",
        )
    if wish == "gpu":
        import torch

        n = torch.cuda.device_count()
        if not n:
            hint = "give a number: --nproc 4 starts four processes on the CPU"
            raise TrainingError("no GPU is on this machine", where="--nproc gpu", hint=hint)
        return n
    if not (wish.isascii() and wish.isdecimal() and 1 <= int(wish) <= 4096):
        hint = "give a number from 1, or gpu for all GPUs of this machine"
        raise TrainingError("this is not a number of processes", where=f"--nproc {wish}", hint=hint)
    return int(wish)


def launch(n: int, words: Sequence[str]) -> int:
    """Run ``mtt`` with ``words`` in ``n`` processes, until all have ended; their exit code.

    The processes print; a signal is passed on to them. One that fails ends all.

    :raises TrainingError: a process was ended by a signal, such as that of a lack of memory.
    """
    from torch.distributed.elastic.multiprocessing import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # what nohup and shells in the background have switched off stays off
    wanted = [*EXIT_CODES, signal.SIGQUIT]
    handled = [one.name for one in wanted if signal.getsignal(one) is not signal.SIG_IGN]
    config = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=n,
        run_id=uuid.uuid4().hex,
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        max_restarts=0,
        monitor_interval=0.1,
        signals_to_handle=",".join(handled),
        shutdown_timeout=_TO_SAVE,
    )
    os.environ.setdefault("OMP_NUM_THREADS", str(cores_for(n)))
    os.environ[LAUNCHED] = str(n)
    try:
        with _quiet(), _hangup_terminates():
            # -P: modules in the working folder do not take the place of those of Python and mtt
            elastic_launch(config, sys.executable)("-P", "-m", "mtt", *words)
    except ChildFailedError as error:
        failures = {rank: failure.exitcode for rank, failure in error.failures.items()}
        return _outcome(failures)
    except SignalException as error:
        return EXIT_CODES.get(signal.Signals(error.sigval), 143)
    return 0


def _outcome(codes: Mapping[int, int]) -> int:
    """The exit code of processes that have failed, by rank; what they could say they have said."""
    own = [code for code in codes.values() if code > 0]
    if own:
        return max(own)
    # SIGTERM is what the launcher sends to the others
    rank, code = min(codes.items(), key=lambda one: one[1] == -signal.SIGTERM)
    name = signal.Signals(-code).name
    reason = " (as the system does where memory runs out)" if name == "SIGKILL" else ""
    raise TrainingError(
        f"rank {rank} was ended by {name}{reason}, and so the training; the last checkpoint is "
        "valid",
        hint="resume with --restart auto",
    )


@contextmanager
def _hangup_terminates() -> Iterator[None]:
    """A closed terminal ends the training as SIGTERM does, unless SIGHUP is ignored (nohup)."""
    before = signal.getsignal(signal.SIGHUP)
    if before is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    try:
        yield
    finally:
        signal.signal(signal.SIGHUP, before)


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the log of torch's agent: the processes say themselves what went wrong."""
    # torch gives modules of it a level each
    of_torch = "torch.distributed.elastic"
    names = [of_torch, *(one for one in logging.root.manager.loggerDict if of_torch in one)]
    before = {one: logging.getLogger(one).level for one in names}
    for one in names:
        logging.getLogger(one).setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for one, level in before.items():
            logging.getLogger(one).setLevel(level)
