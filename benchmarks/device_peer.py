"""Structures/s of training steps of nequip or mace: a part of ``device.py``, which calls it.

    python benchmarks/device_peer.py < request.json

It runs in the environment of the other program and imports nothing of mtt. A step is the forward
pass with forces, the mean squares of energies and forces as the loss, its gradient by the weights,
and Adam, in float32, on batches that are on the device already. Models are of 64 scalar channels in
two layers (mace) and 32 features up to l = 1 in three (nequip), with a cutoff of 5 Å.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import ase
import torch

CUTOFF = 5.0
Evaluate = Callable[[Any], tuple[torch.Tensor, torch.Tensor]]


def mace(frames: Sequence[ase.Atoms], size: int, device: str) -> tuple[Any, list[Any], Evaluate]:
    """The model, batches, and what evaluates one: energies and forces."""
    torch.serialization.add_safe_globals([slice])  # in a table that e3nn 0.4 loads on import
    import numpy as np
    from e3nn import o3
    from mace import data, modules, tools
    from mace.tools import torch_geometric

    numbers = tools.AtomicNumberTable(sorted({int(z) for one in frames for z in one.numbers}))
    graphs = [
        data.AtomicData.from_config(data.config_from_atoms(one), z_table=numbers, cutoff=CUTOFF)
        for one in frames
    ]
    loader = torch_geometric.dataloader.DataLoader(graphs, batch_size=size, shuffle=False)
    block = modules.interaction_classes["RealAgnosticResidualInteractionBlock"]
    pairs = sum(graph.edge_index.shape[1] for graph in graphs)
    model = modules.MACE(
        r_max=CUTOFF,
        num_bessel=8,
        num_polynomial_cutoff=5,
        max_ell=3,
        interaction_cls=block,
        interaction_cls_first=block,
        num_interactions=2,
        num_elements=len(numbers),
        hidden_irreps=o3.Irreps("64x0e"),
        MLP_irreps=o3.Irreps("16x0e"),
        atomic_energies=np.zeros(len(numbers)),
        avg_num_neighbors=pairs / sum(map(len, frames)),
        atomic_numbers=numbers.zs,
        correlation=3,
        gate=torch.nn.functional.silu,
    ).to(device)
    batches = [batch.to(device).to_dict() for batch in loader]

    def evaluate(batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        found = model(dict(batch), training=True, compute_force=True)
        return found["energy"], found["forces"]

    return model, batches, evaluate


def nequip(frames: Sequence[ase.Atoms], size: int, device: str) -> tuple[Any, list[Any], Evaluate]:
    """As :func:`mace`."""
    from ase.data import chemical_symbols
    from nequip.data import AtomicDataDict, compute_neighborlist_, from_ase
    from nequip.data.transforms import ChemicalSpeciesToAtomTypeMapper
    from nequip.model import NequIPGNNModel
    from nequip.utils.global_state import set_global_state

    set_global_state()
    names = [chemical_symbols[z] for z in sorted({int(z) for one in frames for z in one.numbers})]
    species = ChemicalSpeciesToAtomTypeMapper(model_type_names=names)
    graphs = [species(compute_neighborlist_(from_ase(one), r_max=CUTOFF)) for one in frames]
    pairs = sum(graph[AtomicDataDict.EDGE_INDEX_KEY].shape[1] for graph in graphs)
    model = NequIPGNNModel(
        seed=1,
        model_dtype="float32",
        type_names=names,
        r_max=CUTOFF,
        num_layers=3,
        l_max=1,
        num_features=32,
        radial_mlp_depth=2,
        radial_mlp_width=64,
        avg_num_neighbors=pairs / sum(map(len, frames)),
    ).to(device)
    groups = [graphs[start : start + size] for start in range(0, len(graphs), size)]
    batches = [
        AtomicDataDict.to_(AtomicDataDict.batched_from_list(group), torch.device(device))
        for group in groups
    ]

    def evaluate(batch: Any) -> tuple[torch.Tensor, torch.Tensor]:
        found = model(dict(batch))
        return found[AtomicDataDict.TOTAL_ENERGY_KEY], found[AtomicDataDict.FORCE_KEY]

    return model, batches, evaluate


def steps(model: Any, batches: list[Any], evaluate: Evaluate, size: int) -> Iterator[int]:
    """Take steps, each of the structures that are yielded."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
    while True:
        for batch in batches:
            optimizer.zero_grad(set_to_none=True)
            energies, forces = evaluate(batch)
            loss = energies.square().mean() + forces.square().mean()
            loss.backward()
            optimizer.step()
            loss.item()  # as a training that looks at its loss does
            yield len(energies)


def main() -> None:
    warnings.simplefilter("ignore")
    given = json.load(sys.stdin)
    frames = [ase.Atoms(one["numbers"], one["positions"]) for one in given["frames"]]
    made = {"mace": mace, "nequip": nequip}[given["name"]]
    torch.manual_seed(0)
    start, size, device = time.perf_counter(), given["batch_size"], given["device"]
    model, batches, evaluate = made(frames, size, device)
    taken = steps(model.train(), batches, evaluate, size)
    for _ in range(5):
        next(taken)
    first = time.perf_counter() - start
    times: list[float] = []
    done = 0
    while sum(times) < given["seconds"]:
        before = time.perf_counter()
        done += next(taken)
        times.append(time.perf_counter() - before)
    found = {
        "precision": "float32",
        "weights": sum(p.numel() for p in model.parameters()),
        "structures/s": done / sum(times),
        "ms": 1e3 * statistics.median(times),
        "first steps s": first,
    }
    if device.startswith("cuda"):
        found["peak MB"] = torch.cuda.max_memory_allocated() / 1e6
    print(json.dumps(found))


if __name__ == "__main__":
    main()
