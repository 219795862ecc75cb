"""Predict a file of structures: ``predict.py KIND MODEL FRAMES OUT``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase.stress import voigt_6_to_full_3x3_stress
from calculators import KINDS, n_parameters


def main(kind: str, model: str, frames: str, out: str) -> None:
    """Write energies, forces and stresses to OUT (npz) and print what the model is (JSON)."""
    calculator = KINDS[kind](model)
    energies, forces, stresses = [], [], []
    structures = ase.io.read(frames, ":")
    for atoms in structures:
        wanted = ["energy", "forces"] + (["stress"] if atoms.pbc.all() else [])
        bare = atoms.copy()  # without the labels
        calculator.calculate(bare, wanted, ["positions", "numbers", "cell", "pbc"])
        found = calculator.results
        energies.append(float(found["energy"]))
        forces.append(np.array(found["forces"], dtype=np.float64))
        stress = found.get("stress") if atoms.pbc.all() else None
        full = np.full((3, 3), np.nan) if stress is None else voigt_6_to_full_3x3_stress(stress)
        stresses.append(full)
    np.savez(
        Path(out),
        energies=np.array(energies, dtype=np.float64),
        forces=np.concatenate(forces),
        n_atoms=np.array([len(atoms) for atoms in structures]),
        stress=np.stack(stresses).astype(np.float64),
    )
    print(json.dumps({"parameters": n_parameters(calculator)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
