"""Which training recipe learns most in a given time?

    python benchmarks/recipes.py [--minutes 10] [--jobs 2] [--only NAME]... [--save JSON]

Each recipe lays some training options over the platform's defaults, for soap_bpnn on the data of
``setting.py`` (the last 10 % of the file are validation, ``test_300K.xyz`` beside it is the test
set, where there is one). All get the same time: minutes of ONE core. Short runs, one after the
other, tell how long an epoch of each recipe takes (the median, by the processor's clock: keep the
machine quiet so long); ``num_epochs`` follows, so that every schedule ends when the time does.
What the machine does during the real runs changes nothing any more. Only epochs are counted
(training and validation), not start, export and evaluation.

Errors are those of the exported file.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median
from typing import Any

import setting

TRIAL_EPOCHS = 9

RECIPES: dict[str, dict[str, Any]] = {
    "defaults": {},
    "ema": {"ema": True},
    "lr 3e-3, ema": {"learning_rate": 3e-3, "ema": True},
    "batch 5, lr 2e-3, ema": {"batch_size": 5, "learning_rate": 2e-3, "ema": True},
    "huber, lr 2e-3, ema": {
        "learning_rate": 2e-3,
        "ema": True,
        "loss": {
            "energy": {"type": "huber", "delta": 0.1, "forces": {"type": "huber", "delta": 0.1}}
        },
    },
    "config, lr 2e-3, ema": {
        "learning_rate": 2e-3,
        "ema": True,
        "gradient_combination": "config",
    },
    "amsgrad 1e-2, batch 5, ema": {
        "optimizer": "amsgrad",
        "learning_rate": 1e-2,
        "batch_size": 5,
        "ema": True,
        "grad_clip_norm": 10.0,
    },
    "two stages, energy weight 1 to 30, ema": {
        "learning_rate": 2e-3,
        "ema": True,
        "stages": [
            {"name": "forces", "share": 0.7},
            {
                "name": "energies",
                "share": 0.3,
                "from": "best",
                "learning_rate": 5e-4,
                "loss": {"energy": {"weight": 30.0, "forces": {"weight": 1.0}}},
            },
        ],
    },
}


def with_epochs(recipe: dict[str, Any], n_epochs: int) -> dict[str, Any]:
    """The options of ``recipe`` for so many epochs."""
    training = {**recipe, "num_epochs": n_epochs, "checkpoint_interval": 1000}
    if "stages" in recipe:
        training["stages"] = [
            {
                **{key: value for key, value in stage.items() if key != "share"},
                "num_epochs": max(1, round(stage["share"] * n_epochs)),
            }
            for stage in recipe["stages"]
        ]
    return training


def child(name: str, n_epochs: int, folder: Path) -> None:
    """Train in this process; write what came out to ``result.json``."""
    import mtt

    path, _ = setting.structures()
    options = setting.options(path, {})
    options["architecture"]["training"].update(with_epochs(RECIPES[name], n_epochs))
    clock: list[float] = []

    def listener(category: str, values: Any, epoch: int) -> None:
        if category in ("run_start", "epoch"):
            clock.append(time.process_time())

    os.chdir(folder)
    mtt.train(options, output="model.pt", listeners=[listener])
    epochs = [end - start for start, end in pairwise(clock)]
    result = {"epoch": median(epochs), "epochs": n_epochs}
    test = path.with_name("test_300K.xyz")
    sets = {"validation": options["validation_set"]}
    if test.is_file():
        whole = {key: value for key, value in sets["validation"].items() if key != "indices"}
        sets["test"] = {**whole, "systems": {**whole["systems"], "read_from": str(test)}}
    for part, data in sets.items():
        (found,) = mtt.evaluate("model.pt", data, batch_size=10)
        rows = {row.quantity: row for row in found.report.rows}
        result[part] = [rows["energy total"].rmse, rows["forces"].rmse]
    Path("result.json").write_text(json.dumps(result), encoding="utf-8")


def run(name: str, n_epochs: int, folder: Path) -> dict[str, Any]:
    """``child`` in a process of its own, on one thread."""
    folder.mkdir()
    command = [sys.executable, __file__, "--child", name, "--epochs", str(n_epochs)]
    done = subprocess.run(
        [*command, "--folder", str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        text=True,
        check=False,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if done.returncode:
        raise SystemExit(f"{name} failed\n{done.stdout}")
    result: dict[str, Any] = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    return result


def measure(name: str, epoch: float, minutes: float, scratch: Path) -> dict[str, Any]:
    """The run that takes the time.

    :param epoch: seconds that an epoch takes on a quiet machine.
    """
    n_epochs = max(TRIAL_EPOCHS, int(60 * minutes / epoch))
    result = {**run(name, n_epochs, scratch / f"{list(RECIPES).index(name)}"), "epoch": epoch}
    print(line(name, result), flush=True)
    return result


def line(name: str, result: dict[str, Any]) -> str:
    cells = [f"{value:8.2f}" for part in ("validation", "test") for value in result.get(part, [])]
    return f"{name:40s} {result['epochs']:6d} {result['epoch']:9.3f} {' '.join(cells)}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, default=2, help="recipes at a time")
    parser.add_argument("--only", action="append", choices=list(RECIPES))
    parser.add_argument("--save", type=Path, metavar="JSON")
    parser.add_argument("--child", choices=list(RECIPES), help=argparse.SUPPRESS)
    parser.add_argument("--epochs", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.child:
        child(given.child, given.epochs, given.folder)
        return
    _, data = setting.structures()
    print(f"{setting.machine()}\n{data}, {given.minutes:g} minutes of one core each")
    print(
        f"{'':40s} epochs   s/epoch  validation E, F RMSE   test E, F RMSE   (meV, meV/Å)",
        flush=True,
    )
    names = given.only or list(RECIPES)
    with tempfile.TemporaryDirectory() as scratch, ThreadPoolExecutor(given.jobs) as pool:
        trials = {name: run(name, TRIAL_EPOCHS, Path(scratch, f"trial {name}")) for name in names}
        futures = [
            pool.submit(measure, name, trials[name]["epoch"], given.minutes, Path(scratch))
            for name in names
        ]
        results = {name: each.result() for name, each in zip(names, futures, strict=True)}
    if given.save is not None:
        given.save.write_text(json.dumps(results, indent=2), encoding="utf-8")
    print("\nby the test set, or the validation set without one:")
    for name in sorted(names, key=lambda n: results[n].get("test", results[n]["validation"])[1]):
        print(line(name, results[name]))


if __name__ == "__main__":
    main()
