"""What do labels of derivatives add? Dipoles of ethanol, trained with and without Born charges.

    python benchmarks/accuracy/born.py --environment tblite=/path --out results

Twenty frames of ethanol (--frames) train on dipoles alone, and on dipoles and their derivatives by
the positions (Born charges, or atomic polar tensors, by GFN2-xTB in finite fields), in float64 and
in the same number of steps. Always 20 frames choose the best epoch, and 20 others are the test.
Derivatives of each exported file are compared with central differences of its dipoles. The trivial
predictors are no dipole, and for Born charges the mean tensor of each element.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import ase
import numpy as np
import target_table
import targets
import tensors
from equivariance import differing
from target_arguments import parsed

from mtt.data import Dataset
from mtt.data.info import DatasetInfo, TargetInfo
from mtt.evaluation import evaluate
from mtt.exporting import load_exported

TABLE = "born"
NAME = "mtt::dipole"
STEPS = 300
BATCH = 5
SIZES = (20,)
PLAIN: dict[str, Any] = tensors.TARGETS[NAME]
WITH = {**PLAIN, "gradients": {"positions": {"key": "born_charges"}}}
NOTES = (
    "Root mean square errors of the components on 20 frames. `difference` of a run is the largest "
    "one between derivatives of its exported file and central differences of its dipoles, relative "
    "to the largest derivative. Models trained on dipoles alone have Born charges, too: the "
    "derivatives of their predictions."
)


def check(test: list[ase.Atoms]) -> Any:
    """A function of an exported file: its errors, and how good its derivatives are."""

    def checked(path: Path) -> dict[str, float | None]:
        model = load_exported(path)
        report = evaluate(model, Dataset.from_atoms(test, {NAME: WITH}))
        info = TargetInfo(kind='cartesian {"rank": 1}', unit="e*Å", gradients=("positions",))
        data = DatasetInfo("angstrom", (1, 6, 8), {NAME: info})
        frames = [ase.Atoms(one.symbols, one.positions) for one in test[:5]]
        found = differing(model, data, frames).relative()  # nothing, of a model without labels
        return {**report.errors, "difference": found.get(NAME)}

    return checked


def trivial(train: list[ase.Atoms], test: list[ase.Atoms]) -> tuple[float, float]:
    """Errors of no dipole, and of the mean Born charges of each element."""
    dipoles = np.array([one.info["dipole"] for one in test])
    numbers, born = (
        np.concatenate([one.arrays[name] for one in train]) for name in ("numbers", "born_charges")
    )
    means = {z: born[numbers == z].mean(axis=0) for z in np.unique(numbers)}
    rest = [one.arrays["born_charges"] - [means[z] for z in one.numbers] for one in test]
    return targets.rms(dipoles), targets.rms(np.concatenate(rest))


def main() -> None:
    cases = {"dipoles": PLAIN, "dipoles-and-born-charges": WITH}
    given = parsed(__doc__ or "", list(cases), frames=SIZES)
    whole = {} if given.render else tensors.parts(tensors.frames(given))
    for n in [] if given.render else given.frames:
        frames = {**whole, "train": whole["train"][:: len(whole["train"]) // n][:n]}
        plain, plain_born = trivial(frames["train"], frames["test"])
        for seed in given.seeds:
            for case in given.only:
                task = targets.Task(frames, {NAME: cases[case]})
                epochs = given.epochs or STEPS * BATCH // n
                asked = targets.Asked(
                    "density_messages", epochs, seed, batch_size=BATCH, precision=64
                )
                outcome = targets.trained(task, asked, check(frames["test"]))
                errors = outcome.found
                rows = [
                    target_table.row("dipole", errors[f"{NAME} RMSE"], "e Å", mean=plain, digits=4),
                    target_table.row(
                        "Born charges", errors[f"{NAME} gradient RMSE"], "e", mean=plain_born,
                        digits=4,
                    ),
                ]  # fmt: skip
                result = targets.saved(
                    TABLE, f"ethanol, {n} frames", task, asked, outcome, rows, case
                )
                result.extra["difference"] = errors["difference"]
                given.keep(replace(result, data=f"ethanol-{n}"))
    print(target_table.write(TABLE, "Born charges of ethanol", given.out, NOTES))


if __name__ == "__main__":
    main()
