"""How accurate is soap_bpnn after ten minutes?

    python benchmarks/accuracy.py [--minutes 10] [--options FILE] [-r KEY=VALUE]...

``mtt train`` on the data of ``setting.py`` (the last 10 % of the file are validation): a short
run tells how long an epoch takes, then ``num_epochs`` is chosen so that the whole command, with
export and evaluation, and the learning rate's way to zero end within the minutes. The errors
are those of the exported file on the validation structures.

FILE holds options that are laid over the benchmark's own, of the architecture as a rule; its
data sections do not count.

The peers' figures are of acac too, 450 training structures, nominally ten minutes (507 to 676 s)
on two cores (AMD EPYC virtual machine, no GPU; PyPI's releases of November 2026, one seed,
options near the defaults).
Theirs are errors on 650 test structures at 300 K, of another draw of the training set; on their
50 validation structures the force RMSE of metatrain was 34.9 and of TensorNet 28.4 meV/Å. Ours
are errors on 50 validation structures, by which also the best epoch is chosen: a little lower
than errors on a test set would be. Processors of the same kind differ by 25 % from day to day.
"""

from __future__ import annotations

import argparse
import csv
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import setting
import yaml

from mtt import evaluate

TRIAL_EPOCHS, WARM_UP = 12, 3
SLOWER = 1.05  # an epoch of a long run, by one of a short run
DATA = ("training_set", "validation_set", "test_set")


class Errors(NamedTuple):
    """meV, meV per atom, meV/Å; None: not reported."""

    energy_rmse: float | None
    energy_mae: float | None
    per_atom_mae: float | None
    forces_rmse: float
    forces_mae: float


# test set at 300 K, after ten minutes
PEERS = {
    "graph-pes 1.0.2, TensorNet": Errors(None, 8.5, 0.57, 31.5, 22.1),
    "metatrain 2026.4.1, soap_bpnn": Errors(8.2, 5.9, 0.39, 48.1, 27.6),
    "mace-torch 0.3.16, 64x0e": Errors(None, 10.5, 0.70, 44.6, 31.7),
    "nequip 0.19.1, 3 layers": Errors(None, 11.0, 0.74, 50.6, 36.5),
    "metatrain 2026.4.1, PET small": Errors(None, 38.0, 2.54, 135.0, 99.4),
}


class Run(NamedTuple):
    """One ``mtt train``."""

    folder: Path
    seconds: float  # the whole command
    epochs: list[float]  # seconds of each

    @property
    def outside(self) -> float:
        """Seconds that are not epochs: start, data, export, evaluation."""
        return self.seconds - sum(self.epochs)


def train(options: Path, folder: Path, n_epochs: int, overrides: list[str], quiet: bool) -> Run:
    """Run the command in the new ``folder``."""
    folder.mkdir()
    changes = [*overrides, f"architecture.training.num_epochs={n_epochs}"]
    command = [sys.executable, "-m", "mtt", "train", str(options)]
    for change in changes:
        command += ["-r", change]
    start = time.perf_counter()
    done = subprocess.run(
        command, cwd=folder, text=True, check=False,
        stdout=subprocess.PIPE if quiet else None, stderr=subprocess.STDOUT if quiet else None,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed\n{done.stdout or ''}")
    (history,) = folder.glob("outputs/*/*/history.jsonl")
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    return Run(folder, seconds, [row["seconds"] for row in rows])


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """``above`` laid over ``below``, section by section."""
    result = dict(below)
    for key, value in above.items():
        inner = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if inner else value
    return result


def validate(run: Run, validation: Mapping[str, Any]) -> tuple[Errors, float]:
    """Errors of the exported file, and the energy's RMSE per atom."""
    model = run.folder / "model.pt"
    (found,) = evaluate(model, validation, batch_size=setting.BATCH_SIZE)
    rows = {row.quantity: row for row in found.report.rows}
    energy, total, forces = rows["energy"], rows["energy total"], rows["forces"]
    errors = Errors(total.rmse, total.mae, energy.mae, forces.rmse, forces.mae)
    return errors, energy.rmse


def show(errors: Errors, per_atom_rmse: float, run: Run, n_training: int, peers: bool) -> None:
    """The table."""
    epoch = statistics.median(run.epochs)
    print(f"\n{len(run.epochs)} epochs of {epoch:.3f} s (median; training and validation), "
          f"{n_training / epoch:.0f} training structures/s; "
          f"{run.seconds:.0f} s in all, {run.outside:.0f} s of them not in epochs")  # fmt: skip
    print(f"validation energy RMSE {errors.energy_rmse:.2f} meV = {per_atom_rmse:.3f} meV/atom, "
          f"force RMSE {errors.forces_rmse:.1f}, MAE {errors.forces_mae:.1f} meV/Å\n")  # fmt: skip
    print(f"{'':30s} {'E RMSE':>8s} {'E MAE':>8s} {'E MAE/atom':>11s} {'F RMSE':>8s} "
          f"{'F MAE':>8s}   meV, meV/Å")  # fmt: skip
    table = {"mtt, soap_bpnn (validation)": errors} | (PEERS if peers else {})
    for name, row in table.items():
        cells = ["-" if value is None else f"{value:.2f}" for value in row]
        print(f"{name:30s} {cells[0]:>8s} {cells[1]:>8s} {cells[2]:>11s} {cells[3]:>8s} "
              f"{cells[4]:>8s}")  # fmt: skip
    if peers:
        print("peers: test set at 300 K, ten minutes on 2 cores, see the head of this script")


def save_epochs(run: Run, path: Path) -> None:
    """Wall time since the start and the validation errors of every epoch, as CSV."""
    (history,) = run.folder.glob("outputs/*/*/history.jsonl")
    rows = [json.loads(line) for line in history.read_text().splitlines()]
    names = [name for name in rows[0] if name.startswith("validation ")]
    wall = 0.0
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["epoch", "seconds", *names])
        for row in rows:
            wall += row["seconds"]
            table.writerow([row["epoch"], f"{wall:.2f}", *[row[name] for name in names]])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--options", type=Path, help="options to lay over the benchmark's")
    parser.add_argument("-r", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--save", type=Path, metavar="CSV", help="errors of every epoch")
    given = parser.parse_args()
    path, name = setting.structures()
    print(f"{setting.machine()}\n{name}, {given.minutes:g} minutes", flush=True)
    options = setting.options(path, {})
    if given.options is not None:
        above = yaml.safe_load(given.options.read_text(encoding="utf-8"))
        options = merged(options, {k: v for k, v in above.items() if k not in DATA})
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "options.yaml"
        file.write_text(yaml.safe_dump(options), encoding="utf-8")
        trial = train(file, Path(scratch) / "trial", TRIAL_EPOCHS, given.overrides, quiet=True)
        epoch = statistics.median(trial.epochs[WARM_UP:]) * SLOWER
        n_epochs = int((60 * given.minutes - trial.outside) / epoch)
        print(f"{epoch / SLOWER:.3f} s per epoch, {trial.outside:.0f} s besides: "
              f"{n_epochs} epochs", flush=True)  # fmt: skip
        if n_epochs < 1:
            raise SystemExit("that is too short")
        run = train(file, Path(scratch) / "run", n_epochs, given.overrides, quiet=False)
        if given.save is not None:
            save_epochs(run, given.save)
        errors, per_atom_rmse = validate(run, options["validation_set"])
    show(
        errors,
        per_atom_rmse,
        run,
        len(options["training_set"]["indices"]),
        path.parent.name == "acac",
    )


if __name__ == "__main__":
    main()
