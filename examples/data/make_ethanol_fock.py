"""Fock matrices of ethanol: ``ethanol_fock.xyz``, ``ethanol_fock_pairs.mts``, ``.._atoms.mts``.

PySCF (``pip install pyscf``) computes those of the first 40 structures of ``ethanol_dipoles.xyz``
by restricted Hartree-Fock in the minimal basis STO-3G, in eV. A carbon or oxygen atom has two s
functions and one set of p functions, a hydrogen atom one s function. The matrix is symmetric, so
the files hold each pair of atoms once.

    python examples/data/make_ethanol_fock.py
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import ase.io
import ase.units
import metatensor.torch as mts
import numpy as np
import torch
from metatensor.torch import Labels, TensorBlock, TensorMap
from pyscf import gto, scf

HERE = Path(__file__).parent
N_STRUCTURES = 40
L = {"s": 0, "p": 1, "d": 2}
M = {"": 0, "y": -1, "z": 0, "x": 1}  # l = 1 is y, z, x
PAIR = ["first_atom", "second_atom", "cell_shift_a", "cell_shift_b", "cell_shift_c"]


def fock_matrix(atoms: ase.Atoms) -> tuple[np.ndarray, list[dict[int, list[list[int]]]]]:
    """The matrix in eV; for each atom and l, the rows of every channel, m = -l … l."""
    geometry = list(zip(atoms.symbols, atoms.positions, strict=True))
    molecule = gto.M(atom=geometry, basis="sto-3g", verbose=0)
    solved = scf.RHF(molecule).run(conv_tol=1e-11)
    assert solved.converged
    found: list[dict[int, dict[int, dict[int, int]]]] = [
        defaultdict(lambda: defaultdict(dict)) for _ in atoms
    ]
    for row, (atom, _, shell, axis) in enumerate(molecule.ao_labels(fmt=None)):
        found[atom][L[shell[-1]]][int(shell[:-1])][M[axis]] = row
    places = [
        {
            l: [[rows[m] for m in sorted(rows)] for _, rows in sorted(shells.items())]
            for l, shells in sorted(one.items())
        }
        for one in found
    ]
    return solved.get_fock() * ase.units.Hartree, places


def main() -> None:
    structures = ase.io.read(HERE / "ethanol_dipoles.xyz", index=f":{N_STRUCTURES}")
    for atoms in structures:
        atoms.info.clear()
        atoms.calc = None
    ase.io.write(HERE / "ethanol_fock.xyz", structures)
    blocks: dict[str, dict[tuple[int, ...], list[tuple[list[int], np.ndarray]]]] = {
        "pairs": defaultdict(list),
        "atoms": defaultdict(list),
    }
    for number, atoms in enumerate(structures):
        matrix, places = fock_matrix(atoms)
        z = atoms.numbers
        for i in range(len(atoms)):
            for j in range(i, len(atoms)):
                for l1, first in places[i].items():
                    for l2, second in places[j].items():
                        part = matrix[np.ix_(np.ravel(first), np.ravel(second))]
                        shape = len(first), 2 * l1 + 1, len(second), 2 * l2 + 1
                        values = part.reshape(shape).transpose(1, 3, 0, 2)
                        if i == j:
                            key, sample = (l1, l2, 1, 1, z[i]), [number, i]
                        else:
                            key, sample = (l1, l2, 1, 1, z[i], z[j]), [number, i, j, 0, 0, 0]
                        blocks["atoms" if i == j else "pairs"][key].append((sample, values))
    names = {"pairs": ["system", *PAIR], "atoms": ["system", "atom"]}
    types = {"pairs": ["first_atom_type", "second_atom_type"], "atoms": ["atom_type"]}
    for kind, found in blocks.items():
        made = [block_of(key, rows, names[kind]) for key, rows in sorted(found.items())]
        keys = ["o3_lambda_1", "o3_lambda_2", "o3_sigma_1", "o3_sigma_2", *types[kind]]
        values = torch.tensor([[int(one) for one in key] for key in sorted(found)])
        mts.save(str(HERE / f"ethanol_fock_{kind}.mts"), TensorMap(Labels(keys, values), made))


def block_of(
    key: tuple[int, ...], rows: list[tuple[list[int], np.ndarray]], names: list[str]
) -> TensorBlock:
    """All samples of one key, [n, 2 l1 + 1, 2 l2 + 1, n1 n2]."""
    values = np.stack([one for _, one in rows])
    n1, n2 = values.shape[-2:]
    axes = [
        Labels(f"o3_mu_{i + 1}", torch.arange(-l, l + 1)[:, None]) for i, l in enumerate(key[:2])
    ]
    channels = torch.tensor([[a, b] for a in range(n1) for b in range(n2)])
    return TensorBlock(
        torch.from_numpy(values.reshape(*values.shape[:3], n1 * n2)),
        Labels(names, torch.tensor([sample for sample, _ in rows])),
        axes,
        Labels(["n_1", "n_2"], channels),
    )


if __name__ == "__main__":
    main()
