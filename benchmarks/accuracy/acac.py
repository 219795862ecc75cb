"""Errors on acetylacetone after the same wall time, ours and other programs'.

    python benchmarks/accuracy/acac.py --minutes 1 10 60 --out results

Every model is trained on the first 450 frames of acac/train_300K.xyz and scored on the last 50,
by which each program also chooses its best epoch. A budget is the wall time of the whole
training command, and every budget is a run of its own, since schedules end with it.
"""

from __future__ import annotations

import arguments
import ours
import table
from arguments import Setting
from measure import Bench
from peers import PEERS
from table import OFFSET, OFFSET_NOTE, TRAINING, Column, error

TABLE = "acac"
COLUMNS = (
    Column("E RMSE, meV", error("validation", "energy_rmse"), 2),
    Column("E MAE, meV", error("validation", "energy_mae"), 2),
    Column("F RMSE, meV/Å", error("validation", "forces_rmse"), 1),
    Column("F MAE, meV/Å", error("validation", "forces_mae"), 1),
    OFFSET,
    *TRAINING,
)
NOTES = (
    "Errors on the validation structures, of total energies and of force components, from "
    "predictions of the trained file in a process of its own. Wall time is that of the training "
    f"command. {OFFSET_NOTE}"
)


def main() -> None:
    given = arguments.parser(__doc__ or "", (1, 10, 60), several=True).parse_args()
    programs = arguments.chosen([*ours.models(), *PEERS], given)

    def work(setting: Setting) -> None:
        if not given.render:
            bench = Bench(TABLE, setting)
            data = bench.data("acac")
            for minutes in given.minutes:
                for seed in given.seeds:
                    for program in programs:
                        bench.measure(program, data, seed, minutes)
        print(table.write(TABLE, "Acetylacetone", COLUMNS, setting.out, NOTES))

    arguments.run(given, work)


if __name__ == "__main__":
    main()
