"""Small walks of real physics (EMT), whose labels tests spoil; and what a scan says of them."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.singlepoint import SinglePointCalculator

from mtt.data import Dataset, read_dataset
from mtt.options import load_eval_options
from mtt.scanning import Finding, scan

Frames = list[ase.Atoms]
ENERGY = {"key": "energy", "unit": "eV", "forces": True}


def labelled(atoms: ase.Atoms, *names: str) -> ase.Atoms:
    """A copy with the labels that EMT gives."""
    done = atoms.copy()
    done.calc = EMT()
    results = {name: done.calc.get_property(name, done) for name in names}
    done.calc = SinglePointCalculator(done, **results)
    return done


@pytest.fixture(scope="session")
def _cluster() -> Frames:
    generator = np.random.default_rng(11)
    start = bulk("Cu", cubic=True).repeat((2, 1, 1))
    start.pbc, start.cell = False, None
    start.numbers[[1, 6]] = 79
    found = []
    for _ in range(40):
        moved = start.copy()
        moved.rattle(0.06, rng=generator)
        moved.rotate(generator.uniform(0, 90), generator.normal(size=3))
        found.append(labelled(moved, "energy", "forces"))
    return found


@pytest.fixture(scope="session")
def _crystal() -> Frames:
    generator = np.random.default_rng(12)
    start = bulk("Cu", cubic=True)
    start.numbers[0] = 79
    found = []
    for _ in range(30):
        moved = start.copy()
        strain = np.eye(3) + generator.normal(0.0, 0.01, (3, 3))
        moved.set_cell(moved.cell @ strain, scale_atoms=True)
        moved.rattle(0.03, rng=generator)
        found.append(labelled(moved, "energy", "forces", "stress"))
    return found


@pytest.fixture
def cluster(_cluster: Frames) -> Frames:
    """Forty frames of a cluster, Cu6Au2, displaced and turned: energies and forces."""
    return copy.deepcopy(_cluster)


@pytest.fixture
def crystal(_crystal: Frames) -> Frames:
    """Thirty frames of a crystal, Cu3Au, strained and displaced: energies, forces, stresses."""
    return copy.deepcopy(_crystal)


@pytest.fixture
def found() -> Callable[..., list[Finding]]:
    """``found(frames, check, ...)``: what a scan says of one subject, or of all but ``fine``."""

    def found(
        parts: Frames | Mapping[str, Sequence[Frames]],
        check: str = "",
        *,
        energy: Mapping[str, Any] = ENERGY,
        length_unit: str = "angstrom",
        **options: Any,
    ) -> list[Finding]:
        named = parts if isinstance(parts, Mapping) else {"training": [parts]}
        sets = {
            part: [
                Dataset.from_atoms(frames, {"energy": energy}, length_unit=length_unit)
                for frames in lists
            ]
            for part, lists in named.items()
        }
        said = scan(sets, **options)
        return [one for one in said if (one.check == check if check else one.severity != "fine")]

    return found


@pytest.fixture
def relabel() -> Callable[..., None]:
    """``relabel(atoms, energy=lambda e: -e)``: labels of a frame, changed."""

    def relabel(atoms: ase.Atoms, **changes: Callable[[Any], Any]) -> None:
        for name, change in changes.items():
            atoms.calc.results[name] = change(atoms.calc.results[name])

    return relabel


@pytest.fixture
def keep_labels() -> Callable[[ase.Atoms], None]:
    """``keep_labels(atoms)`` after a change of its structure: else ASE drops them."""

    def keep_labels(atoms: ase.Atoms) -> None:
        atoms.calc.atoms = atoms.copy()

    return keep_labels


@pytest.fixture
def frames_of() -> Callable[[Finding], dict[str, list[int]]]:
    """The frames that a finding names, by part."""

    def frames_of(finding: Finding) -> dict[str, list[int]]:
        return {place.part: list(place.frames) for place in finding.places}

    return frames_of


@pytest.fixture
def found_in_files(tmp_path: Path) -> Callable[..., list[Finding]]:
    """``found_in_files(frames, check)``: as ``found``, of files that are read, with their keys.

    Frames are those of ``train.xyz``, or lists of frames by file name.
    """

    def found_in_files(
        files: Frames | Mapping[str, Frames],
        check: str = "",
        *,
        energy: Mapping[str, Any] = ENERGY,
        extra_data: Mapping[str, Any] | None = None,
    ) -> list[Finding]:
        named = files if isinstance(files, Mapping) else {"train.xyz": files}
        for name, frames in named.items():
            ase.io.write(tmp_path / name, frames)
        options = load_eval_options(
            [
                {
                    "systems": {"read_from": str(tmp_path / name), "length_unit": "angstrom"},
                    "targets": {"energy": dict(energy)},
                    **({"extra_data": dict(extra_data)} if extra_data else {}),
                }
                for name in named
            ]
        )
        said = scan({"training": [read_dataset(one) for one in options]}, {"training": options})
        return [one for one in said if (one.check == check if check else one.severity != "fine")]

    return found_in_files
