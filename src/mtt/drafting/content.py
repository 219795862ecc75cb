"""What data files hold: structures, keys, periodicity, units of lengths."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from ase.data import chemical_symbols, covalent_radii

from mtt.data.files.inputs import input_files
from mtt.data.files.raw_frame import RawFrame
from mtt.data.files.reader import Files
from mtt.data.geometry.expected import expected_pairs
from mtt.data.storage.store import is_packed
from mtt.errors import DataError, Problem
from mtt.scanning.keys import Key, keys_of

_OPTIONS = (".yaml", ".yml")
_MODELS = (".ckpt", ".pt")
_SAMPLE = 60  # structures whose distances and neighbours are looked at
_CENTERS = 40  # atoms of each
_LENGTHS = (("angstrom", 1.0), ("bohr", 1.8897), ("nm", 0.1))  # one Å in each


@dataclass(frozen=True)
class Content:
    """Frames of all files, one after the other.

    :param names: the files as they were named, without those of ``atoms``.
    :param atoms: of files that hold single atoms only, beside others: no model learns from them.
    """

    names: tuple[str, ...]
    frames: Sequence[RawFrame]
    atoms: Sequence[RawFrame] = ()

    @cached_property
    def keys(self) -> list[Key]:
        """Keys of structures and atoms, in the order of the files."""
        counted: list[Key] = []
        for start in range(0, len(self.frames), 10_000):
            counted += keys_of(self.frames[start : start + 10_000])
        merged: dict[tuple[str, bool], Key] = {}
        for key in counted:
            known = merged.get((key.name, key.per_atom))
            frames = key.frames if known is None else known.frames + key.frames
            merged[key.name, key.per_atom] = key._replace(frames=frames)
        return [*merged.values()]

    @cached_property
    def n_atoms(self) -> np.ndarray:
        """[n] int64."""
        return np.array([len(frame.numbers) for frame in self.frames])

    @cached_property
    def elements(self) -> list[str]:
        """Symbols, by atomic number."""
        numbers = sorted({int(z) for frame in self.frames for z in np.unique(frame.numbers)})
        return [chemical_symbols[z] for z in numbers]

    @cached_property
    def periodicity(self) -> str:
        """``periodic``, ``not periodic``, or how many structures are what."""
        kinds = Counter(
            "periodic" if frame.pbc.all() else "partly periodic" if frame.pbc.any() else "molecules"
            for frame in self.frames
        )
        if len(kinds) == 1:
            return {"molecules": "not periodic"}.get(next(iter(kinds)), next(iter(kinds)))
        return ", ".join(f"{n} {kind}" for kind, n in kinds.most_common())

    @property
    def all_periodic(self) -> bool:
        """Whether every structure has a volume and a stress."""
        return all(frame.is_periodic for frame in self.frames)

    @cached_property
    def sample(self) -> list[RawFrame]:
        """Some structures, evenly spread."""
        n = len(self.frames)
        return [self.frames[i] for i in np.unique(np.linspace(0, n - 1, _SAMPLE).astype(int))]

    @cached_property
    def bond_ratio(self) -> float | None:
        """Median of nearest distances over sums of covalent radii (Å); None for atoms alone."""
        ratios = [ratio for frame in self.sample for ratio in _nearest(frame)]
        return float(np.median(ratios)) if ratios else None

    @cached_property
    def length_unit(self) -> tuple[str, bool]:
        """The unit in which atoms are as far apart as bonds are, and whether one fits."""
        if self.bond_ratio is None:
            return "angstrom", False
        away = {name: abs(np.log(self.bond_ratio / size)) for name, size in _LENGTHS}
        name = min(away, key=lambda one: away[one])
        return (name, True) if away[name] < np.log(1.45) else ("angstrom", False)

    def neighbors(self, cutoff: float) -> float:
        """Average neighbours of an atom within ``cutoff``, in the unit of the files."""
        pairs, atoms = 0.0, 0
        for frame in self.sample:
            if len(frame.numbers):
                pairs += expected_pairs(frame.positions, frame.cell, frame.pbc, cutoff)
                atoms += len(frame.numbers)
        return pairs / max(atoms, 1)


def read_content(names: Sequence[str]) -> Content:
    """Read data files, as a training reads them.

    :raises DataError: what is not a data file, and everything that is wrong with those that are.
    """
    problems = [problem for name in names if (problem := _other(name)) is not None]
    if problems:
        raise DataError.collect(problems)
    read_from = names[0] if len(names) == 1 else list(names)
    input_files(read_from)
    frames = Files().read(read_from)
    if len(frames) and all(len(frame.numbers) < 2 for frame in frames):
        what = "holds single atoms only: a model learns from structures whose atoms have neighbours"
        hint = "their energies are baselines: atomic_baseline: {energy: {H: ..., C: ...}}"
        raise DataError(what, where=", ".join(names), hint=hint)
    sizes: dict[str, int] = {}
    for frame in frames if len(names) > 1 else ():
        sizes[frame.file] = max(sizes.get(frame.file, 0), len(frame.numbers))
    aside = {name for name in names if sizes.get(name, 2) < 2}
    if not aside:
        return Content(tuple(names), frames)
    return Content(
        tuple(name for name in names if name not in aside),
        [frame for frame in frames if frame.file not in aside],
        [frame for frame in frames if frame.file in aside],
    )


def _other(name: str) -> Problem | None:
    """What ``name`` is, where it is not a data file."""
    path = Path(name)
    if path.suffix in _OPTIONS:
        hint = f"it can be trained: mtt train {name}" if path.is_file() else "name data files"
        return Problem("is an options file, not a data file", name, hint)
    if path.suffix in _MODELS:
        return Problem("is a model, not a data file", name, f"mtt show {name} describes it")
    if is_packed(path):
        hint = "name the files that it was packed from, and then its folder in read_from"
        return Problem("is a packed data set", name, hint)
    return None


def _nearest(frame: RawFrame) -> list[float]:
    """Distance to the nearest atom over the sum of covalent radii, of some atoms."""
    n = len(frame.numbers)
    if not n or not ((frame.numbers > 0) & (frame.numbers < len(covalent_radii))).all():
        return []
    steps = [(-1, 0, 1) if periodic else (0,) for periodic in frame.pbc]
    images = np.array([[a, b, c] for a in steps[0] for b in steps[1] for c in steps[2]])
    shifts = images @ frame.cell
    radii = covalent_radii[frame.numbers]
    found = []
    for i in np.unique(np.linspace(0, n - 1, _CENTERS).astype(int)):
        vectors = frame.positions[None] - frame.positions[i] + shifts[:, None]
        distances = np.linalg.norm(vectors, axis=2)
        distances[(images == 0).all(axis=1), i] = np.inf
        ratio = float((distances / (radii + radii[i])).min())
        if np.isfinite(ratio):
            found.append(ratio)
    return found
