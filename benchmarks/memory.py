"""Does memory stay flat when a memory-mapped data set grows?

    python benchmarks/memory.py [--sizes 1000 10000 100000] [--rounds 1]

The ethanol frames of the examples, repeated with small random displacements, are packed into
stores of these sizes in a temporary folder (about 1.5 kB a structure), with neighbour lists. Then
fresh processes open a store and go once through all its batches, shuffled, in batches of 10:

data      the batches are made and thrown away
training  and a small soap_bpnn learns from each one

The peak is that of the whole process, with Python, torch and mtt in it; the
first line of the table is a process that has only imported them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import ase.io
import numpy as np
import setting
import torch

from mtt import registry
from mtt.data import Batching, Dataset, Frame, FrameLabels, Loader, TargetInfo, pack_frames
from mtt.data.info import DatasetInfo
from mtt.mlip import MLIPModel

INFO = DatasetInfo("angstrom", (1, 6, 8), {"energy": TargetInfo.energy(forces=True)})
CUTOFF = 5.0
WORK = ("imports", "data", "training")


def frames(n: int) -> Iterator[Frame]:
    """``n`` structures, one at a time; no two are the same."""
    source = ase.io.read(setting.ROOT / "examples" / "data" / "ethanol.xyz", ":")
    random = np.random.default_rng(1)
    for i, atoms in enumerate(itertools.islice(itertools.cycle(source), n)):
        energy = np.array([[atoms.get_potential_energy()]])
        yield Frame(
            numbers=atoms.numbers.astype(np.int64),
            positions=atoms.positions + random.normal(scale=0.01, size=(len(atoms), 3)),
            cell=np.zeros((3, 3)),
            pbc=np.zeros(3, dtype=bool),
            labels={"energy": FrameLabels(energy, atoms.get_forces())},
            extra={},
            source=f"frame {i}",
        )


def small_model() -> MLIPModel:
    architecture = registry.find("soap_bpnn").load()
    hypers = dict(architecture.default_hypers["model"])
    hypers["soap"] = {"max_angular": 1, "max_radial": 2, "cutoff": {"radius": CUTOFF, "width": 0.5}}
    hypers["bpnn"] = {"num_hidden_layers": 1, "num_neurons_per_layer": 4, "layernorm": False}
    return architecture.model(hypers, INFO)


def work(kind: str, folder: Path) -> None:
    """What a fresh process does; prints its peak in MB, and its batches per second."""
    torch.set_num_threads(1)
    start, n_batches = time.perf_counter(), 0
    if kind != "imports":
        batches = Loader(
            Dataset.open(folder), INFO.atomic_types, cutoff=CUTOFF, dtype=torch.float32,
            batching=Batching(structures=10), shuffle=True,
        )  # fmt: skip
        model = small_model()
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-12)
        start = time.perf_counter()
        for batch in batches.epoch(0):
            n_batches += 1
            if kind == "training":
                optimizer.zero_grad()
                forces = model.predict_targets(batch.graph, create_graph=True)["energy"].forces
                loss = (forces - batch.targets["energy"].forces).square().mean()
                loss.backward(inputs=list(model.parameters()))
                optimizer.step()
    print(json.dumps([peak(), n_batches / (time.perf_counter() - start)]))


def peak() -> float:
    """Largest resident memory of this process so far, MB (Linux).

    ``getrusage`` would also count that of the parent process, which packed the data.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


def measure(kind: str, folder: Path, rounds: int) -> tuple[float, float]:
    """Median peak [MB] and batches per second of ``rounds`` fresh processes."""
    command = [sys.executable, __file__, "--work", kind, str(folder)]
    found = []
    for _ in range(rounds):
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found.append(json.loads(done.stdout.splitlines()[-1]))
    peaks, rates = zip(*found, strict=True)
    return statistics.median(peaks), statistics.median(rates)


def size_of(folder: Path) -> float:
    """MB of all files in ``folder``."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1_000, 10_000, 100_000])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--work", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work is not None:
        work(given.work[0], Path(given.work[1]))
        return
    print(setting.machine())
    print(f"{'':10s} {'structures':>10s} {'store MB':>9s} {'peak MB':>8s} {'ratio':>6s} "
          f"{'batches/s':>10s}")  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / str(n) for n in given.sizes]
        floor, _ = measure("imports", folders[0], given.rounds)
        print(f"{'imports':10s} {'':10s} {'':9s} {floor:8.1f}", flush=True)
        for n, folder in zip(given.sizes, folders, strict=True):
            pack_frames(frames(n), INFO, folder).pairs(CUTOFF)
        for kind in WORK[1:]:
            first = None
            for n, folder in zip(given.sizes, folders, strict=True):
                mega, rate = measure(kind, folder, given.rounds)
                first = mega if first is None else first
                print(f"{kind:10s} {n:10d} {size_of(folder):9.1f} {mega:8.1f} "
                      f"{mega / first:6.3f} {rate:10.1f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
