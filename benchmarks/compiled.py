"""Milliseconds of a training step, plain and compiled.

    python benchmarks/compiled.py [--architecture density_messages] [--threads 2] [--batch-size 5]

Forward, the gradient for the forces, a mean squared error of both and its gradient by the
weights, without an optimizer, in float32. Plain and compiled steps take turns in one process, on
the same batches; medians count. Code is compiled anew, whatever torch has kept from before. The
data are those of ``setting.py``.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time

import ase.io
import setting
import torch
import torch._inductor.config

from mtt import DatasetInfo, TargetInfo
from mtt.data import Batching, Dataset, Loader
from mtt.graph import Graph
from mtt.mlip import MLIPModel
from mtt.mlip.compiled import CompiledNetwork
from mtt.registry import find

N_BATCHES = 6


def prepare(name: str, batch_size: int) -> tuple[MLIPModel, list[Graph], str]:
    """A new model with its defaults, and batches of structures."""
    path, what = setting.structures()
    frames = ase.io.read(path, f":{N_BATCHES * batch_size}")
    types = sorted({int(z) for frame in frames for z in frame.numbers})
    info = DatasetInfo("angstrom", types, {"energy": TargetInfo.energy(forces=True)})
    architecture = find(name).load()
    torch.manual_seed(0)
    model = architecture.model(architecture.default_hypers["model"], info).train()
    loader = Loader(
        Dataset.from_atoms(frames, {}),
        info.atomic_types,
        cutoff=model.list_cutoff(),
        dtype=model.dtype,
        device=model.device,
        batching=Batching(structures=batch_size),
        shuffle=False,
    )
    return model, [batch.graph for batch in loader.epoch()], what


def step(model: MLIPModel, graph: Graph, compiled: CompiledNetwork | None) -> None:
    predicted = model.predict_targets(graph, create_graph=True, network=compiled)["energy"]
    loss = predicted.values.square().mean() + predicted.forces.square().mean()
    loss.backward(inputs=list(model.parameters()))
    model.zero_grad()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--architecture", default="density_messages")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--batch-size", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=60)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    torch._inductor.config.force_disable_caches = True
    model, graphs, what = prepare(given.architecture, given.batch_size)
    print(f"{setting.machine()}\n{given.architecture}, {given.batch_size} structures of {what}")
    compiled = CompiledNetwork(model, lambda: graphs)
    start = time.perf_counter()
    for graph in graphs:
        step(model, graph, compiled)
    print(f"compiled in {time.perf_counter() - start:.0f} s")
    seconds: dict[str, list[float]] = {"plain": [], "compiled": []}
    for i in range(given.rounds):
        for name, network in (("plain", None), ("compiled", compiled)):
            start = time.perf_counter()
            step(model, graphs[i % N_BATCHES], network)
            seconds[name].append(time.perf_counter() - start)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    for name, median in medians.items():
        print(f"{name:10s}{1e3 * median:8.1f} ms")
    print(f"ratio     {medians['plain'] / medians['compiled']:8.2f}")


if __name__ == "__main__":
    main()
