"""Our models after long trainings, beside published errors.

    python benchmarks/accuracy/published.py --minutes 600 --out results

acac: trained on 450 frames at 300 K, 50 are validation; ethanol: 950 and 50. Where there is a test
set (acac/test_300K.xyz, ethanol/test_MD.xyz) the errors are of it, else of the validation set, by
which the best epoch was chosen, too: a little lower. On ethanol 20 ps of molecular dynamics at
constant energy follow (0.5 fs, near 300 K).
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
from table import OFFSET, OFFSET_NOTE, TRAINING, Column, Reference, Value, error

TABLE = "published"
MACE_PAPER = "Batatia et al., NeurIPS 2022, arXiv:2206.07697, tables 1 to 3"
SAMPLES = 12  # of a learning curve, each at twice the time of the one before


def published(model: str, data: str, measure: str, energy: float, forces: float) -> Reference:
    """Errors on a test set: of total energies [meV] and of forces [meV/Å]."""
    values = {f"E {measure}, meV": energy, f"F {measure}, meV/Å": forces}
    return Reference(f"{model} (published)", data, values)


PUBLISHED = (
    published("MACE", "acac", "RMSE", 0.9, 5.1),
    published("NequIP", "acac", "RMSE", 0.81, 5.90),
    published("BOTNet", "acac", "RMSE", 0.89, 6.3),
    published("MACE", "ethanol", "MAE", 0.4, 2.1),
    published("Allegro", "ethanol", "MAE", 0.4, 2.1),
    published("NequIP", "ethanol", "MAE", 0.4, 2.8),
    published("BOTNet", "ethanol", "MAE", 0.4, 3.2),
    published("ACE", "ethanol", "MAE", 1.2, 7.3),
    published("PaiNN", "ethanol", "MAE", 2.7, 10.0),
)
NOTES = (
    f"Published errors: {MACE_PAPER}, on test sets (acac at 300 K, 450 + 50 frames; ethanol of "
    "rMD17, 950 + 50; the ethanol here has geometries of rMD17 and labels of BOTNet-datasets, so "
    "that its published errors are a yardstick, not the same test). "
    "acac was trained in float64 there, ethanol in float32. Ours are errors on the test set where "
    "the data have one, else on the validation set, by which the best epoch was chosen."
)


def final(name: str) -> Value:
    """An error on the test set, or on the validation set where there is none."""

    def value(result: Result) -> float | None:
        return error("test" if "test" in result.errors else "validation", name)(result)

    return value


COLUMNS = (
    Column("E RMSE, meV", final("energy_rmse"), 2),
    Column("E MAE, meV", final("energy_mae"), 2),
    Column("F RMSE, meV/Å", final("forces_rmse"), 1),
    Column("F MAE, meV/Å", final("forces_mae"), 1),
    Column("validation F RMSE", error("validation", "forces_rmse"), 1),
    OFFSET,
    *dynamics.columns(),
    *TRAINING,
)


def thinned(curve: list[list[float]]) -> list[list[float]]:
    """Points of a learning curve, from the last one back to ever half its time."""
    chosen: list[list[float]] = []
    for point in reversed(curve):
        if len(chosen) < SAMPLES and (not chosen or point[0] <= chosen[-1][0] / 2):
            chosen.append(point)
    return chosen[::-1]


def curves(found: list[Result]) -> str:
    """Learning curves, as tables."""
    lines = ["Learning curves: RMSE on the validation set over the wall time of the training."]
    for result in found:
        if result.failed is None and result.curve:
            lines += ["", f"{result.stem}:", ""]
            lines += ["| s | E, meV/atom | F, meV/Å |", "|---|---|---|"]
            lines += [f"| {s:.0f} | {e:.3f} | {f:.1f} |" for s, e, f in thinned(result.curve)]
    return "\n".join(lines)


def main() -> None:
    parser = arguments.parser(__doc__ or "", (600,), several=True)
    parser.add_argument("--data", nargs="+", choices=["acac", "ethanol"])
    parser.add_argument("--picoseconds", type=float, default=20.0, help="of dynamics; 0: none")
    given = parser.parse_args()
    programs = arguments.chosen(ours.models(), given)

    def work(setting: Setting) -> None:
        bench = Bench(TABLE, setting)

        def after(program: Program, job: Job, result: Result) -> None:
            if given.picoseconds > 0 and job.data.name in dynamics.STARTS:
                dynamics.conserve(bench, program, job, result, given.picoseconds)

        for name in [] if given.render else given.data or ["acac", "ethanol"]:
            data = bench.data(name)
            for minutes in given.minutes:
                for seed in given.seeds:
                    for program in programs:
                        bench.measure(program, data, seed, minutes, after)
        notes = (
            f"{NOTES} {OFFSET_NOTE} {dynamics.NOTES}\n\n{curves(table.shown(TABLE, setting.out))}"
        )
        title = "Beside published errors"
        print(table.write(TABLE, title, COLUMNS, setting.out, notes, PUBLISHED))

    arguments.run(given, work)


if __name__ == "__main__":
    main()
