"""Two kinds of another package, a model that predicts them, and structures with their labels."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import pytest

from mtt.data import kinds

POINTS = "[mtt.target_kinds]\npolar = more_kinds.polar\nmultipole = more_kinds.multipole:KIND\n"
CHARGES = {1: 0.4, 6: -0.9, 8: 1.3}


@pytest.fixture(scope="module", autouse=True)
def more_kinds(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The package, installed: its modules and its entry points are on the path."""
    installed = tmp_path_factory.mktemp("installed")
    info = installed / "more_kinds-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: more_kinds\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(POINTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(root / "tests" / "resources" / "more_kinds"))
        patch.syspath_prepend(str(installed))
        kinds.of.cache_clear()
        yield
    kinds.of.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "more_kinds"]:
        del sys.modules[name]


@pytest.fixture(scope="session")
def folder(root: Path) -> Path:
    """The architecture."""
    return root / "tests" / "resources" / "folders" / "multipoles"


def fields(atoms: ase.Atoms) -> np.ndarray:
    """[n, 3]: sums over the other atoms, as the architecture has them, with other weights."""
    vectors = atoms.positions[None, :] - atoms.positions[:, None]
    r = np.linalg.norm(vectors, axis=2, keepdims=True)
    window = np.exp(-r) * np.clip(1 - r / 3.5, 0, None) ** 3
    charges = np.array([CHARGES[z] for z in atoms.numbers])
    return (vectors * window * charges[None, :, None]).sum(axis=1)


@pytest.fixture(scope="session")
def molecules() -> list[ase.Atoms]:
    """Twelve molecules with an energy, a dipole, and charge and dipole of every atom, twice.

    The charge of an atom is that of its element, and the square of its dipole.
    """
    random, made = np.random.default_rng(3), []
    for i in range(12):
        n = 3 + i % 3
        atoms = ase.Atoms(random.choice([1, 6, 8], n), 1.1 * random.normal(size=(n, 3)))
        own = fields(atoms)
        atoms.info["energy"] = float((own**2).sum())
        atoms.info["dipole"] = own.sum(axis=0)
        charges = [[CHARGES[z]] for z in atoms.numbers] + (own**2).sum(axis=1, keepdims=True)
        moments = np.concatenate([charges, own[:, [1, 2, 0]]], axis=1)
        atoms.arrays["moments"] = np.repeat(moments[:, :, None], 2, axis=2).reshape(n, 8)
        made.append(atoms)
    return made


@pytest.fixture(scope="session")
def file(molecules: list[ase.Atoms], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("molecules") / "molecules.xyz"
    ase.io.write(path, molecules)
    return path


@pytest.fixture(scope="session")
def targets() -> dict[str, Any]:
    """As options name them."""
    multipole = {"multipole": {"l": [0, 1]}}
    return {
        "energy": {"unit": "eV", "forces": False, "stress": False},
        "mtt::dipole": {"key": "dipole", "type": "polar", "unit": "D", "extensive": True},
        "mtt::moments": {
            "key": "moments",
            "type": multipole,
            "sample_kind": "atom",
            "num_subtargets": 2,
        },
    }


@pytest.fixture(scope="session")
def options(file: Path, targets: dict[str, Any]) -> dict[str, Any]:
    """A training on all of it, with rotations and inversions."""
    systems = {"read_from": str(file), "length_unit": "angstrom"}
    training = {"num_epochs": 1, "augmentation": "o3", "extended_metrics": True}
    return {
        "seed": 2,
        "base_precision": 64,
        "architecture": {"name": "multipoles", "training": training},
        "training_set": {"systems": systems, "targets": targets},
        "validation_set": 0.25,
        "test_set": 0.25,
    }
