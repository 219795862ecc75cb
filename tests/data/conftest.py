"""Options and real data for the tests of data."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

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


@pytest.fixture(scope="session")
def real_data(root: Path) -> Path:
    """The folder of reference data; skips where there is none."""
    folder = Path(os.environ.get("MTT_DATA", root.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip("needs the reference data (set MTT_DATA)")
    return folder
