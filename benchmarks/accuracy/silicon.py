"""Energies, forces, stresses of our models on silicon, and whether they conserve energy.

    python benchmarks/accuracy/silicon.py --minutes 30 --out results

The last 10 % of silicon/train.xyz are validation. With the exported model follow 20 ps of
molecular dynamics at constant energy through ASE: 64 atoms, 1 fs, near 300 K.
"""

from __future__ import annotations

import arguments
import dynamics
import ours
import table
from arguments import Setting
from measure import Bench
from peers import Job, Program
from results import Result
from table import TRAINING, Column, error

TABLE = "silicon"
COLUMNS = (
    Column("E RMSE, meV/atom", error("validation", "energy_per_atom_rmse"), 2),
    Column("F RMSE, meV/Å", error("validation", "forces_rmse"), 1),
    Column("stress RMSE, meV/Å³", error("validation", "stress_rmse"), 3),
    *dynamics.columns(),
    *TRAINING,
)
NOTES = (
    "Errors on the validation structures, from predictions of the exported file in a process of "
    f"its own. {dynamics.NOTES}"
)


def main() -> None:
    parser = arguments.parser(__doc__ or "", (30,), several=True)
    parser.add_argument("--picoseconds", type=float, default=20.0, help="of dynamics; 0: none")
    given = parser.parse_args()
    programs = arguments.chosen(ours.models(), given)

    def work(setting: Setting) -> None:
        bench = Bench(TABLE, setting)

        def after(program: Program, job: Job, result: Result) -> None:
            if given.picoseconds > 0:
                dynamics.conserve(bench, program, job, result, given.picoseconds)

        if not given.render:
            data = bench.data("silicon")
            for minutes in given.minutes:
                for seed in given.seeds:
                    for program in programs:
                        bench.measure(program, data, seed, minutes, after)
        print(table.write(TABLE, "Silicon", COLUMNS, setting.out, NOTES))

    arguments.run(given, work)


if __name__ == "__main__":
    main()
