"""What does a training step take for a number per structure, and for a spectrum of thousands?

    python benchmarks/spectra.py [--architecture soap_bpnn] [--points 4000] [--rounds 20]

Batches of eight ethanol molecules of the examples, with made-up labels, train a model of the
architecture's default options: on a scalar, on a spectrum whose last layer has as many rows as
it has points (readout_rank: full), and on one made of 64 numbers (auto). Steps of the three go
in turn, so that all see the same moods of the machine; the first of each warms up.
"""

from __future__ import annotations

import argparse
import copy
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import ase.io
import numpy as np
import torch

from mtt import registry
from mtt.data import Batching, Dataset, Loader

EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "data"
SIZE = 8


def stepper(architecture: str, points: int, rank: str) -> tuple[Callable[[], None], int]:
    """A function that makes one step, and how many weights it trains."""
    frames = copy.deepcopy(FRAMES)
    random = np.random.default_rng(0)
    for atoms in frames:
        atoms.info["dos"] = random.random(points)
    target = {"key": "dos", "num_subtargets": points, "readout_rank": rank, "extensive": True}
    dataset = Dataset.from_atoms(frames, {"mtt::dos": target})
    found = registry.find(architecture).load()
    torch.manual_seed(0)
    model = found.model(copy.deepcopy(found.default_hypers["model"]), dataset.info)
    dataset.prepare(model.requested_neighbor_lists())
    loader = Loader(
        dataset, dataset.info.atomic_types, dtype=model.dtype, device=torch.device("cpu"),
        batching=Batching(structures=SIZE), shuffle=False, cutoff=model.list_cutoff(),
    )  # fmt: skip
    batch = next(iter(loader.epoch(0)))
    weights = [one for one in model.parameters() if one.requires_grad]
    optimizer = torch.optim.Adam(weights, lr=1e-4)

    def step() -> None:
        optimizer.zero_grad()
        predicted = model.predict_targets(batch.graph, create_graph=True)["mtt::dos"].values
        (predicted - batch.targets["mtt::dos"].values).square().mean().backward()
        optimizer.step()

    return step, sum(one.numel() for one in weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--architecture", default="soap_bpnn")
    parser.add_argument("--points", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=20)
    asked = parser.parse_args()
    cases = {
        "1 number": (1, "full"),
        f"{asked.points} points, full": (asked.points, "full"),
        f"{asked.points} points, auto": (asked.points, "auto"),
    }
    made = {name: stepper(asked.architecture, *case) for name, case in cases.items()}
    times: dict[str, list[float]] = {name: [] for name in made}
    for number in range(asked.rounds + 1):
        for name, (step, _) in made.items():
            start = time.perf_counter()
            step()
            if number:
                times[name].append(time.perf_counter() - start)
    print(f"{asked.architecture}, {SIZE} ethanol molecules, {torch.get_num_threads()} threads")
    print(f"{'':>22} {'weights':>10} {'ms, median':>11} {'quartiles':>15}")
    for name, (_, weights) in made.items():
        low, middle, high = (1e3 * one for one in statistics.quantiles(times[name], n=4))
        print(f"{name:>22} {weights:>10} {middle:>11.1f} {low:>7.1f} {high:>7.1f}")


if __name__ == "__main__":
    FRAMES = ase.io.read(EXAMPLES / "ethanol.xyz", f":{SIZE}")
    main()
