"""Are exported files equivariant, and do their derivatives agree with finite differences?

    python benchmarks/accuracy/equivariance.py --out results

Each architecture is exported in float64 with a target of every kind that it takes, for structures
and for atoms. It predicts molecules of QM9 and crystals of carbon, as they are and turned by
random rotations, each with and without an inversion. The weights are random: what holds for them
holds for trained ones. The table has the largest difference between the prediction of a turned
structure and the turned prediction, relative to the largest prediction of the target. Derivatives
by positions and strain, as the exported file gives them, are rotated as well, and compared with
central differences of its predictions, relative to the largest derivative.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import ase
import ase.io
import making
import numpy as np
import results
import table
import target_arguments
import torch
from environments import versions
from kinds_of_targets import TARGETS, TITLES, turned
from metatomic.torch import AtomisticModel

from mtt import Target
from mtt.data import Dataset
from mtt.data.info import DatasetInfo
from mtt.errors import ArchitectureError
from mtt.evaluation import predict
from mtt.exporting import load_exported
from mtt.testing.subject import Subject

sys.path.append(str(Path(__file__).resolve().parent.parent))
from surroundings import processor

TABLE = "equivariance"
MODELS = {
    "density_messages": {},
    "soap_bpnn": {},
    "experimental.linear_ace": {},
    "pet": {"d_pet": 32, "d_node": 64, "d_head": 32, "d_feedforward": 64, "num_heads": 4},
}
STEP = 2e-3  # Å
MOVED = 3  # coordinates whose central differences are taken, of each structure
NOTES = (
    "Largest differences relative to the largest prediction, float64. *Rotated* compares "
    "predictions of rotated structures with rotated predictions, with and without an inversion. "
    "*Differences* compares derivatives by positions with central differences of the predictions. "
    "`pet` is not equivariant: it learns from rotated structures, and its weights here are random."
)


def structures(n: int, seed: int = 1) -> list[ase.Atoms]:
    """``n`` molecules of QM9 with 5 atoms or more, and ``n`` small crystals of carbon."""
    molecules = ase.io.read(making.reference("qm9/qm9_reduced_100.xyz"), ":")
    crystals = ase.io.read(making.reference("periodic/carbon_reduced_100.xyz"), ":")
    random = np.random.default_rng(seed)
    chosen = [
        [one for one in molecules if len(one) >= 5 and 9 not in one.numbers],
        [one for one in crystals if len(one) <= 8],
    ]
    found = [part[i] for part in chosen for i in random.choice(len(part), n, replace=False)]
    return [ase.Atoms(one.symbols, one.positions, cell=one.cell, pbc=one.pbc) for one in found]


def exported(name: str, folder: Path) -> tuple[AtomisticModel, DatasetInfo, int]:
    """An exported model with random weights, with the targets that the architecture takes."""
    taken = {}
    for target, info in TARGETS.items():
        one = DatasetInfo("angstrom", (1, 6, 7, 8), {target: info})
        of_one = Subject(name, model_hypers=MODELS[name], dataset_info=one)
        try:
            of_one.build()
        except ArchitectureError as error:
            print(
                f"{name}: {TITLES.get(target, target)} is refused: {str(error).splitlines()[0]}",
                flush=True,
            )
        else:
            taken[target] = info
    info = DatasetInfo("angstrom", (1, 6, 7, 8), taken)
    subject = Subject(name, model_hypers=MODELS[name], dataset_info=info)
    path = folder / "model.pt"
    path.write_bytes(subject.exported())
    weights = sum(one.numel() for one in subject.model().parameters())
    return load_exported(path), info, weights


def predicted(
    model: AtomisticModel, info: DatasetInfo, atoms: Sequence[ase.Atoms]
) -> list[dict[str, Target]]:
    """Of each structure, with derivatives where a target has them."""
    data = Dataset.from_atoms(list(atoms), {}, length_unit="angstrom")
    return [batch.targets for batch in predict(model, data, batch_size=1)]


def rotations(n: int, seed: int) -> list[np.ndarray]:
    """``n`` random rotations, and each with the inversion."""
    found = []
    for matrix in np.random.default_rng(seed).normal(size=(n, 3, 3)):
        q, r = np.linalg.qr(matrix)
        q = q * np.sign(np.diag(r))
        q *= np.sign(np.linalg.det(q))
        found += [q, -q]
    return found


def moved(atoms: ase.Atoms, turn: np.ndarray) -> ase.Atoms:
    """``atoms`` turned with their cell."""
    other = atoms.copy()
    other.positions = atoms.positions @ turn.T
    other.cell[:] = atoms.cell.array @ turn.T
    return other


class Largest:
    """The largest differences and the largest numbers, by the name of a quantity."""

    def __init__(self) -> None:
        self.differences: dict[str, float] = {}
        self.sizes: dict[str, float] = {}

    def add(self, name: str, found: torch.Tensor, wanted: torch.Tensor) -> None:
        """Compare two tensors."""
        difference, size = float((found - wanted).abs().max()), float(wanted.abs().max())
        self.differences[name] = max(self.differences.get(name, 0.0), difference)
        self.sizes[name] = max(self.sizes.get(name, 0.0), size)

    def relative(self) -> dict[str, float]:
        """Each difference, by the largest number of its kind."""
        return {name: one / self.sizes[name] for name, one in self.differences.items()}


def turning(
    model: AtomisticModel, info: DatasetInfo, atoms: Sequence[ase.Atoms], turns: int
) -> Largest:
    """Predictions of turned structures, and turned predictions."""
    found = Largest()
    before = predicted(model, info, atoms)
    for turn in rotations(turns, 2):
        after = predicted(model, info, [moved(one, turn) for one in atoms])
        for old, new in zip(before, after, strict=True):
            for name, target in info.targets.items():
                wanted = turned(target, old[name], torch.tensor(turn))
                title = TITLES.get(name, name)
                found.add(title, new[name].values, wanted.values)
                for what in ("forces", "strain"):
                    one, other = getattr(new[name], what), getattr(wanted, what)
                    if one is not None:
                        found.add(f"{title}, {_BY[what]}", one, other)
    return found


_BY = {"forces": "derivative by positions", "strain": "derivative by strain"}


def differing(model: AtomisticModel, info: DatasetInfo, atoms: Sequence[ase.Atoms]) -> Largest:
    """Derivatives by positions, and central differences of fourth order."""
    found, random = Largest(), np.random.default_rng(3)
    for one, here in zip(atoms, predicted(model, info, atoms), strict=True):
        for _ in range(MOVED):
            i, axis = int(random.integers(len(one))), int(random.integers(3))
            steps = []
            for k in (1, -1, 2, -2):
                other = one.copy()
                other.positions[i, axis] += k * STEP
                steps.append(other)
            values = predicted(model, info, steps)
            for name, target in info.targets.items():
                slopes = here[name].forces
                if slopes is None:
                    continue
                a, b, c, d = (each[name].values for each in values)
                slope = ((8 * (a - b) - (c - d)) / (12 * STEP))[0]
                own = (-1.0 if target.is_number else 1.0) * slopes[i, axis].reshape(slope.shape)
                title = TITLES.get(name, name)
                found.add(title, own, slope)
                found.sizes[title] = max(found.sizes[title], float(slopes.abs().max()))
    return found


def markdown(found: Sequence[results.Result]) -> str:
    """A line for each target, a column for each architecture."""
    latest = {one.model_name: one for one in found}
    names = {name: None for one in found for part in ("rotated", "differences")
             for name in ((part, key) for key in one.extra[part])}  # fmt: skip
    lines = [f"| compared | target | {' | '.join(latest)} |", "|---" * (len(latest) + 2) + "|"]
    for part, key in sorted(names, key=lambda one: one[0] == "differences"):
        cells = [one.extra[part].get(key) for one in latest.values()]
        shown = " | ".join("–" if cell is None else f"{cell:.0e}" for cell in cells)
        lines.append(f"| {part} | {key} | {shown} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--only", nargs="+", choices=MODELS, default=list(MODELS), help="default: all")
    add("--structures", type=int, default=6, help="molecules, and crystals")
    add("--turns", type=int, default=3, help="random rotations, each with and without inversion")
    add("--out", type=Path, default=Path("results"), help="folder of results and tables")
    add("--render", action="store_true", help="write the table of the results that exist, and stop")
    given = parser.parse_args()
    atoms = [] if given.render else structures(given.structures)
    for name in [] if given.render else given.only:
        start = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            model, info, weights = exported(name, Path(folder))
            rotated = turning(model, info, atoms, given.turns).relative()
            differences = differing(model, info, atoms).relative()
        result = results.Result(
            TABLE, "qm9-carbon", name, 2, torch.get_num_threads(), processor(),
            command=target_arguments.shown(), parameters=weights,
            versions=versions(Path(sys.executable)),
            extra={
                "cpu_seconds": round(time.process_time() - start, 1), "rotated": rotated,
                "differences": differences,
            },
        )  # fmt: skip
        print(results.save(result, given.out).name, max(rotated.values()), flush=True)
    found = table.shown(TABLE, given.out)
    columns = (table.Column("parameters", lambda r: r.parameters),)
    notes = f"{NOTES}\n\n{markdown(found)}"
    print(table.write(TABLE, "Equivariance of exported files", columns, given.out, notes))


if __name__ == "__main__":
    main()
