"""Dipole moments, gaps and internal energies of a hundred small molecules.

    python benchmarks/accuracy/qm9.py --out results
    python benchmarks/accuracy/qm9.py --only density_messages aggregations --epochs 40 --out results

The molecules of QM9 in ``qm9/qm9_reduced_100.xyz`` (``mu`` in debye, ``epsgap`` and ``U0`` in
hartree) are shared out into folds; each fold is the test set of a training on the others, of which
a tenth chooses the best epoch, so that every molecule is tested once. A training has three targets:
``U0`` is an energy, ``mu`` and the gap are scalars with learned weights of the atoms. The case
``aggregations`` learns ``mu`` and the gap in each way to make a number of a molecule from those
of its atoms, in one training of ``density_messages``.
"""

from __future__ import annotations

from typing import Any

import ase
import ase.io
import making
import numpy as np
import target_table
import targets
from target_arguments import parsed

TABLE = "qm9"
FILE = "qm9/qm9_reduced_100.xyz"
FOLDS = 5
EPOCHS = 30
HARTREE = 27211.386  # meV
SCALARS = {"mu": ("mu", "debye"), "gap": ("epsgap", "hartree")}
U0 = {"key": "U0", "quantity": "energy", "unit": "hartree", "forces": False}


def scalar(name: str, aggregation: str) -> dict[str, Any]:
    """A scalar of the molecule, as in the options."""
    key, unit = SCALARS[name]
    return {"key": key, "unit": unit, "aggregation": aggregation}


PROPERTIES = {"energy": U0, **{f"mtt::{name}": scalar(name, "learned") for name in SCALARS}}
CASES = {
    **dict.fromkeys(targets.MODELS, PROPERTIES),
    "aggregations": {
        f"mtt::{name}_{one}": scalar(name, one)
        for name in SCALARS
        for one in ("sum", "mean", "max", "learned")
    },
}
NOTES = (
    "Mean absolute errors. Each molecule is tested once. Errors of U0 are per molecule. The "
    "trivial predictors are the mean of the training set and the best linear function of the "
    "numbers of atoms."
)


def folds(frames: list[ase.Atoms], seed: int) -> list[dict[str, list[ase.Atoms]]]:
    """Training, validation and test of each fold."""
    parts = np.array_split(np.random.default_rng(seed).permutation(len(frames)), FOLDS)
    found = []
    for i, test in enumerate(parts):
        rest = np.concatenate([one for k, one in enumerate(parts) if k != i])
        chosen = (rest[len(rest) // 10 :], rest[: len(rest) // 10], test)
        named = zip(targets.PARTS, chosen, strict=True)
        found.append({part: [frames[j] for j in index] for part, index in named})
    return found


def errors(task: targets.Task, found: dict[str, float]) -> dict[str, tuple[float, float, float]]:
    """Of a fold: of the model, the mean and the composition, by the target."""
    rows = {}
    for name, target in task.targets.items():
        scale = HARTREE if target["unit"] == "hartree" else 1.0
        own = found["energy total MAE" if name == "energy" else f"{name} MAE"]
        plain = [
            np.abs(one(task, target["key"])).mean()
            for one in (targets.off_the_mean, targets.off_the_composition)
        ]
        rows[name] = (scale * own, *(float(scale * one) for one in plain))
    return rows


def main() -> None:
    given = parsed(__doc__ or "", list(CASES), folds=FOLDS)
    frames: list[ase.Atoms] = [] if given.render else ase.io.read(making.reference(FILE), ":")
    for case in [] if given.render else given.only:
        name = case if case in targets.MODELS else "density_messages"
        for seed in given.seeds:
            each, seconds = [], 0.0
            for parts in folds(frames, seed)[: given.folds]:
                task = targets.Task(parts, CASES[case])
                asked = targets.Asked(name, given.epochs or EPOCHS, seed)
                outcome = targets.fitted(task, asked)
                each.append(errors(task, outcome.errors))
                seconds += outcome.seconds
            rows = []
            for target, options in CASES[case].items():
                numbers = np.array([one[target] for one in each])
                own, mean, composition = numbers.mean(axis=0).tolist()
                unit = "meV" if options["unit"] == "hartree" else "D"
                title = target.removeprefix("mtt::").replace("_", ", ").replace("energy", "U0")
                rows.append(
                    target_table.row(
                        title, own, unit, mean=mean, composition=composition, measure="MAE",
                        digits=0 if unit == "meV" else 2,
                    )
                    | {"folds": numbers[:, 0].round(4).tolist()}
                )  # fmt: skip
            result = targets.saved(TABLE, "qm9", task, asked, outcome, rows)
            result.extra["cpu_seconds"] = round(seconds, 1)
            if case == "aggregations":
                result.model_name = "density_messages-eight-targets"
            given.keep(result)
    print(target_table.write(TABLE, "Properties of QM9", given.out, NOTES))


if __name__ == "__main__":
    main()
