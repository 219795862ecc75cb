"""Training throughput of soap_bpnn, here and in metatrain, with equal options on one file.

    python benchmarks/throughput_metatrain.py --data structures.xyz [--epochs 8] [--rounds 3]

Both programs get the same options file: batches of 10, float32, energies and forces, 10 % of
the frames for validation. metatrain is installed from PyPI into an environment of its own
(``--environment``, made on first use, about 1.4 GB). The programs run in turn, so that both see
the same moods of the machine. An epoch is training and validation; the first two epochs, in
which TorchScript compiles and neighbour lists are made, do not count.
"""

from __future__ import annotations

import argparse
import itertools
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import ase.io

TORCH = "torch==2.13.0"
METATRAIN = "metatrain[soap-bpnn]==2026.4.1"
SKIPPED = 2
BATCH_SIZE = 10
OPTIONS = """
seed: 1
base_precision: 32
final_eval: false
architecture:
  name: soap_bpnn
  training: {{batch_size: {batch_size}, num_epochs: {epochs}, log_interval: 1}}
training_set:
  systems: {{read_from: {data}, length_unit: angstrom}}
  targets:
    energy: {{key: {key}, unit: eV, forces: {{key: {forces}}}, stress: false}}
validation_set: 0.1
test_set: 0.0
"""


def install(environment: Path) -> Path:
    """metatrain's command, installed into ``environment`` if it is not there yet."""
    command = environment / "bin" / "mtt"
    if not command.exists():
        print(f"installing metatrain into {environment}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        pip = [str(environment / "bin" / "pip"), "install", "-q"]
        subprocess.run([*pip, TORCH], check=True)  # first: else pip takes the newest build
        subprocess.run([*pip, TORCH, METATRAIN], check=True)
    return command


def epoch_seconds(command: list[str], folder: Path, threads: int) -> list[float]:
    """Seconds from each epoch's line of the program's output to the next one's."""
    environment = os.environ | {"OMP_NUM_THREADS": str(threads), "PYTHONUNBUFFERED": "1"}
    folder.mkdir()
    lines: list[str] = []
    arrivals: list[float] = []
    with subprocess.Popen(
        command, cwd=folder, env=environment, text=True, bufsize=1,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line)
            if re.search(r"epoch:? +\d+[ /].*loss", line, re.IGNORECASE):
                arrivals.append(time.perf_counter())
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed:\n{''.join(lines[-30:])}")
    return [after - before for before, after in itertools.pairwise(arrivals)]


def measure(commands: dict[str, list[str]], rounds: int, threads: int) -> dict[str, list[float]]:
    """Steady seconds per epoch of every command, run in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    with tempfile.TemporaryDirectory() as scratch:
        for turn in range(rounds):
            for name, command in commands.items():
                times = epoch_seconds(command, Path(scratch) / f"{turn}-{name}", threads)
                steady = times[SKIPPED - 1 :]
                seconds[name] += steady
                print(f"round {turn + 1}, {name}: {statistics.median(steady):.3f} s per epoch")
    return seconds


def arguments() -> argparse.Namespace:
    """The command line."""
    here = Path(__file__).resolve().parent
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=here.parent / "examples" / "data" / "ethanol.xyz"
    )
    parser.add_argument("--key", default="energy", help="key of the energies")
    parser.add_argument("--forces", default="forces", help="key of the forces")
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--environment", type=Path, default=here / ".metatrain")
    given = parser.parse_args()
    if given.epochs < SKIPPED + 2:
        parser.error(f"at least {SKIPPED + 2} epochs are needed")
    return given


def main() -> None:
    given = arguments()
    metatrain = install(given.environment.resolve())
    data = given.data.resolve()
    n_train = round(0.9 * len(ase.io.read(data, ":")))
    with tempfile.TemporaryDirectory() as scratch:
        options = Path(scratch) / "options.yaml"
        options.write_text(
            OPTIONS.format(
                data=data, key=given.key, forces=given.forces, epochs=given.epochs,
                batch_size=BATCH_SIZE,
            )
        )  # fmt: skip
        ours = [sys.executable, "-m", "mtt", "train", str(options)]
        ours += ["-r", "architecture.training.grad_clip_norm=null"]  # metatrain's does not clip
        commands = {"metatrain": [str(metatrain), "train", str(options)], "mtt": ours}
        seconds = measure(commands, given.rounds, given.threads)
    rates = {name: n_train / statistics.median(times) for name, times in seconds.items()}
    print(f"\n{'program':10s} {'s/epoch':>8s} {'structures/s':>13s}   ({n_train} structures)")
    for name, times in seconds.items():
        print(f"{name:10s} {statistics.median(times):8.3f} {rates[name]:13.1f}")
    print(f"mtt / metatrain: {rates['mtt'] / rates['metatrain']:.2f}")


if __name__ == "__main__":
    main()
