"""Dipoles and polarizabilities of ethanol: errors of each architecture after the same time.

    python benchmarks/accuracy/tensors.py --seconds 60
    python benchmarks/accuracy/tensors.py --only soap_bpnn pet --seeds 1 2 3 --out tensors.md

The data, 160 structures for training and 20 each for validation and test, are those of
examples/dipole. A first training of few epochs gives the seconds of an epoch, and with them the
number of epochs of the second; baselines, export and evaluation are not part of the time.
Errors are RMSEs of components on the test set, in e Å and in e² Å² / eV; beside them is the
spread of the labels, the RMSE of a model without the network.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import yaml

from mtt import train

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "examples" / "data" / "ethanol_dipoles.xyz"
TARGETS = ("mtt::dipole", "mtt::polarizability")
MODELS: dict[str, dict[str, Any]] = {
    "density_messages": {},  # as in the example
    "soap_bpnn": {"soap": {"max_angular": 4, "max_radial": 5, "cutoff": {"radius": 4.5}}},
    "pet": {"cutoff": 4.5, "d_pet": 32, "d_node": 64, "d_head": 32, "d_feedforward": 64},
}
FEW = (1, 5)  # epochs, of which the difference is timed


def options(name: str, seed: int, epochs: int) -> dict[str, Any]:
    """Those of the example, of another architecture, seed and length."""
    text = (ROOT / "examples" / "dipole" / "options.yaml").read_text(encoding="utf-8")
    found: dict[str, Any] = yaml.safe_load(text)
    own = found["architecture"]
    if name != own["name"]:
        own |= {"name": name, "model": MODELS[name]}
    training = {**own["training"], "num_epochs": epochs, "extended_metrics": False}
    training |= {"augmentation": "o3"} if name == "pet" else {}
    own["training"] = training
    found["training_set"]["systems"]["read_from"] = str(DATA)
    return {**found, "seed": seed}


@contextlib.contextmanager
def scratch() -> Iterator[None]:
    """A folder for the files of a training."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


def errors(name: str, seed: int, epochs: int) -> tuple[dict[str, float], float]:
    """RMSE of each target on the test set, and the seconds of the whole training."""
    begin = time.perf_counter()
    with scratch():
        reports = train(options(name, seed, epochs)).reports
    seconds = time.perf_counter() - begin
    return {row.quantity: float(row.rmse) for row in reports["test"].rows}, seconds


def epochs_in(name: str, seconds: float) -> int:
    """How many epochs take ``seconds``."""
    few, more = (errors(name, 1, n)[1] for n in FEW)
    return max(1, round(seconds * (FEW[1] - FEW[0]) / max(1e-3, more - few)))


def spreads() -> list[float]:
    """Of dipoles, and of polarizabilities without their mean isotropic part."""
    frames: Any = ase.io.read(DATA, ":")
    dipoles = np.array([atoms.info["dipole"] for atoms in frames])
    alphas = np.array([np.reshape(atoms.info["polarizability"], (3, 3)) for atoms in frames])
    mean = np.trace(alphas, axis1=1, axis2=2).mean() / 3
    return [float(np.sqrt((x**2).mean())) for x in (dipoles, alphas - mean * np.eye(3))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60.0, help="of each training")
    parser.add_argument("--only", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--out", type=Path, help="append the table to this file")
    given = parser.parse_args()
    rows = ["| model | seed | epochs | dipole, e Å | polarizability, e² Å² / eV |"]
    rows += ["|---|---|---|---|---|", "| no network | | | {:.4f} | {:.5f} |".format(*spreads())]
    for name in given.only:
        epochs = epochs_in(name, given.seconds)
        for seed in given.seeds:
            found, _ = errors(name, seed, epochs)
            dipole, polarizability = (found[target] for target in TARGETS)
            rows.append(f"| {name} | {seed} | {epochs} | {dipole:.4f} | {polarizability:.5f} |")
    table = "\n".join(rows) + "\n"
    print(table)
    if given.out is not None:
        with given.out.open("a", encoding="utf-8") as file:
            file.write(table)


if __name__ == "__main__":
    main()
