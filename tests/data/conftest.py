"""Options and real data for the tests of data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import ase
import ase.io
import numpy as np
import pytest
import torch

from mtt.data import Dataset, DatasetInfo, Frame, FrameLabels, TargetInfo
from mtt.data.read import read_frames
from mtt.errors import DataError
from mtt.options import DatasetOptions, GradientOptions, SystemsOptions, TargetOptions


@pytest.fixture
def energy_options() -> Callable[..., DatasetOptions]:
    """One energy target of a file: ``energy_options(path, forces=("key", explicit))``."""

    def make(
        path: Path | str,
        key: str = "energy",
        extra: dict[str, TargetOptions] | None = None,
        indices: list[int] | None = None,
        read_from: Path | str | None = None,
        length_unit: str = "angstrom",
        unit: str = "eV",
        **gradients: tuple[str, bool],
    ) -> DatasetOptions:
        file = str(read_from or path)
        found = {
            name: GradientOptions(file, None, key, explicit)
            for name, (key, explicit) in gradients.items()
        }
        target = TargetOptions("energy", file, None, key, unit, **found)
        systems = SystemsOptions(str(path), None, length_unit)
        return DatasetOptions(systems, {"energy": target}, extra or {}, indices)

    return make


@pytest.fixture
def h2() -> Callable[..., ase.Atoms]:
    """Two hydrogen atoms with labels, per atom where an array has two rows."""

    def make(**labels: object) -> ase.Atoms:
        atoms = ase.Atoms("H2", [[0, 0, 0], [0, 0, 0.74]])
        for key, value in labels.items():
            per_atom = isinstance(value, np.ndarray) and len(value) == 2
            (atoms.arrays if per_atom else atoms.info)[key] = value
        return atoms

    return make


@pytest.fixture
def file(tmp_path: Path) -> Callable[..., Path]:
    """Writes structures to a file, and gives its path."""

    def write(*structures: ase.Atoms, name: str = "set.xyz") -> Path:
        ase.io.write(tmp_path / name, list(structures))
        return tmp_path / name

    return write


@pytest.fixture
def refuse() -> Callable[[DatasetOptions], str]:
    """The message that reading ends with, files without their folder."""

    def read(options: DatasetOptions) -> str:
        with pytest.raises(DataError) as caught:
            read_frames(options)
        return str(caught.value).replace(str(Path(options.systems.read_from).parent) + "/", "")

    return read


@pytest.fixture(scope="session")
def real_data(root: Path) -> Path:
    """The folder of reference data; skips where there is none."""
    folder = Path(os.environ.get("MTT_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("needs the reference data (set MTT_DATA)")
    return folder


@pytest.fixture
def full_info() -> DatasetInfo:
    """An energy with forces and stress, a scalar per atom, a pair of scalars, extra data."""
    targets = {
        "energy": TargetInfo.energy(forces=True, stress=True),
        "mtt::charge": TargetInfo(sample_kind="atom"),
        "mtt::two/numbers": TargetInfo(properties=2),
    }
    return DatasetInfo("angstrom", (1, 6, 8), targets, {"mtt::weight": TargetInfo()})


@pytest.fixture
def make_frames() -> Callable[..., list[Frame]]:
    """Random frames for ``full_info``; every fourth is one atom, ``pbc`` differs per frame."""

    def make(n: int, seed: int = 0, periodic: bool = True) -> list[Frame]:
        random = np.random.default_rng(seed)
        frames = []
        for i in range(n):
            n_atoms = 1 if i % 4 == 3 else int(random.integers(2, 9))
            labels = {
                "energy": FrameLabels(
                    random.normal(size=(1, 1)) - 9391.0,
                    random.normal(size=(n_atoms, 3)),
                    random.normal(size=(3, 3)),
                ),
                "mtt::charge": FrameLabels(random.normal(size=(n_atoms, 1))),
                "mtt::two/numbers": FrameLabels(random.normal(size=(1, 2))),
            }
            frames.append(
                Frame(
                    random.choice([1, 6, 8], n_atoms),
                    random.uniform(-2, 7, (n_atoms, 3)),
                    random.normal(size=(3, 3)) + 5 * np.eye(3),
                    random.integers(0, 2, 3).astype(bool) & periodic,
                    labels,
                    {"mtt::weight": random.normal(size=(1, 1))},
                    f"seed {seed}, frame {i}",
                )
            )
        return frames

    return make


@pytest.fixture(scope="session")
def assert_equal() -> Callable[[Dataset, Dataset], None]:
    """Asserts that two data sets hold the same, number for number."""

    def check(one: Dataset, other: Dataset) -> None:
        assert one.info == other.info
        assert [one.source(i) for i in range(len(one))] == [
            other.source(i) for i in range(len(other))
        ]
        assert torch.equal(one.n_atoms, other.n_atoms)
        assert torch.equal(one.types, other.types)
        assert torch.equal(one.volumes, other.volumes)
        for name in one.info.targets:
            for ours, theirs in zip(one.target(name), other.target(name), strict=True):
                assert (ours is None) == (theirs is None)
                if ours is not None:
                    torch.testing.assert_close(ours, theirs, rtol=0, atol=0, equal_nan=True)
        for name in one.info.extra_data:
            assert torch.equal(one.extra(name), other.extra(name))
        for i in range(len(one)):
            assert one.atoms(i) == other.atoms(i)

    return check
