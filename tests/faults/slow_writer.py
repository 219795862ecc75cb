"""Trains while its writer is slow, and is killed in the middle of ten saves; see test_kills.py.

    python tests/faults/slow_writer.py OPTIONS SEED

The folder ``killed`` gets a run of eleven processes: each goes on with ``--restart auto`` where
the one before was killed, at one of :data:`MOMENTS` of a save that ``SEED`` chooses. ``straight``
gets the run of one. Both end before the export. What was found after each kill is printed as JSON.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import stat
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # by every optimizer; once, before the forks

from mtt.checkpoint import newest_valid, read
from mtt.checkpoint.format import progress
from mtt.ranks import SerialRanks
from mtt.workflows.restart.source import run_folder
from mtt.workflows.run.listeners import make_events
from mtt.workflows.run.provenance import provenance
from mtt.workflows.train import begin, describe, read_inputs, run

MOMENTS = (
    "before the temporary file is written",
    "within the temporary file",
    "before it is on the disk",
    "once it is on the disk",
    "while it is read back",
    "before the old one is put aside",
    "between the two renames",
    "before it takes its name",
    "before the name is on the disk",
    "before the epoch gets its name",
)
LIMIT = 120.0  # seconds for a process to come to its moment

real_save, real_load, real_sync = torch.save, torch.load, os.fsync
real_replace, real_link = os.replace, os.link


class SlowWriter:
    """Stands still at one moment of a save, once some others are finished.

    :param tell: receives what this process reports, as lines of JSON.
    """

    def __init__(self, moment: str, after: int, tell: int) -> None:
        self.moment, self.after, self.tell = moment, after, tell
        self.saving = False
        torch.save, torch.load, os.fsync = self.save, self.load, self.sync
        os.replace, os.link = self.replace, self.link

    def report(self, values: Any) -> None:
        os.write(self.tell, f"{json.dumps(values)}\n".encode())

    def at(self, moment: str) -> None:
        if moment == self.moment and self.saving and self.after <= 0:
            self.report("there")
            time.sleep(LIMIT)

    def save(self, content: Any, file: Any) -> None:
        self.saving = True
        self.at(MOMENTS[0])
        real_save(content, Half(file, lambda: self.at(MOMENTS[1])))

    def sync(self, descriptor: int) -> None:
        of_folder = stat.S_ISDIR(os.fstat(descriptor).st_mode)
        self.at(MOMENTS[8] if of_folder else MOMENTS[2])
        real_sync(descriptor)
        if not of_folder:
            self.at(MOMENTS[3])

    def load(self, *arguments: Any, **options: Any) -> Any:
        self.at(MOMENTS[4])
        return real_load(*arguments, weights_only=True, **without(options, "weights_only"))

    def replace(self, source: Any, target: Any) -> None:
        put_aside = str(target).endswith("previous.ckpt")
        self.at(MOMENTS[5] if put_aside else MOMENTS[7])
        real_replace(source, target)
        if put_aside:
            self.at(MOMENTS[6])

    def link(self, source: Any, target: Any) -> None:
        self.at(MOMENTS[9])
        real_link(source, target)

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        """A listener: a save is finished."""
        if category == "checkpoint":
            self.after -= 1
            self.saving = False or self.moment == MOMENTS[9]
            self.report([Path(values["path"]).name, progress(read(values["path"]))])


class Half:
    """A file to write to, with a call in the middle of every larger piece."""

    def __init__(self, file: Any, within: Callable[[], None]) -> None:
        self._file, self._within = file, within

    def write(self, data: Any) -> int:
        piece = bytes(data)
        middle = len(piece) // 2
        self._file.write(piece[:middle])
        if middle > 100:
            self._file.flush()
            self._within()
        self._file.write(piece[middle:])
        return len(piece)

    def flush(self) -> None:
        self._file.flush()


def without(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


def train(options: Any, restart: str | None, listener: Any) -> None:
    """What ``mtt train`` does, up to the export."""
    ranks = SerialRanks()
    plan = read_inputs(options, Path("model.pt"), restart, (), (), False, ranks)
    start = begin(plan)
    folder = run_folder(plan.restart)
    origin = provenance(start.provenance, plan.options.seed, plan.data)
    describe(plan, folder, origin)
    listeners = [listener] if listener else []
    with closing(make_events(plan.options, folder.path, listeners, ranks)) as events:
        run(plan, start, folder, origin, events, ranks)


def child(work: Callable[[], None]) -> int:
    """A process that does ``work``; its id."""
    process = os.fork()
    if process:
        return process
    try:
        work()
    except BaseException:  # noqa: BLE001 - nothing may reach the code of the parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def killed(options: Any, moment: str, after: int) -> list[Any]:
    """Train until ``moment``, and kill: the name and progress of every save that was finished."""
    reports, tell = os.pipe()

    def work() -> None:
        train(options, "auto", SlowWriter(moment, after, tell))

    process, text = child(work), ""
    os.close(tell)
    while '"there"' not in text:
        ready, _, _ = select.select([reports], [], [], LIMIT)
        piece = os.read(reports, 65536).decode() if ready else ""
        if not piece:
            break
        text += piece
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    os.close(reports)
    assert '"there"' in text, f"{moment}: never came there ({status})"
    return [json.loads(line) for line in text.splitlines()[:-1]]


def main(options: Any, seed: int) -> list[dict[str, Any]]:
    generator, finished, found = random.Random(seed), {}, []
    os.makedirs("straight")
    os.chdir("straight")
    assert os.waitpid(child(lambda: train(options, None, None)), 0)[1] == 0
    os.makedirs("../killed")
    os.chdir("../killed")
    moments = list(MOMENTS)
    generator.shuffle(moments)
    for moment in moments:
        for name, place in killed(options, moment, generator.randint(1, 3)):
            finished[name] = max(finished.get(name, [-1, -1]), place)
        (folder,) = Path("outputs").glob("*/*/checkpoints")
        newest = newest_valid(folder)
        best = folder / "best.ckpt"
        found.append(
            {
                "moment": moment,
                "finished": max(finished.values()),
                "newest": progress(read(newest.path)) if newest.path else None,
                "damaged": len(newest.damaged),
                "finished best": finished.get("best.ckpt"),
                "best": progress(read(best)) if best.exists() else None,
                "temporary": sum(path.suffix == ".tmp" for path in folder.iterdir()),
            }
        )
    assert os.waitpid(child(lambda: train(options, "auto", None)), 0)[1] == 0
    return found


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(json.loads(sys.argv[1]), int(sys.argv[2]))))
