"""What does the charge as an input add? Energies and forces of molecules at three charges.

    python benchmarks/accuracy/ions.py --environment tblite=/path --out results

GFN2-xTB labels every geometry with the charges 0, 1 and -1 (multiplicities 1, 2 and 2): 40 frames
of ethanol train, 10 choose the best epoch and 50 are the test, each at three charges; of the
molecules of QM9, which have up to nine atoms that are not hydrogen, 70, 10 and 20. Geometries are
not shared between the sets. Models learn with the input ``charge`` and without it. The last trivial
predictor is linear in the composition, the charge and its square.
"""

from __future__ import annotations

import ase
import ase.io
import making
import numpy as np
import target_table
import targets
from target_arguments import Given, parsed

TABLE = "ions"
EPOCHS = 30
SIZES = {"ethanol": (40, 10, 50), "molecules": (70, 10, 20)}
MODELS = {"density_messages": {"inputs": ["charge"]}, "pet": {"inputs": ["charge"]}}
CHARGE = {"charge": {"key": "charge"}}
ENERGY = {"energy": {"key": "energy", "unit": "eV", "forces": {"key": "forces"}}}
NOTES = (
    "Root mean square errors on the test set: energies of whole molecules, components of forces. "
    "*Of the mean* is the error of one energy for all structures. *Linear in composition* is that "
    "of a fit to the numbers of atoms, the charge and its square."
)


def frames(given: Given, data: str) -> dict[str, list[ase.Atoms]]:
    """Of training, validation and test, each geometry at three charges."""
    folder = making.made(making.IONS, given.made, given.environments)
    found: list[ase.Atoms] = ase.io.read(folder / f"{data}.xyz", ":")
    numbers = np.random.default_rng(1).permutation(
        sorted({one.info["geometry"] for one in found})
    )  # fmt: skip
    n, m, k = SIZES[data]
    cuts = (numbers[:n], numbers[n : n + m], numbers[n + m : n + m + k])
    return {
        part: [one for one in found if one.info["geometry"] in set(chosen.tolist())]
        for part, chosen in zip(targets.PARTS, cuts, strict=True)
    }


def rows(task: targets.Task, errors: dict[str, float]) -> list[dict[str, object]]:
    """Lines of the table."""
    forces = np.concatenate([one.get_forces() for one in task.frames["test"]])
    return [
        target_table.row(
            "energy", 1e3 * errors["energy total RMSE"], "meV", digits=0,
            mean=1e3 * targets.rms(targets.off_the_mean(task, "energy")),
            composition=1e3 * targets.rms(targets.off_the_composition(task, "energy", "charge")),
        ),
        target_table.row(
            "forces", 1e3 * errors["forces RMSE"], "meV/Å", digits=0, mean=1e3 * targets.rms(forces)
        ),
    ]  # fmt: skip


def main() -> None:
    cases = [f"{data}:{name}:{how}" for data in SIZES for name in MODELS for how in ("with", "no")]
    given = parsed(__doc__ or "", cases)
    for case in [] if given.render else given.only:
        data, name, how = case.split(":")
        task = targets.Task(frames(given, data), ENERGY, CHARGE if how == "with" else {})
        for seed in given.seeds:
            own = MODELS[name] if how == "with" else {}
            asked = targets.Asked(name, given.epochs or EPOCHS, seed, own)
            outcome = targets.trained(task, asked)
            title = f"{name}-{'charge' if how == 'with' else 'geometry'}"
            given.keep(
                targets.saved(TABLE, data, task, asked, outcome, rows(task, outcome.errors), title)
            )
    print(target_table.write(TABLE, "Charged molecules", given.out, NOTES))


if __name__ == "__main__":
    main()
