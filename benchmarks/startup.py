"""How long ``mtt --help`` takes: the median of many fresh processes.

    python benchmarks/startup.py [--runs 21]

Prints the time of an empty Python process beside it, which no command can beat.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import sysconfig
import time


def seconds(command: list[str], runs: int) -> list[float]:
    """Wall time of each run, after one that fills the caches of the disk."""
    times = []
    for _ in range(runs + 1):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return times[1:]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=21)
    runs = parser.parse_args().runs
    mtt = shutil.which("mtt", path=sysconfig.get_path("scripts"))
    if mtt is None:
        raise SystemExit("mtt is not installed beside this Python")
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "mtt --help": [mtt, "--help"],
        "mtt train --help": [mtt, "train", "--help"],
        "mtt architectures": [mtt, "architectures"],
    }
    print(f"{'command':20s} {'median':>8s} {'fastest':>8s} {'slowest':>8s}   s, {runs} runs")
    for name, command in commands.items():
        times = seconds(command, runs)
        print(f"{name:20s} {statistics.median(times):8.3f} {min(times):8.3f} {max(times):8.3f}")


if __name__ == "__main__":
    main()
