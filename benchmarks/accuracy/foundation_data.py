"""Few frames of data sets, and crystals of the same elements to measure forgetting on."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import ase
import ase.build
import ase.io
import numpy as np
from ase.data import chemical_symbols, covalent_radii
from measure import Bench
from systems import SOURCES, Data, Source, surroundings

ETHANOL = surroundings.ROOT / "examples" / "data" / "ethanol.xyz"
FEW: dict[str, tuple[Source, int]] = {
    "acac-50": (SOURCES["acac"], 50),
    "silicon-50": (SOURCES["silicon"], 50),
    "acac-20": (SOURCES["acac"], 20),
    "acac-10": (SOURCES["acac"], 10),
    "ethanol-xtb-50": (Source("ethanol-xtb", str(ETHANOL), None), 50),
    "alloy-50": (SOURCES["alloy"], 50),
}
"""Names to sources and numbers of frames, the most important first."""

HELD = 5  # one frame of so many chooses the best epoch
FEWEST_HELD = 2
ELEMENTS = ("sc", "fcc", "bcc", "diamond")
PAIRS = ("rocksalt", "zincblende", "cesiumchloride")
# edge of the cubic cell in distances of nearest neighbours
EDGES = {
    "sc": 1.0, "fcc": 2**0.5, "bcc": 2 / 3**0.5, "diamond": 4 / 3**0.5,
    "rocksalt": 2.0, "zincblende": 4 / 3**0.5, "cesiumchloride": 2 / 3**0.5,
}  # fmt: skip
CRYSTALS = 64
STRETCH = (0.95, 1.25)  # of all lengths
ROOM = 8.0  # Å³ of an atom, at least: hydrogen as dense as its radius allows is not a crystal
RATTLE = 0.05  # Å
SEED = 7


def few(bench: Bench, name: str, folder: Path) -> Data:
    """So many frames to train on, a part of which chooses the epoch, and a test set of others.

    The test set is what the other tables call validation: no program sees it.

    :param folder: files are written below it.
    """
    source, number = FEW[name]
    whole = bench.data(source)
    frames = ase.io.read(whole.train, ":")
    number = min(number, len(frames))
    chosen = [frames[i] for i in np.linspace(0, len(frames) - 1, number).round().astype(int)]
    n_held = max(FEWEST_HELD, number // HELD)
    held = set(np.linspace(0, number - 1, n_held + 2).round().astype(int)[1:-1].tolist())
    home = folder / name
    home.mkdir(parents=True, exist_ok=True)
    parts = {"train": [], "validation": []}
    for i, atoms in enumerate(chosen):
        parts["validation" if i in held else "train"].append(atoms)
    for part, some in parts.items():
        ase.io.write(home / f"{part}.xyz", some, format="extxyz")
    return replace(
        whole,
        name=name,
        train=home / "train.xyz",
        validation=home / "validation.xyz",
        n_train=len(parts["train"]),
        tests={"test": whole.validation},
    )


def crystals(elements: tuple[int, ...], path: Path) -> Path:
    """Rattled and stretched crystals of the elements and of pairs of them, without labels.

    They are of the kind that SevenNet-0 was trained on (Materials Project), and always the same.
    """
    generator = np.random.default_rng(SEED)
    made = []
    for atoms in itertools.islice(itertools.cycle(_perfect(elements)), CRYSTALS):
        one = atoms.copy()
        edge = max(1.0, (ROOM * len(one) / one.get_volume()) ** (1 / 3))
        one.set_cell(edge * generator.uniform(*STRETCH) * one.cell.array, scale_atoms=True)
        one.positions += generator.normal(0.0, RATTLE, one.positions.shape)
        made.append(one)
    path.parent.mkdir(parents=True, exist_ok=True)
    ase.io.write(path, made, format="extxyz")
    return path


def _perfect(elements: tuple[int, ...]) -> Iterator[ase.Atoms]:
    for z in elements:
        for lattice in ELEMENTS:
            edge = EDGES[lattice] * 2 * covalent_radii[z]
            yield ase.build.bulk(chemical_symbols[z], lattice, a=edge) * (2, 1, 1)
    for one, other in itertools.combinations(elements, 2):
        for lattice in PAIRS:
            edge = EDGES[lattice] * (covalent_radii[one] + covalent_radii[other])
            formula = chemical_symbols[one] + chemical_symbols[other]
            yield ase.build.bulk(formula, lattice, a=edge)
