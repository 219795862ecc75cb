"""Predict files of structures: ``predict.py KIND MODEL FRAMES OUT [FRAMES OUT ...]``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import ase.io
import numpy as np
from ase.calculators.calculator import Calculator
from ase.stress import voigt_6_to_full_3x3_stress
from calculators import KINDS, n_parameters


def main(kind: str, model: str, *files: str) -> None:
    """Write energies, forces and stresses to OUT (npz) and print what the model is (JSON)."""
    calculator = KINDS[kind](model)
    for frames, out in zip(files[::2], files[1::2], strict=True):
        predict(calculator, frames, out)
    print(json.dumps({"parameters": n_parameters(calculator)}))


def predict(calculator: Calculator, frames: str, out: str) -> None:
    """Of the structures of a file."""
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


if __name__ == "__main__":
    main(*sys.argv[1:])
