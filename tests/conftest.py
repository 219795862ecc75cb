"""What all tests share: one thread each, so that numbers repeat and workers do not fight."""

from __future__ import annotations

import copy
import os
from pathlib import Path
from typing import Any

import pytest

os.environ.setdefault("OMP_NUM_THREADS", "1")  # read when torch is loaded, here or in a child
os.environ.setdefault("MKL_NUM_THREADS", "1")

EMT_RESULTS = ("energy", "forces", "stress")
ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout that the tests belong to."""
    return ROOT


@pytest.fixture(scope="session")
def cpp_compiler() -> None:
    """Skips where there is no C++ compiler."""
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError):
        pytest.skip("there is no C++ compiler")


@pytest.fixture(scope="session")
def ethanol(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Path:
    """A file with twenty frames of ethanol: energies and forces."""
    lines = (root / "examples" / "data" / "ethanol.xyz").read_text().splitlines(keepends=True)
    path = tmp_path_factory.mktemp("ethanol") / "ethanol.xyz"
    path.write_text("".join(lines[: 20 * (9 + 2)]))
    return path


@pytest.fixture(scope="session")
def alloy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with twelve frames of Cu-Au, strained and displaced: energies, forces, stresses."""
    import ase.io
    import numpy as np
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.calculators.singlepoint import SinglePointCalculator

    generator = np.random.default_rng(5)
    frames = []
    for _ in range(12):
        atoms = bulk("Cu", cubic=True)
        atoms.numbers[generator.integers(4)] = 79
        strain = np.eye(3) + generator.normal(0.0, 0.02, (3, 3))
        atoms.set_cell(atoms.cell @ strain, scale_atoms=True)
        atoms.rattle(0.05, rng=generator)
        atoms.calc = EMT()
        results = {name: atoms.calc.get_property(name, atoms) for name in EMT_RESULTS}
        atoms.calc = SinglePointCalculator(atoms, **results)
        frames.append(atoms)
    path = tmp_path_factory.mktemp("alloy") / "alloy.xyz"
    ase.io.write(path, frames)
    return path


@pytest.fixture(scope="session")
def tiny_options(ethanol: Path) -> dict[str, Any]:
    """Options of a model so small that an epoch takes no time; not to be changed."""
    return {
        "seed": 1,
        "base_precision": 64,
        "architecture": {
            "name": "soap_bpnn",
            "model": {
                "soap": {"max_angular": 1, "max_radial": 2, "cutoff": {"radius": 2.5}},
                "bpnn": {"num_hidden_layers": 1, "num_neurons_per_layer": 4},
            },
            "training": {"batch_size": 4, "num_epochs": 2},
        },
        "training_set": {
            "systems": {"read_from": str(ethanol), "length_unit": "angstrom"},
            "targets": {"energy": {"unit": "eV", "forces": True, "stress": False}},
        },
        "validation_set": 0.2,
        "test_set": 0.1,
    }


@pytest.fixture
def tiny(tiny_options: dict[str, Any]) -> dict[str, Any]:
    """The options of a tiny model, to be changed at will."""
    return copy.deepcopy(tiny_options)
