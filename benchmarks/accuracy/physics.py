"""Do models have the physics of the potential that made their data? Beside it, in a table.

    python benchmarks/accuracy/physics.py --minutes 5 --threads 1 --out results

- silicon-tersoff: strained crystals with Tersoff's potential: lattice constant, elastic constants
  with relaxed atoms, phonons of silicon;
- alloy: copper-gold crystals at 300 K and strained ones, with EMT: the same of Cu, Au and Cu3Au;
  drift of the energy at constant energy and density at constant pressure (300 K, 1 bar) of Cu3Au;
- ethanol at 300 K, with GFN2-xTB: vibrations in the minimum, drift of the energy.

The same scripts compute every number, through ASE, with the model and with the reference. --model
takes an exported file instead of training: it must know the elements of the --systems.
"""

from __future__ import annotations

import argparse
import shutil
from dataclasses import asdict
from pathlib import Path

import arguments
import ase.io
import making
import ours
import physics_table
import table
from arguments import Setting
from measure import Bench
from peers import PEERS, Job, Program
from properties import PHYSICS, Computer, Found, Model
from results import Result
from systems import Source, named
from table import OFFSET, TRAINING, Column, error

TABLE = "physics"
COLUMNS = (
    Column("E RMSE, meV/atom", error("validation", "energy_per_atom_rmse"), 2),
    Column("F RMSE, meV/Å", error("validation", "forces_rmse"), 1),
    Column("stress RMSE, meV/Å³", error("validation", "stress_rmse"), 3),
    OFFSET,
    *TRAINING,
)


def source(name: str, setting: Setting) -> Source:
    """Where the data of a system are; they are made if need be."""
    group = named("config_type")
    if name == "silicon-tersoff":
        folder = making.made(making.SILICON, setting.made, setting.environments)
        return Source(name, str(folder / "crystals.xyz"), None, stress=True, group=group)
    if name == "alloy":
        folder = making.made(making.ALLOY, setting.made, setting.environments)
        both = setting.scratch / "data" / "crystals.xyz"
        both.parent.mkdir(parents=True, exist_ok=True)
        parts = [ase.io.read(folder / f"{part}.xyz", ":") for part in ("solid", "strained")]
        ase.io.write(both, parts[0] + parts[1], format="extxyz")
        return Source(name, str(both), None, stress=True, group=group)
    folder = making.made(making.MOLECULES[name], setting.made, setting.environments)
    isolated = str(folder / "isolated.xyz")
    return Source(name, str(folder / "300K.xyz"), 0.1, isolated, group=group)


class Comparison:
    """Computes the properties of models of one system, and those of its reference once."""

    def __init__(self, bench: Bench, name: str, given: argparse.Namespace) -> None:
        self.bench, self.name, self.given = bench, name, given
        self.physics = PHYSICS[name]
        self.molecule: Path | None = None
        if self.physics.vibrations:
            recipe, setting = making.MOLECULES[name], bench.setting
            self.molecule = making.made(recipe, setting.made, setting.environments) / "minimum.xyz"
        self._reference: Found | None = None

    def compute(self, model: Model, folder: Path, seed: int) -> Found:
        """The properties of a model."""
        computer = Computer(
            self.bench, folder / "physics", self.molecule, self.given.picoseconds, seed
        )
        return computer.all_of(self.physics, model)

    def reference(self) -> Found:
        """The properties of the reference."""
        if self._reference is None:
            physics, setting = self.physics, self.bench.setting
            python = setting.environments.python(physics.environment, physics.packages, torch=False)
            print(f"{self.name}: {physics.reference}", flush=True)
            model = Model(python, physics.reference, "-")
            folder = setting.scratch / f"reference-{self.name}"
            self._reference = self.compute(model, folder, self.given.seeds[0])
        return self._reference

    def note(self, result: Result, model: Model, folder: Path) -> None:
        """Put both into the result."""
        found = self.compute(model, folder, result.seed)
        result.extra["physics"] = asdict(found)
        result.extra["reference"] = asdict(self.reference())

    def after(self, program: Program, job: Job, result: Result) -> None:
        """With the model of a training."""
        model = Model(
            self.bench.python(program), program.precise or program.calculator,
            str(program.trained(job)),
        )  # fmt: skip
        self.note(result, model, job.folder)

    def of_file(self, file: Path) -> None:
        """With an exported file; the result is saved."""
        data = self.bench.data(source(self.name, self.bench.setting))
        program = ours.Ours(file.stem, {})
        result = self.bench.result(program, data, self.given.seeds[0], None)
        result.n_train, result.model_name = None, file.name
        job = self.bench.job(program, data, result.seed, 0)
        shutil.copyfile(file, program.trained(job))
        self.bench.finish(program, job, result, self.after)


def main() -> None:
    parser = arguments.parser(__doc__ or "", (5,), several=True, makes=True)
    add = parser.add_argument
    add("--systems", nargs="+", choices=PHYSICS, default=list(PHYSICS), help="default: all")
    add("--picoseconds", type=float, default=10.0, help="of each trajectory; 0: none")
    add("--model", type=Path, help="an exported model.pt, instead of training")
    given = parser.parse_args()
    programs = arguments.chosen([*ours.models(), *PEERS], given)

    def work(setting: Setting) -> None:
        bench = Bench(TABLE, setting)
        for name in [] if given.render else given.systems:
            comparison = Comparison(bench, name, given)
            if given.model is not None:
                comparison.of_file(given.model.resolve())
                continue
            data = bench.data(source(name, setting))
            for minutes in given.minutes:
                for seed in given.seeds:
                    for program in programs:
                        bench.measure(program, data, seed, minutes, comparison.after)
        written = physics_table.notes(table.shown(TABLE, setting.out))
        print(table.write(TABLE, "Physics", COLUMNS, setting.out, written))

    arguments.run(given, work)


if __name__ == "__main__":
    main()
