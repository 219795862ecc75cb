"""What do several ranks gain, and what does their exchange cost?

    python benchmarks/ranks.py [--ranks 1 2 4] [--epochs 3] [--rounds 5] [--small]
                               [--only scaling] [--batch-size 16] [--precision 32]

Each rank is a process with one thread, forked from this one; gloo connects them.

scaling     structures/s of the training part of the last epoch (density_messages, 400 frames), and
            those of as many separate trainings at the same time: what the machine has to give
overhead    milliseconds of the exchange in a step: counts, gradients of 1 000 to 10 000 000
            parameters, loss, stop

``ranks_exact.py`` looks whether they learn what one learns.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
import torch._dynamo  # by every optimizer; once, before the forks
import torch.distributed as dist
from setting import machine, structures

import mtt
import mtt.workflows
from mtt.processes.distributed import DistributedRanks

SMALL = {"num_channels": 8, "num_features": 8, "num_layers": 1, "max_angular": 1}


def in_ranks(n: int, work: Callable[[int], None]) -> None:
    """``work(rank)`` in ``n`` processes with the variables that torchrun sets."""
    with socket.socket() as one:
        one.bind(("localhost", 0))
        port = one.getsockname()[1]
    children = []
    sys.stdout.flush()  # or each of the children would print it once more
    for rank in range(n):
        child = os.fork()
        if child == 0:
            code = 1
            try:
                os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n)}
                os.environ |= {"MASTER_ADDR": "localhost", "MASTER_PORT": str(port)}
                work(rank)
                code = 0
            except BaseException:  # noqa: BLE001 - nothing may reach the code of the parent
                traceback.print_exc()
            sys.stdout.flush()
            os._exit(code)
        children.append(child)
    if any(os.waitpid(child, 0)[1] for child in children):
        raise SystemExit("a rank has failed")


def options(
    data: Path, n_frames: int, training: dict[str, Any], small: bool, precision: int
) -> dict[str, Any]:
    """Of a training of density_messages on the first frames of ``data``."""
    return {
        "seed": 1,
        "base_precision": precision,
        "device": "cpu",
        "final_eval": False,
        "architecture": {
            "name": "density_messages",
            "model": SMALL if small else {},
            "training": training,
        },
        "training_set": {
            "systems": {"read_from": f"{data}", "length_unit": "angstrom"},
            "targets": {"energy": {"unit": "eV", "stress": False}},
            "indices": list(range(n_frames)),
        },
        "validation_set": 0.1,
        "test_set": 0.0,
    }


def scaling(
    sizes: Sequence[int], rounds: int, epochs: int, small: bool, batch_size: int, precision: int
) -> None:
    """Speeds of one rank, of several, and of as many separate trainings, in turn."""
    data, name = structures()
    print(
        f"\nstructures/s, {name}, batch_size {batch_size}, float{precision}, one thread each; "
        f"median of {rounds} rounds"
    )
    training = {"batch_size": batch_size, "num_epochs": epochs}
    given = options(data, 400, training, small, precision)
    ways = [(n, together) for n in sizes for together in ((True, False) if n > 1 else (True,))]
    speeds: dict[tuple[int, bool], list[float]] = {way: [] for way in ways}
    for _ in range(rounds):
        for n, together in ways:
            speeds[n, together].append(speed(given, n, together))
    alone = median(speeds[ways[0]]) / ways[0][0]
    for (n, together), found in speeds.items():
        what = f"{n} ranks" if together else f"{n} separate trainings"
        ratio, every = median(found) / alone, " ".join(f"{one:.0f}" for one in found)
        print(f"{what:22s}  {median(found):8.1f}/s  {ratio:5.2f} times one rank  ({every})")


def speed(given: dict[str, Any], n: int, together: bool) -> float:
    """Structures/s of ``n`` processes in the last epoch: ranks of one training, or a training each.

    The sum of separate trainings is what the machine itself has to give to ``n`` processes.
    """
    with tempfile.TemporaryDirectory() as folder:

        def work(process: int) -> None:
            place = Path(folder) / ("" if together else str(process))
            place.mkdir(exist_ok=True)
            os.chdir(place)
            if not together:
                os.environ |= {"RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "1"}
            found: list[float] = []

            def listener(category: str, values: Any, epoch: int) -> None:
                if category == "system":
                    found.append(values["metrics"]["structures per second"])

            mtt.train(given, listeners=[listener])
            if process == 0 or not together:
                Path("speeds.json").write_text(json.dumps(found))

        in_ranks(n, work)
        return sum(json.loads(one.read_text())[-1] for one in Path(folder).rglob("speeds.json"))


def overhead(sizes: Sequence[int], repeats: int = 50) -> None:
    print("\nmilliseconds of the exchange in a step (median)")
    for n in sizes:
        for n_parameters in (10**3, 10**5, 10**6, 10**7):
            in_ranks(n, lambda rank, n=n_parameters: _exchange(n, repeats))


def _exchange(n_parameters: int, repeats: int) -> None:
    store = dist.TCPStore(
        os.environ["MASTER_ADDR"],
        int(os.environ["MASTER_PORT"]),
        is_master=os.environ["RANK"] == "0",
        wait_for_workers=False,
    )
    rank, size = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
    ranks, seconds = DistributedRanks(), []
    parameters = list(torch.rand(20, n_parameters // 20).unbind())
    for _ in range(repeats if n_parameters < 10**7 else 5):
        began = time.perf_counter()
        ranks.sum_numbers([3.0, 4.0])
        ranks.sum_known(parameters, parameters)
        ranks.sum([torch.zeros((), dtype=torch.float64)])
        ranks.max(0)
        seconds.append(time.perf_counter() - began)
    if rank == 0:
        print(f"{size:3d} ranks  {n_parameters:10,d} parameters  {1e3 * median(seconds):8.2f} ms")
    ranks.barrier()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--ranks", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5, help="of measurements of the scaling")
    parser.add_argument("--small", action="store_true", help="measure the speed of a small model")
    parser.add_argument("--batch-size", type=int, default=16, help="of a step, over all ranks")
    parser.add_argument("--precision", type=int, choices=[32, 64], default=32)
    parser.add_argument("--only", choices=["scaling", "overhead"])
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(machine())
    if given.only in (None, "scaling"):
        model = given.small, given.batch_size, given.precision
        scaling(given.ranks, given.rounds, given.epochs, *model)
    if given.only in (None, "overhead"):
        overhead([n for n in given.ranks if n > 1])
    return 0


if __name__ == "__main__":
    sys.exit(main())
