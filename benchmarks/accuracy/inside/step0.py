"""Weights of a package in mtt beside the package's own calculator: ``step0.py NAME FRAMES``.

Prints JSON: the largest differences of energies (eV) and forces (eV/Å) before any training.
"""

from __future__ import annotations

import json
import sys
import warnings

import ase.io
import numpy as np
import torch

from mtt import DatasetInfo, TargetInfo, registry
from mtt.nn import building
from mtt.testing import predictions


def main(name: str, file: str) -> None:
    """Compare on all frames of a file."""
    frames = ase.io.read(file, ":")
    types = tuple(sorted({int(z) for atoms in frames for z in atoms.numbers}))
    architecture = registry.find("experimental.sevennet").load()
    hypers = {**architecture.default_hypers["model"], "pretrained": name}
    info = DatasetInfo("angstrom", types, {"energy": TargetInfo.energy("eV", forces=True)})
    with building(1, torch.float32):
        model = architecture.model(hypers, info).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # after mtt: what is imported before metatensor changes what its operations compile to
        from sevenn.calculator import SevenNetCalculator

        calculator = SevenNetCalculator(name, device="cpu")
    energies, forces = [], []
    for atoms, found in zip(frames, predictions(model, frames, info=info), strict=True):
        bare = atoms.copy()
        bare.calc = calculator
        energies.append(abs(float(found["energy"].values) - bare.get_potential_energy()))
        forces.append(np.abs(found["energy"].forces.numpy() - bare.get_forces()).max())
    print(json.dumps({"energy, eV": max(energies), "forces, eV/Å": float(max(forces))}))


if __name__ == "__main__":
    main(*sys.argv[1:])
