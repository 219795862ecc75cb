"""Reads files that would fill any memory; see test_fuzz_bombs.py.

    python tests/faults/bomb_reader.py MEMORY FILE...

Under a limit of MEMORY bytes more than the program itself takes. Prints, as JSON, what came of
each file: the error, its message, seconds, and by how much the largest memory in use grew.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from pathlib import Path

import torch

from mtt.checkpoint import describe, peek, read, read_archive
from mtt.data import Dataset, read_dataset
from mtt.options import load_eval_options, load_options

LIMIT = 10.0  # seconds of the processor for each


def _structures(path: Path) -> None:
    (options,) = load_eval_options({"systems": {"read_from": str(path)}})
    read_dataset(options)


def _options(path: Path) -> str:
    return load_options(path).architecture_name  # raises what was found so far


READERS = {
    ".yaml": (_options,),
    ".ckpt": (read, peek, describe),
    ".zip": (read_archive, describe),
    ".pt": (describe,),
    ".xyz": (_structures,),
    ".gz": (_structures,),
    ".store": (Dataset.open,),
}


def _limit_memory(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    top = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (top, top))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _told(path: Path) -> dict[str, object]:
    """The outcome of the reader that took it worst."""
    before, start = _peak(), time.process_time()
    outcomes = []
    for reader in READERS[path.suffix]:
        signal.setitimer(signal.ITIMER_PROF, LIMIT)  # ends the process: a hang
        try:
            value = reader(path)
            problem = value.get("problem") if isinstance(value, dict) else None
            outcomes.append(("CheckpointError", f"{path}: {problem}") if problem else ("", "read"))
        except Exception as error:  # noqa: BLE001
            outcomes.append((type(error).__name__, str(error)))
    signal.setitimer(signal.ITIMER_PROF, 0)
    kind, message = min(
        outcomes, key=lambda one: one[0] in ("CheckpointError", "ConfigError", "DataError")
    )
    return {
        "error": kind,
        "message": message[:1000],
        "seconds": time.process_time() - start,
        "bytes": _peak() - before,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    _limit_memory(int(sys.argv[1]))
    json.dump({Path(name).name: _told(Path(name)) for name in sys.argv[2:]}, sys.stdout)
