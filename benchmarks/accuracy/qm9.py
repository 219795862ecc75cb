"""Dipole moments, internal energies and gaps of small molecules, gaps by every aggregation.

    python benchmarks/accuracy/qm9.py [--folds 5] [--epochs 100] [--out results]

The hundred molecules of QM9 in `qm9/qm9_reduced_100.xyz` (`mu` in debye, `epsgap` and `U0` in
hartree) are shared out into folds; each fold is the test set of a training on the others, of which
a tenth validates. U0 is an energy, mu and the gap are scalars of the structure, and each training
has one target. A hundred epochs take about a minute on a processor.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import results
import torch

from mtt import train

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from surroundings import data_file, processor

FILE = "qm9/qm9_reduced_100.xyz"
MEV = {"hartree": 27211.386, "debye": 1.0}
CASES: dict[str, dict[str, Any]] = {
    "U0": {"key": "U0", "quantity": "energy", "unit": "hartree", "forces": False},
    "mu, mean": {"key": "mu", "unit": "debye", "aggregation": "mean"},
    "mu, learned": {"key": "mu", "unit": "debye", "aggregation": "learned"},
    "gap, by default": {"key": "epsgap", "unit": "hartree"},
    **{
        f"gap, {one}": {"key": "epsgap", "unit": "hartree", "aggregation": one}
        for one in ("sum", "mean", "max", "learned")
    },
}


def options(target: dict[str, Any], epochs: int, seed: int) -> dict[str, Any]:
    """Of one training, in a folder with ``train.xyz`` and ``test.xyz``."""
    name = "energy" if target.get("quantity") else "mtt::x"
    sets = {
        part: {"systems": {"read_from": f"{part}.xyz", "length_unit": "angstrom"},
               "targets": {name: target}}
        for part in ("train", "test")
    }  # fmt: skip
    return {
        "seed": seed,
        "report": False,
        "loggers": ["csv"],
        "architecture": {
            "name": "density_messages",
            "training": {"num_epochs": epochs, "batch_size": 8},
        },
        "training_set": sets["train"],
        "validation_set": 0.1,
        "test_set": sets["test"],
    }


def errors(
    target: dict[str, Any], frames: list[Any], chosen: np.ndarray, asked: argparse.Namespace
) -> tuple[float, float]:
    """MAE on the ``chosen`` frames of a training on the others, and of their mean."""
    with tempfile.TemporaryDirectory() as folder:
        before = Path.cwd()
        os.chdir(folder)
        try:
            parts = {"train": np.setdiff1d(np.arange(len(frames)), chosen), "test": chosen}
            for part, index in parts.items():
                ase.io.write(f"{part}.xyz", [frames[i] for i in index])
            made = options(target, asked.epochs, asked.seed)
            report = train(made, progress=False).reports["test"]
        finally:
            os.chdir(before)
    per_atom = target.get("quantity") == "energy"
    name = "energy total" if per_atom else "mtt::x"
    found = next(row for row in report.rows if row.quantity == name)
    labels = np.array([frame.info[target["key"]] for frame in frames]) * MEV[target["unit"]]
    known = labels[parts["train"]].mean()
    scale = MEV[target["unit"]] if found.unit == "hartree" else 1.0
    return found.mae * scale, float(np.abs(labels[chosen] - known).mean())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(CASES), help="cases, by their names")
    parser.add_argument("--out", type=Path, help="folder for a result of each case")
    asked = parser.parse_args()
    path = data_file(FILE)
    if path is None:
        sys.exit(f"{FILE} is not in $MTT_DATA or ../shared/data")
    frames: list[Any] = ase.io.read(path, ":")
    order = np.random.default_rng(asked.seed).permutation(len(frames))
    print("| target | MAE | folds | of the mean | unit |\n|---|---|---|---|---|", flush=True)
    for name in asked.only:
        target, found, plain = CASES[name], [], []
        for fold in np.array_split(order, 5)[: asked.folds]:
            one, mean = errors(target, frames, fold, asked)
            found.append(one)
            plain.append(mean)
        unit = "meV" if target["unit"] == "hartree" else "D"
        each = ", ".join(f"{one:.3g}" for one in found)
        line = f"| {name} | {statistics.mean(found):.4g} | {each} | {statistics.mean(plain):.4g} |"
        print(f"{line} {unit} |", flush=True)
        if asked.out is not None:
            extra = {
                "MAE of folds": found,
                "MAE of the mean": plain,
                "unit": unit,
                "target": target,
            }
            slug = name.replace(", ", "-").replace(" ", "_")
            results.save(
                results.Result(
                    "qm9", "qm9", f"mtt-{slug}", asked.seed, torch.get_num_threads(), processor(),
                    epochs=asked.epochs, command=" ".join(sys.argv), extra=extra,
                ),
                asked.out,
            )  # fmt: skip


if __name__ == "__main__":
    main()
