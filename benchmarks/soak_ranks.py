"""Does a training on two ranks end as if nothing had happened, whatever is killed?

    python benchmarks/soak_ranks.py [--kills 50] [--seed 0] [--ranks 2]

`mtt train options.yaml --nproc 2 --restart auto` is killed at random moments, by SIGKILL to one
rank, to all ranks, or to the launcher, and started again. After the last kill it is left alone.
The same training without any kill is compared: weights, state of the optimizer, averaged weights
and history must be equal bit for bit, but for the seconds.
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

import yaml
from soak import DATA, FRAMES, LINES_PER_FRAME, _difference, options

PATIENCE = 120.0  # seconds within which all processes must have ended


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


def kill_once(folder: Path, n: int, generator: random.Random) -> str:
    """Train until some checkpoints are written, then kill; what was killed, or ``""``."""
    launcher, times = started(folder, n), moments(folder)
    seen, left = next(times), generator.randrange(1, 6)
    while left and launcher.poll() is None:
        time.sleep(0.01)
        now = next(times)
        left, seen = left - (now != seen), now
    time.sleep(generator.random() * 0.3)
    ranks = children(launcher.pid)
    if launcher.poll() is not None or len(ranks) < n:
        if launcher.wait() == 0:
            return ""
        raise SystemExit("a restarted run failed")
    what = generator.choice(["one rank", "all ranks", "the launcher"])
    chosen = {"one rank": [generator.choice(ranks)], "all ranks": ranks}
    for process in chosen.get(what, [launcher.pid]):
        os.kill(process, signal.SIGKILL)
    end = time.monotonic() + PATIENCE
    while any(map(is_alive, ranks)) or launcher.poll() is None:
        if time.monotonic() > end:
            raise SystemExit(f"processes are left {PATIENCE:g} s after {what} was killed")
        time.sleep(0.05)
    return what


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
    print("kills:", ", ".join(f"{what} {n}" for what, n in sorted(killed.items())))
    print(f"difference: {difference or 'none; equal bit for bit'}")
    return 0 if difference is None else 1


if __name__ == "__main__":
    sys.exit(main())
