"""Does a training on two ranks end as if nothing had happened, whatever is killed?

    python benchmarks/soak_ranks.py [--kills 50] [--seed 0] [--ranks 2]

`mtt train options.yaml --nproc 2 --restart auto` is killed at random moments, by SIGKILL to one
rank, to all ranks, or to the launcher, and started again. After the last kill it is left alone.
The same training without any kill is compared: weights, state of the optimizer, averaged weights
and history must be equal bit for bit, but for the seconds.

A kill comes a part of a step after a checkpoint, up to the sixth since the start, or before the
first one: while the ranks import, meet, and read their files. All processes have to end within
two minutes of it. A start takes most of the time: about ten seconds on a quiet machine.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from soak import DATA, FRAMES, LINES_PER_FRAME, _difference
from soak import options as tiny_options

PATIENCE = 120.0  # seconds within which all processes must have ended
AHEAD = 6  # checkpoints that a process writes at most before it is killed
PER_EPOCH = 4  # checkpoints in an epoch of options() at least


def options(kills: int) -> dict[str, Any]:
    """Of a training that is longer than ``kills`` kills let it be."""
    wanted = tiny_options(kills)
    wanted["architecture"]["training"]["num_epochs"] = 2 + kills * (AHEAD + 1) // PER_EPOCH
    return wanted


def started(folder: Path, n: int) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "mtt", "train", "options.yaml", "--nproc", str(n)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    log = (folder / "log.txt").open("ab")
    return subprocess.Popen(
        [*words, "--restart", "auto"], cwd=folder, env=environment, stdout=log, stderr=log
    )


def children(process: int) -> list[int]:
    """The ranks that a launcher has started."""
    found = Path(f"/proc/{process}/task/{process}/children")
    try:
        return [int(word) for word in found.read_text().split()]
    except OSError:
        return []


def is_alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def moments(folder: Path) -> Iterator[int]:
    """When the newest checkpoint was written, in ns; 0 where there is none."""
    while True:
        found = [one.stat().st_mtime_ns for one in folder.glob("outputs/*/*/checkpoints/last.ckpt")]
        yield max(found, default=0)


def wait_for_ranks(launcher: subprocess.Popen[bytes], n: int) -> list[int]:
    """The ranks, once all have been started; fewer where the launcher has ended before."""
    while len(found := children(launcher.pid)) < n and launcher.poll() is None:
        time.sleep(0.01)
    return found


def kill_once(folder: Path, n: int, generator: random.Random) -> str:
    """Train up to some checkpoint, then kill; what was killed, and when; ``""`` at the end."""
    launcher, times = started(folder, n), moments(folder)
    began, last, seen = time.monotonic(), 0.0, next(times)
    what = generator.choice(["one rank", "all ranks", "the launcher"])
    left, part, chosen = generator.randrange(AHEAD + 1), generator.random(), generator.random()
    when = "after a checkpoint" if left else "before the first checkpoint"
    ranks, step = wait_for_ranks(launcher, n), 2.0 * (time.monotonic() - began)
    while left and launcher.poll() is None:
        time.sleep(0.001)
        now = next(times)
        if now != seen:
            step = time.monotonic() - last if last else 0.05
            left, seen, last = left - 1, now, time.monotonic()
    time.sleep(part * min(step, 20.0))
    if launcher.poll() is not None or not all(map(is_alive, ranks)):
        if launcher.wait() == 0:
            return ""
        raise SystemExit("a restarted run failed:\n" + (folder / "log.txt").read_text()[-3000:])
    killed = {"one rank": [ranks[int(chosen * n)]], "all ranks": ranks}
    for process in killed.get(what, [launcher.pid]):
        os.kill(process, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while any(map(is_alive, ranks)) or launcher.poll() is None:
        if time.monotonic() > end:
            raise SystemExit(f"processes are left {PATIENCE:g} s after {what} was killed")
        time.sleep(0.05)
    print(f"{what}, {when}: all ended within {time.monotonic() - end + PATIENCE:.1f} s", flush=True)
    return f"{what} {when}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ranks", type=int, default=2)
    given = parser.parse_args()
    generator, killed = random.Random(given.seed), Counter[str]()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        folders = [Path(name) / one for one in ("straight", "killed")]
        for folder in folders:
            folder.mkdir()
            lines = DATA.read_text().splitlines(keepends=True)[: FRAMES * LINES_PER_FRAME]
            (folder / "ethanol.xyz").write_text("".join(lines))
            (folder / "options.yaml").write_text(yaml.safe_dump(options(given.kills)))
        if started(folders[0], given.ranks).wait() != 0:
            raise SystemExit((folders[0] / "log.txt").read_text())
        while killed.total() < given.kills:
            what = kill_once(folders[1], given.ranks, generator)
            killed.update([what] if what else [])
            if not what:
                break  # it came to its end before
        if started(folders[1], given.ranks).wait() != 0:
            raise SystemExit("the run failed that resumes after the last kill")
        difference = _difference(*folders)
    for what, n in sorted(killed.items()):
        print(f"{n:4d} times {what}")
    print(
        f"{killed.total()} of {given.kills} kills; difference: {difference or 'none, bit for bit'}"
    )
    return 0 if difference is None and killed.total() == given.kills else 1


if __name__ == "__main__":
    sys.exit(main())
