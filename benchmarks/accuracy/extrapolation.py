"""Errors far from the training data after the same wall time, ours and other programs'.

    python benchmarks/accuracy/extrapolation.py --minutes 5 --threads 1 --out results

Every model is trained at 300 K, on labels made here, and scored elsewhere:

- ethanol, acetylacetone, 3bpa (27 atoms), with GFN2-xTB: trajectories at 300, 600, 1200 K,
  rotations about all single bonds, stretched bonds, the hydrogen between the oxygens of the enol;
- alloy-solid, copper-gold crystals with EMT: other crystals, strained crystals, melts at 2000 K.

The data are made on first use, within ten minutes of one core, and kept in the folder --data;
--make makes them and stops.
"""

from __future__ import annotations

from collections.abc import Sequence

import arguments
import groups
import making
import ours
import table
from arguments import Setting
from groups import STRUCTURES, Errors, Measure
from measure import Bench
from peers import PEERS
from results import Result
from systems import Data, Source, named
from table import OFFSET, OFFSET_NOTE, TRAINING, Column, error, of_epoch

TABLE = "extrapolation"
ALLOY = "alloy-solid"
SYSTEMS = (*making.MOLECULES, ALLOY)
SCANS = ("dihedrals", "dissociation", "transfer")
COLUMNS = (
    Column("validation E RMSE, meV", error("validation", "energy_rmse"), 2),
    Column("E RMSE, meV/atom", error("validation", "energy_per_atom_rmse"), 3),
    Column("F RMSE, meV/Å", error("validation", "forces_rmse"), 1),
    Column("stress RMSE, meV/Å³", error("validation", "stress_rmse"), 3),
    Column("training F RMSE", error("train", "forces_rmse"), 1),
    OFFSET,
    Column("best epoch", of_epoch("best epoch", "epoch")),
    *TRAINING,
)
FORCES = (Measure("F RMSE, meV/Å", "forces_rmse", 1), Measure("F MAE", "forces_mae", 1))
OF_MOLECULES = (
    STRUCTURES,
    Measure("E RMSE, meV", "energy_rmse", 1),
    Measure("without its mean", "energy_spread", 1),
    Measure("E MAE, meV", "energy_mae", 1),
    *FORCES,
)
OF_CRYSTALS = (
    STRUCTURES,
    Measure("E RMSE, meV/atom", "energy_per_atom_rmse", 2),
    Measure("without its mean", "energy_per_atom_spread", 2),
    Measure("E MAE, meV/atom", "energy_per_atom_mae", 2),
    *FORCES,
    Measure("stress RMSE, meV/Å³", "stress_rmse", 3),
)
NOTES = (
    "Errors of models that were trained at 300 K, from predictions of the trained file in a "
    "process of its own. Without its mean: the root mean square error of the energies after the "
    "mean error of the set is taken away, so that it is the error of energy differences. "
    f"{OFFSET_NOTE}"
)


def source(name: str, setting: Setting) -> Source:
    """Where the data of a system are; they are made if need be."""
    recipe = making.ALLOY if name == ALLOY else making.MOLECULES[name]
    folder = making.made(recipe, setting.made, setting.environments)
    if name == ALLOY:
        file, tests = "solid", {"solid": "solid-test", "strained": "strained", "molten": "molten"}
    else:
        file = "300K"
        tests = {kelvin: f"test-{kelvin}" for kelvin in ("300K", "600K", "1200K")}
        tests |= {scan: scan for scan in SCANS if (folder / f"{scan}.xyz").is_file()}
    return Source(
        name,
        str(folder / f"{file}.xyz"),
        None if name == ALLOY else 0.1,
        None if name == ALLOY else str(folder / "isolated.xyz"),
        {test: str(folder / f"{file}.xyz") for test, file in tests.items()},
        stress=name == ALLOY,
        group=named("config_type"),
    )


def test_sets(result: Result) -> Errors:
    """The errors of every test set."""
    return {part: one for part, one in result.errors.items() if part not in ("validation", "train")}


def single_scans(result: Result) -> Errors:
    """The errors along every scan."""
    return {
        f"{part}, {name}": one
        for part in SCANS
        for name, one in result.groups.get(part, {}).items()
    }


def notes(found: Sequence[Result]) -> str:
    """What is written above the table of the runs: a table for each system, and one of scans."""
    parts = [NOTES]
    for name in SYSTEMS:
        here = [one for one in found if one.data == name]
        if here:
            measures = OF_CRYSTALS if name == ALLOY else OF_MOLECULES
            parts += [f"## {name}", groups.markdown(here, measures, test_sets, "test set")]
    scans = [one for one in found if one.data != ALLOY]
    parts += ["## Single scans", groups.markdown(scans, OF_MOLECULES, single_scans, "scan")]
    return "\n\n".join(parts)


def main() -> None:
    parser = arguments.parser(__doc__ or "", (5,), several=True, makes=True)
    add = parser.add_argument
    add("--systems", nargs="+", choices=SYSTEMS, default=list(SYSTEMS), help="default: all")
    add("--make", action="store_true", help="make the data, print where they are, and stop")
    given = parser.parse_args()
    programs = arguments.chosen([*ours.models(), *PEERS], given)

    def work(setting: Setting) -> None:
        bench, data = Bench(TABLE, setting), list[Data]()
        if not given.render:
            sources = [source(name, setting) for name in given.systems]
            if given.make:
                print("\n".join(one.file for one in sources))
                return
            data = [bench.data(one) for one in sources]
        for minutes in given.minutes:
            for seed in given.seeds:
                for one in data:
                    for program in programs:
                        bench.measure(program, one, seed, minutes)
        written = notes(table.shown(TABLE, setting.out))
        print(table.write(TABLE, "Extrapolation", COLUMNS, setting.out, written))

    arguments.run(given, work)


if __name__ == "__main__":
    main()
