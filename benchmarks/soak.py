"""Does a training that is killed a hundred times end as if nothing had happened?

    python benchmarks/soak.py [--kills 100] [--seed 0] [--json]

A tiny model (soap_bpnn on ethanol: shuffled, warm-up, averaged weights, a checkpoint at every
step) is trained by `mtt.train(..., restart="auto")` in a process that gets SIGKILL at a random
moment, then in another one, and so on; after the last kill one is left alone. The same training
without any kill is compared: weights, state of the optimizer, averaged weights, history and
train.csv must be equal bit for bit, but for the seconds.

A moment is a number of events (steps, checkpoints, epochs …) and a part of the time that the
undisturbed run took from such an event to the next; both come from the seed. The processes are
forked from one that has imported everything, so that moments fall into the work and not into
imports: reading the options, the data and the checkpoint is the start.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch._dynamo  # by every optimizer; once, before the forks

import mtt
import mtt.workflows
from mtt.checkpoint import read
from mtt.checkpoint.format import first_difference
from mtt.checkpoint.plain import same_values

DATA = Path(__file__).resolve().parent.parent / "examples" / "data" / "ethanol.xyz"
FRAMES, LINES_PER_FRAME = 20, 9 + 2
COUNTED = ("run_start", "progress", "checkpoint", "epoch", "end", "evaluation")
AHEAD = 7  # a process that is killed gets ahead by fewer events than this
SHARE = 0.8  # of the kills, that fall into the training if it gets ahead by AHEAD / 2 each time


def options(kills: int) -> dict[str, Any]:
    """Of a training that is about as long as ``kills`` kills let it be."""
    steps = 4  # per epoch, each with its checkpoint; and an epoch has two more events
    epochs = max(2, round(SHARE * kills * (AHEAD - 1) / 2 / (2 * steps + 2)))
    return {
        "seed": 1,
        "base_precision": 64,
        "architecture": {
            "name": "soap_bpnn",
            "model": {
                "soap": {"max_angular": 1, "max_radial": 2, "cutoff": {"radius": 2.5}},
                "bpnn": {"num_hidden_layers": 1, "num_neurons_per_layer": 4},
            },
            "training": {
                "batch_size": 4,
                "num_epochs": epochs,
                "warmup_fraction": 0.2,
                "ema": {"decay": 0.9},
                "checkpoint_interval": 1,
                "checkpoint_interval_steps": 1,
                "keep_checkpoints": 2,
            },
        },
        "training_set": {
            "systems": {"read_from": "ethanol.xyz", "length_unit": "angstrom"},
            "targets": {"energy": {"unit": "eV", "forces": True, "stress": False}},
        },
        "validation_set": 0.2,
        "test_set": 0.1,
    }


class Event(NamedTuple):
    """What a training told, and when (seconds since its process began)."""

    category: str
    seconds: float
    last_batch: bool


class Training:
    """A process that trains in ``folder``, and tells its events."""

    def __init__(self, folder: Path, wanted: Mapping[str, Any], restart: str | None) -> None:
        self._reports, tell = os.pipe()
        self._text = b""
        self.began = time.monotonic()
        self.events: list[Event] = []
        self.process = os.fork()
        if self.process == 0:
            _train(folder, wanted, restart, tell)
        os.close(tell)

    def next_event(self) -> bool:
        """Wait for one; False where the process ended before it."""
        while b"\n" not in self._text:
            piece = os.read(self._reports, 65536)
            if not piece:
                return False
            self._text += piece
        line, _, self._text = self._text.partition(b"\n")
        category, last = json.loads(line)
        self.events.append(Event(category, time.monotonic() - self.began, last))
        return True

    def wait(self) -> int:
        """Exit code, or minus the number of the signal."""
        while self.next_event():
            pass
        os.close(self._reports)
        return os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])

    def kill(self) -> int:
        os.kill(self.process, signal.SIGKILL)
        return self.wait()


def _train(folder: Path, wanted: Mapping[str, Any], restart: str | None, tell: int) -> None:
    def listener(category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category in COUNTED:
            last = category == "progress" and values["batch"] == values["n_batches"]
            os.write(tell, f"{json.dumps([category, last])}\n".encode())

    try:
        os.chdir(folder)
        os.environ["TMPDIR"] = str(folder)
        mtt.train(wanted, restart=restart, listeners=[listener])
    except BaseException:  # noqa: BLE001 - nothing may reach the code of the parent
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def place(events: list[Event], temporary: bool) -> str:
    """What a process was doing when it was killed.

    :param temporary: it left half a file.
    """
    if temporary:
        return "saving"
    seen = [event.category for event in events]
    if "evaluation" in seen:
        return "evaluation"
    if "end" in seen:
        return "export"
    if "run_start" not in seen:
        return "start"
    since = [event for event in events if event.category in ("progress", "epoch")][-1:]
    return "validation" if since and since[0].last_batch else "training"


class Soak(NamedTuple):
    """What came of it.

    :param places: where kills fell, and how many.
    :param difference: the first one to the undisturbed run, or None.
    """

    kills: int
    starts: int
    places: dict[str, int]
    seconds: float
    undisturbed_seconds: float
    difference: str | None


def soak(folder: Path, kills: int, seed: int) -> Soak:
    """Train twice in ``folder``: undisturbed, and with ``kills`` kills."""
    wanted, generator, began = options(kills), random.Random(seed), time.monotonic()
    for name in ("straight", "killed"):
        (folder / name).mkdir()
        lines = DATA.read_text().splitlines(keepends=True)[: FRAMES * LINES_PER_FRAME]
        (folder / name / "ethanol.xyz").write_text("".join(lines))
    straight = Training(folder / "straight", wanted, None)
    if straight.wait() != 0:
        raise SystemExit("the undisturbed run failed")
    undisturbed, pauses = time.monotonic() - began, _pauses(straight.events)
    places: Counter[str] = Counter()
    starts = 0
    while places.total() < kills:
        starts += 1
        found = _killed(folder / "killed", wanted, generator, pauses)
        places.update([found] if found else [])
    if Training(folder / "killed", wanted, "auto").wait() != 0:
        raise SystemExit("the run failed that goes on after the last kill")
    difference = _difference(folder / "straight", folder / "killed")
    seconds = time.monotonic() - began
    return Soak(kills, starts + 1, dict(places), seconds, undisturbed, difference)


def _pauses(events: list[Event]) -> dict[str, float]:
    """Seconds from an event of a kind to the next one, at most; from the start under ``""``."""
    pauses = {"": events[0].seconds}
    for one, following in pairwise(events):
        pauses[one.category] = max(pauses.get(one.category, 0.0), following.seconds - one.seconds)
    return pauses


def _killed(
    folder: Path, wanted: Mapping[str, Any], generator: random.Random, pauses: Mapping[str, float]
) -> str | None:
    """Train and kill; where that was. None: the training came to its end before."""
    ahead, part = generator.randrange(AHEAD), generator.random()
    training, before = Training(folder, wanted, "auto"), set(folder.rglob("*.tmp"))
    for _ in range(ahead):
        if not training.next_event():
            break
    kind = training.events[-1].category if training.events else ""
    time.sleep(part * pauses.get(kind, 0.0))
    code = training.kill()
    if code == 0:
        return None
    if code != -signal.SIGKILL:
        raise SystemExit("a restarted run failed")
    return place(training.events, bool(set(folder.rglob("*.tmp")) - before))


def _difference(straight: Path, killed: Path) -> str | None:
    for name in ("model.ckpt", "checkpoints/best.ckpt", "checkpoints/last.ckpt", "train.csv"):
        one, two = (_content(folder, name) for folder in (straight, killed))
        found = first_difference(one, two, same=same_values)
        if found is not None:
            return f"{name}: {found}"
    return None


def _content(folder: Path, name: str) -> Any:
    """What stands in a file of the run, without what depends on the clock and on restarts."""
    finished = max(folder.glob("outputs/*/*/model.pt")).parent
    if name.endswith(".csv"):
        return list(_timeless(csv.DictReader((finished / name).open(newline=""))))
    stored = read(finished / name)
    del stored["provenance"]
    rows = json.loads(stored["trainer_state"].pop("history"))
    return {**stored, "history": list(_timeless(rows))}


def _timeless(rows: Any) -> Iterator[dict[str, Any]]:
    for row in rows:
        yield {name: value for name, value in row.items() if name != "seconds"}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print JSON, for the tests")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        found = soak(Path(folder), arguments.kills, arguments.seed)
    if arguments.json:
        print(json.dumps(found._asdict()))
    else:
        where = ", ".join(f"{name} {count}" for name, count in sorted(found.places.items()))
        print(f"kills: {found.kills} ({where}); starts: {found.starts}")
        print(f"seconds: {found.seconds:.0f}, undisturbed {found.undisturbed_seconds:.0f}")
        print(f"difference: {found.difference or 'none; equal bit for bit'}")
    return 0 if found.difference is None else 1


if __name__ == "__main__":
    sys.exit(main())
