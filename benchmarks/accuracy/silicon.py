"""Energies, forces, stresses of solids after the same wall time, ours and other programs'.

    python benchmarks/accuracy/silicon.py --minutes 5 --threads 1 --out results

- silicon: silicon/train.xyz; four groups of structures;
- carbon: periodic/carbon_reduced_100.xyz (energies and forces);
- alloy: the copper-gold of the examples: crystals, vacancies, slabs;
- molten-alloy: copper-gold at 2000 K and strained crystals at 300 K, made here with EMT.

Every tenth frame, those whose number ends in 9, is validation; by these each program also
chooses its best epoch. With --picoseconds follows, for our models, molecular dynamics of silicon
at constant energy through ASE: 64 atoms, 1 fs, near 300 K.
"""

from __future__ import annotations

import arguments
import dynamics
import groups
import making
import ours
import table
from arguments import Setting
from measure import Bench
from peers import PEERS, Job, Program
from results import Result
from systems import SOURCES, Data, Source, named
from table import OFFSET, OFFSET_NOTE, TRAINING, Column, error, of_epoch

TABLE = "silicon"
SYSTEMS = ("silicon", "carbon", "alloy", "molten-alloy")
COLUMNS = (
    Column("E RMSE, meV/atom", error("validation", "energy_per_atom_rmse"), 2),
    Column("E mean error", error("validation", "energy_per_atom_mean"), 2),
    Column("F RMSE, meV/Å", error("validation", "forces_rmse"), 1),
    Column("stress RMSE, meV/Å³", error("validation", "stress_rmse"), 3),
    Column("training E RMSE", error("train", "energy_per_atom_rmse"), 2),
    Column("training F RMSE", error("train", "forces_rmse"), 1),
    Column("training stress RMSE", error("train", "stress_rmse"), 3),
    OFFSET,
    Column("best epoch", of_epoch("best epoch", "epoch")),
    Column("its validation F RMSE", of_epoch("best epoch", "validation forces RMSE"), 1),
    Column("that of the last epoch", of_epoch("last epoch", "validation forces RMSE"), 1),
    *TRAINING,
)
NOTES = (
    "Errors on the validation structures and on those of the training, from predictions of the "
    f"trained file in a process of its own. {OFFSET_NOTE} The best epoch, that of the smallest "
    "validation loss, and the last one are those of our models' histories: where the last one is "
    f"worse, the validation error rises. {dynamics.NOTES}"
)


def source(name: str, setting: Setting) -> Source:
    """Where the data of a system are; those of the molten alloy are made if need be."""
    if name != "molten-alloy":
        return SOURCES[name]
    folder = making.made(making.ALLOY, setting.made, setting.environments)
    group = named("config_type")
    return Source(name, str(folder / "mixed.xyz"), None, stress=True, group=group)


def columns(found: list[Result]) -> tuple[Column, ...]:
    """Those of the dynamics only where there are any."""
    moved = any("nve" in result.extra for result in found)
    return COLUMNS + (dynamics.columns() if moved else ())


def notes(found: list[Result]) -> str:
    """What is written above the table, with the errors by group."""
    by_group = groups.markdown(found, groups.PER_ATOM)
    return f"{NOTES}\n\nValidation errors by group of structures:\n\n{by_group}"


def main() -> None:
    parser = arguments.parser(__doc__ or "", (5,), several=True, makes=True)
    add = parser.add_argument
    add("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="default: all")
    add("--picoseconds", type=float, default=0.0, help="of dynamics of silicon; 0: none")
    given = parser.parse_args()
    programs = arguments.chosen([*ours.models(), *PEERS], given)
    mine = {program.name for program in ours.models()}

    def work(setting: Setting) -> None:
        bench = Bench(TABLE, setting)

        def after(program: Program, job: Job, result: Result) -> None:
            wanted = given.picoseconds > 0 and program.name in mine
            if wanted and job.data.name in dynamics.STARTS:
                dynamics.conserve(bench, program, job, result, given.picoseconds)

        data: list[Data] = []
        if not given.render:
            data = [bench.data(source(name, setting)) for name in given.systems]
        for minutes in given.minutes:
            for seed in given.seeds:
                for one in data:
                    for program in programs:
                        bench.measure(program, one, seed, minutes, after)
        found = table.shown(TABLE, setting.out)
        print(table.write(TABLE, "Solids", columns(found), setting.out, notes(found)))

    arguments.run(given, work)


if __name__ == "__main__":
    main()
