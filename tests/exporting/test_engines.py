"""What ASE's users get from an exported file, in a process that knows metatomic and ASE only."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from mtt import DatasetInfo, MLIPModel
from mtt.architectures.soap_bpnn import __model__ as SoapBPNN
from mtt.data import Batching, Dataset, Loader
from mtt.exporting import export_model
from mtt.options.yaml.load import read_yaml

Forked = Callable[..., Any]

ENGINE = """
import sys
import ase
import numpy as np
from metatomic_ase import MetatomicCalculator

model, frames, results = sys.argv[1:]
given, found = np.load(frames), {}
calculator = MetatomicCalculator(model, device="cpu", check_consistency=True)
for i in range(int(given["n"])):
    parts = {key: given[f"{key}{i}"] for key in ("numbers", "positions", "cell", "pbc")}
    atoms = ase.Atoms(**parts)
    atoms.calc = calculator
    found[f"energy{i}"] = atoms.get_potential_energy()
    found[f"forces{i}"] = atoms.get_forces()
    if not atoms.pbc.all():
        continue
    found[f"stress{i}"] = atoms.get_stress(voigt=False)
    slopes = np.zeros((3, 3))
    for a, b in np.ndindex(3, 3):
        energies = []
        for step in (2e-4, -2e-4, 4e-4, -4e-4):
            strain = np.eye(3)
            strain[a, b] += step / 2
            strain[b, a] += step / 2
            strained = atoms.copy()
            strained.set_cell(atoms.cell.array @ strain, scale_atoms=False)
            strained.positions = atoms.positions @ strain
            strained.calc = calculator
            energies.append(strained.get_potential_energy())
        # central differences of fourth order
        near, far = energies[0] - energies[1], energies[2] - energies[3]
        slopes[a, b] = (8 * near - far) / 12 / 2e-4 / atoms.get_volume()
    found[f"slopes{i}"] = slopes
assert not [name for name in sys.modules if name.split(".")[0] == "mtt"]
np.savez(results, **found)
"""


def run_engine(
    forked: Forked, model: Path, dataset: Dataset, folder: Path
) -> dict[str, np.ndarray]:
    frames: dict[str, object] = {"n": len(dataset)}
    for i in range(len(dataset)):
        atoms = dataset.atoms(i)
        for key, value in {
            "numbers": atoms.numbers,
            "positions": atoms.positions,
            "cell": atoms.cell.array,
            "pbc": atoms.pbc,
        }.items():
            frames[f"{key}{i}"] = value
    np.savez(folder / "frames.npz", **frames)
    (folder / "engine.py").write_text(ENGINE)
    done = forked(folder / "engine.py", model, folder / "frames.npz", folder / "results.npz")
    assert done.returncode == 0, done.stderr
    return dict(np.load(folder / "results.npz"))


def check_engine(forked: Forked, model: MLIPModel, dataset: Dataset, folder: Path) -> None:
    path = export_model(model, folder / "model.pt", verify_on=dataset)
    found = run_engine(forked, path, dataset, folder)
    loader = Loader(
        dataset,
        model.dataset_info.atomic_types,
        cutoff=model.list_cutoff(),
        dtype=model.dtype,
        batching=Batching(structures=1),
        shuffle=False,
    )
    for i, batch in enumerate(loader.epoch()):
        target = model.predict_targets(batch.graph)["energy"]
        assert found[f"energy{i}"] == pytest.approx(target.values.item(), rel=1e-10)
        forces = target.forces.numpy()
        np.testing.assert_allclose(found[f"forces{i}"], forces, rtol=1e-10, atol=1e-12)
        if dataset.atoms(i).pbc.all():
            stress = target.strain[0].numpy() / batch.volumes.item()
            np.testing.assert_allclose(found[f"stress{i}"], stress, rtol=1e-10, atol=1e-13)
            scale = np.abs(stress).max()
            np.testing.assert_allclose(found[f"slopes{i}"], stress, rtol=1e-6, atol=1e-6 * scale)


def test_ases_calculator_gives_what_the_training_code_gives(
    forked: Forked, model: MLIPModel, dataset: Dataset, tmp_path: Path
) -> None:
    check_engine(forked, model, dataset, tmp_path)


def test_ases_calculator_gives_what_soap_bpnns_training_code_gives(
    forked: Forked, info: DatasetInfo, dataset: Dataset, root: Path, tmp_path: Path
) -> None:
    folder = root / "src" / "mtt" / "architectures" / "soap_bpnn"
    hypers = read_yaml(folder / "default-hypers.yaml")["model"]
    hypers["soap"] |= {"max_angular": 3, "max_radial": 3}
    torch.manual_seed(0)
    check_engine(forked, SoapBPNN(hypers, info).to(torch.float64), dataset, tmp_path)
