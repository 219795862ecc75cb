"""A foundation model on few frames, zero-shot and fine-tuned, beside a new model.

    pip install 'mtt[sevennet]'
    python benchmarks/accuracy/foundation.py --minutes 1 10 --threads 1 --out results

SevenNet-0, fine-tuned by every method, and density_messages with random weights, on the same frames
in the same wall time (of the training command, as in the other tables). A fifth of the frames
chooses the best epoch; errors are those of other frames. Forgetting is the RMSE of a trained model
against the predictions of the untrained one on crystals of the same elements. Exported files are
scored in a process in which importing e3nn or sevenn is an error.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import arguments
import ase.io
import ours
import results
import table
import yaml
from arguments import Setting
from budget import limit
from environments import versions
from foundation_data import FEW, crystals, few
from measure import INSIDE, PREDICTION_LIMIT, Bench, line
from ours import Ours
from peers import Job, Program
from results import Result
from running import Failed, Finished, run, told
from systems import Data
from table import TRAINING, Column, Value, error

TABLE = "foundation"
WEIGHTS = "7net-0"
METHODS = ("full", "heads", "lora", "replay")
LEARNED, HELD = 40, 10  # crystals
STILL = 1e-30  # a learning rate that changes no weight
ZERO = 0.0  # minutes of a run without training
COMPARED = 5  # frames


class Tuned(Ours):
    """SevenNet-0 with a method of fine-tuning; without one only the baseline is fitted."""

    calculator = "metatomic_alone"

    def __init__(self, method: str | None) -> None:
        tuning: dict[str, Any] = {"method": method or "full"}
        training: dict[str, Any] = {"batch_size": 5, "finetune": tuning}
        if method is None:
            training |= {"learning_rate": STILL, "refit_baseline": False}
        model = {"pretrained": WEIGHTS}
        architecture = {"name": "experimental.sevennet", "model": model, "training": training}
        super().__init__(
            f"{WEIGHTS}-{method or 'zero-shot'}",
            {"base_precision": 32, "final_eval": False, "architecture": architecture},
        )
        self.name = self.name.removeprefix("mtt-")
        self.method = method

    def write(self, job: Job, python: Path) -> tuple[list[str], str]:
        command, text = super().write(job, python)
        if self.method is None:
            return command, text
        options = yaml.safe_load(text)
        replay: dict[str, Any] = {"data": str(job.data.train.parent / "crystals.xyz")}
        replay["number"] = HELD
        if self.method == "replay":
            replay |= {"number": LEARNED + HELD, "held": HELD / (LEARNED + HELD)}
        options["architecture"]["training"]["finetune"]["replay"] = replay
        text = yaml.safe_dump(options, sort_keys=False)
        (job.folder / "options.yaml").write_text(text, encoding="utf-8")
        return command, text

    def history(self, job: Job) -> dict[str, Any]:
        found = super().history(job)
        for path in job.folder.glob("outputs/*/*/forgetting.json"):
            found["forgotten"] = json.loads(path.read_text(encoding="utf-8"))["rmse"]
        return found

    def curve(self, job: Job, finished: Finished) -> list[list[float]]:
        return [] if self.method is None else super().curve(job, finished)


def programs() -> tuple[Ours, ...]:
    """The most important first."""
    (new,) = [one for one in ours.models() if one.name == "mtt-density_messages"]
    return (Tuned(None), Tuned("full"), new, *(Tuned(one) for one in METHODS[1:]))


def forgotten(what: str) -> Value:
    """RMSE on crystals after the training, of energies or of forces."""

    def value(result: Result) -> float | None:
        found = result.extra.get("forgotten", {})
        wanted = [
            one for name, one in found.items() if name.endswith(" forces") == (what == "forces")
        ]
        return wanted[0]["after"] if wanted else None

    return value


def before_training(what: str) -> Value:
    """Difference to the package's own calculator."""
    return lambda result: result.extra.get("step 0", {}).get(what)


COLUMNS = (
    Column("E RMSE, meV/atom", error("test", "energy_per_atom_rmse"), 2),
    Column("E MAE, meV/atom", error("test", "energy_per_atom_mae"), 2),
    Column("F RMSE, meV/Å", error("test", "forces_rmse"), 1),
    Column("F MAE, meV/Å", error("test", "forces_mae"), 1),
    Column("stress RMSE, meV/Å³", error("test", "stress_rmse"), 3),
    Column("training F RMSE", error("train", "forces_rmse"), 1),
    Column("forgotten E, meV/atom", forgotten("energy"), 1),
    Column("forgotten F, meV/Å", forgotten("forces"), 0),
    Column("step 0 − package: E, eV", before_training("energy, eV"), 7),
    Column("F, eV/Å", before_training("forces, eV/Å"), 7),
    *TRAINING,
)
NOTES = (
    "Frames as in the name of the data, a fifth of which chooses the best epoch (the rest is "
    "`trained on`); errors are those of frames that no training has seen (acac: the last 50 of the "
    "file; others: every tenth). A run has one epoch at least: wall s is what it took. "
    "Zero-shot: one number per element is fitted to the energies of the training frames, and no "
    f"weight is changed. Forgotten: RMSE against the predictions of {WEIGHTS} on {HELD} crystals of"
    f" the same elements; with replay of the second head, which has learned {LEARNED} others, "
    f"labelled by {WEIGHTS}. Its exported files are scored through ASE in a process in which "
    "importing e3nn or sevenn is an error. Step 0: largest difference to the package's own "
    f"calculator on {COMPARED} frames, before any training."
)


def still(bench: Bench, program: Program, data: Data, seed: int) -> Result:
    """A run without training: one epoch that changes no weight."""
    result = bench.result(program, data, seed, ZERO)
    print(f"{result.stem}: zero-shot", flush=True)
    try:
        python = bench.python(program)
        result.versions = versions(python)
        job = bench.job(program, data, seed, 1)
        bench.train(program, python, job, result, limit(1.0))
        compare(bench, job, python, result)
    except Failed as error:
        result.failed = str(error)
        results.save(result, bench.setting.out)
        print(f"  {line(result)}", flush=True)
        return result
    return bench.finish(program, job, result)


def compare(bench: Bench, job: Job, python: Path, result: Result) -> None:
    """Note the differences to the package before any training."""
    frames = job.folder / "compared.xyz"
    ase.io.write(frames, ase.io.read(job.data.train, f":{COMPARED}"), format="extxyz")
    command = [str(python), str(INSIDE / "step0.py"), WEIGHTS, str(frames)]
    result.extra["step 0"] = told(run(command, job.folder, job.threads, PREDICTION_LIMIT))


def measure(
    bench: Bench, chosen: Sequence[Program], data: Data, minutes: Sequence[float], seed: int
) -> None:
    """All runs on a data set, the zero-shot one once."""
    for i, budget in enumerate(minutes):
        for program in chosen:
            if isinstance(program, Tuned) and program.method is None:
                if i == 0:
                    still(bench, program, data, seed)
                continue
            bench.measure(program, data, seed, budget)


def main() -> None:
    parser = arguments.parser(__doc__ or "", (1, 10), several=True)
    parser.add_argument("--data", nargs="+", choices=list(FEW), default=list(FEW))
    given = parser.parse_args()
    chosen = arguments.chosen(programs(), given)

    def work(setting: Setting) -> None:
        bench = Bench(TABLE, setting, least=1)
        for name in [] if given.render else given.data:
            data = few(bench, name, setting.scratch / "few")
            crystals(data.elements, data.train.parent / "crystals.xyz")
            for seed in given.seeds:
                measure(bench, chosen, data, given.minutes, seed)
        print(table.write(TABLE, "A foundation model on few frames", COLUMNS, setting.out, NOTES))

    arguments.run(given, work)


if __name__ == "__main__":
    main()
