"""Dipoles, polarizabilities and charges of ethanol: errors of each architecture.

    python benchmarks/accuracy/tensors.py --environment tblite=/path --out results

The 200 frames of ``examples/data/ethanol_dipoles.xyz`` with their charges by GFN2-xTB: 160 for
training and 20 each for validation and test, the same for all. Each training has three targets:
a vector and a symmetric tensor of the molecule, and a number of each atom. The trivial predictors
are no dipole, the mean isotropic polarizability, and the mean charge of each element.
"""

from __future__ import annotations

from pathlib import Path

import ase
import ase.io
import making
import numpy as np
import target_table
import targets
from target_arguments import Given, parsed

TABLE = "tensors"
DIPOLES = Path(__file__).resolve().parents[2] / "examples" / "data" / "ethanol_dipoles.xyz"
TARGETS = {
    "mtt::dipole": {"key": "dipole", "unit": "e*Å", "type": {"cartesian": {"rank": 1}}},
    "mtt::polarizability": {
        "key": "polarizability",
        "unit": "e²Å²/eV",
        "type": {"cartesian": {"rank": 2, "symmetric": True}},
    },
    "mtt::charge": {"key": "mulliken", "unit": "e", "sample_kind": "atom"},
}
EPOCHS = {"density_messages": 100, "soap_bpnn": 100, "pet": 100}
NOTES = (
    "Root mean square errors of the test set over all components. *Of the mean* is the error of "
    "a dipole of zero, of the mean isotropic polarizability, and of the mean charge of each "
    "element."
)


def frames(given: Given) -> list[ase.Atoms]:
    """Of ethanol, with dipoles, polarizabilities, charges and Born charges."""
    folder = making.made(making.RESPONSES, given.made, given.environments)
    found: list[ase.Atoms] = ase.io.read(folder / "responses.xyz", ":")
    return [relabelled(one) for one in found]


def relabelled(atoms: ase.Atoms) -> ase.Atoms:
    """With the dipole among its ``info``, not in a calculator."""
    if atoms.calc is not None:
        atoms.info["dipole"] = atoms.calc.results["dipole"]
        atoms.calc = None
    return atoms


def parts(found: list[ase.Atoms], seed: int = 1, n: int = 20) -> dict[str, list[ase.Atoms]]:
    """Of ``n`` frames for test and for validation, and the others."""
    order = np.random.default_rng(seed).permutation(len(found))
    cuts = dict(zip(targets.PARTS, (order[2 * n :], order[n : 2 * n], order[:n]), strict=True))
    return {part: [found[i] for i in sorted(chosen)] for part, chosen in cuts.items()}


def trivial(task: targets.Task) -> dict[str, float]:
    """Errors of the trivial predictors of each target."""
    train, test = task.frames["train"], task.frames["test"]
    alphas = [np.array([np.reshape(one.info["polarizability"], (3, 3)) for one in part])
              for part in (train, test)]  # fmt: skip
    isotropic = np.trace(alphas[0], axis1=1, axis2=2).mean() / 3
    numbers, charges = (
        np.concatenate([one.arrays[name] for one in train]) for name in ("numbers", "mulliken")
    )
    means = {z: charges[numbers == z].mean() for z in np.unique(numbers)}
    rest = [one.arrays["mulliken"] - [means[z] for z in one.numbers] for one in test]
    return {
        "mtt::dipole": targets.rms(np.array([one.info["dipole"] for one in test])),
        "mtt::polarizability": targets.rms(alphas[1] - isotropic * np.eye(3)),
        "mtt::charge": targets.rms(np.concatenate(rest)),
    }


def main() -> None:
    given = parsed(__doc__ or "", list(EPOCHS))
    if not given.render:
        task = targets.Task(parts(frames(given)), TARGETS)
        plain = trivial(task)
        for name in given.only:
            for seed in given.seeds:
                asked = targets.Asked(name, given.epochs or EPOCHS[name], seed)
                outcome = targets.trained(task, asked)
                rows = [
                    target_table.row(
                        one.removeprefix("mtt::"), outcome.errors[f"{one} RMSE"],
                        str(target["unit"]), mean=plain[one], digits=5,
                    )
                    for one, target in TARGETS.items()
                ]  # fmt: skip
                given.keep(targets.saved(TABLE, "ethanol", task, asked, outcome, rows))
    print(target_table.write(TABLE, "Tensors of ethanol", given.out, NOTES))


if __name__ == "__main__":
    main()
