"""A trained model in ASE, in a process that imports metatomic and ASE only."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

from mtt import ModelInterface, export, load_model, train
from mtt.data import Dataset
from mtt.errors import ConfigError
from mtt.evaluation import predict
from mtt.workflows.run.folder import RunFolder

Fit = Callable[..., RunFolder]
Forked = Callable[..., Any]

ENGINE = """
import json, sys
import ase.io
import numpy as np
from metatomic_ase import MetatomicCalculator

results = {}
for model, frames in json.loads(sys.argv[1]):
    calculator = MetatomicCalculator(model, device="cpu", check_consistency=True)
    rows = results[model] = []
    for atoms in ase.io.read(frames, ":"):
        atoms.calc = calculator
        row = {"energy": atoms.get_potential_energy(), "forces": atoms.get_forces().tolist()}
        rows.append(row)
        if not atoms.pbc.all():
            continue
        row["stress"] = atoms.get_stress(voigt=False).tolist()
        slopes = np.zeros((3, 3))
        for a, b in ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)):
            for sign, weight in ((1, 8), (2, -1), (-1, -8), (-2, 1)):  # fourth order
                strain = np.eye(3)
                strain[a, b] += sign * 1e-3 / 2
                strain[b, a] += sign * 1e-3 / 2
                strained = atoms.copy()
                strained.set_cell(atoms.cell.array @ strain, scale_atoms=True)
                strained.calc = calculator
                slopes[a, b] += weight * strained.get_potential_energy() / 12e-3
            slopes[b, a] = slopes[a, b]
        row["slopes"] = (slopes / atoms.get_volume()).tolist()
assert not [name for name in sys.modules if name.split(".")[0] == "mtt"]
print(json.dumps(results))
"""


def engine(forked: Forked, *jobs: tuple[str, str]) -> dict[str, list[dict[str, Any]]]:
    Path("engine.py").write_text(ENGINE)
    done = forked("engine.py", json.dumps(jobs))
    assert done.returncode == 0, done.stderr
    results: dict[str, list[dict[str, Any]]] = json.loads(done.stdout.splitlines()[-1])
    return results


def training_code(checkpoint: str, frames: str) -> list[dict[str, Any]]:
    """Energies, forces and stresses of the code that the model is trained with."""
    model = load_model(checkpoint)
    assert isinstance(model, ModelInterface)
    dataset = Dataset.from_atoms(ase.io.read(frames, ":"), {})
    rows = []
    for one in predict(model, dataset):
        target = one.targets["energy"]
        assert target.forces is not None
        assert target.strain is not None
        row = {"energy": float(target.values), "forces": target.forces.numpy()}
        rows.append(row)
        if one.volumes > 0:
            row["stress"] = target.strain[0].numpy() / float(one.volumes)
    return rows


def shifted(source: Path, target: str) -> None:
    """Frames with total energies of about -9000 eV."""
    frames = ase.io.read(source, ":10")
    for atoms in frames:
        results = {**atoms.calc.results, "energy": atoms.calc.results["energy"] - 8700.0}
        atoms.calc = SinglePointCalculator(atoms, **results)
    ase.io.write(target, frames)


def largest(one: Any, two: Any) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(two)).max())


def test_ase_gives_what_the_training_code_gives(
    tiny: dict[str, Any], fit: Fit, forked: Forked, ethanol: Path, alloy: Path
) -> None:
    heavy = json.loads(json.dumps(tiny))
    shifted(ethanol, "heavy.xyz")
    heavy["base_precision"] = 32
    heavy["training_set"]["systems"]["read_from"] = "heavy.xyz"
    folder = fit(heavy)
    export(folder.checkpoint, "heavy.pt")

    tiny["training_set"]["systems"]["read_from"] = str(alloy)
    tiny["training_set"]["targets"]["energy"]["stress"] = True
    tiny["architecture"]["model"]["soap"]["cutoff"]["radius"] = 4.0
    train(tiny, output="alloy.pt")

    ase.io.write("few.xyz", ase.io.read(alloy, ":2"))
    found = engine(forked, ("alloy.pt", "few.xyz"), ("heavy.pt", "heavy.xyz"))
    expected = training_code("alloy.ckpt", "few.xyz")
    for row, wanted in zip(found["alloy.pt"], expected, strict=True):
        for key in ("energy", "forces", "stress"):
            scale = np.abs(wanted[key]).max()
            assert largest(row[key], wanted[key]) <= 1e-10 * scale, key
        scale = np.abs(row["stress"]).max()
        assert largest(row["stress"], row["slopes"]) <= 1e-6 * scale
    expected = training_code(str(folder.checkpoint), "heavy.xyz")
    for row, wanted in zip(found["heavy.pt"], expected, strict=True):
        assert row["energy"] < -8900.0
        assert abs(row["energy"] - wanted["energy"]) < 1e-5
        assert largest(row["forces"], wanted["forces"]) < 1e-4


def test_export_takes_two_precisions(tiny: dict[str, Any], fit: Fit, here: Path) -> None:
    folder = fit(tiny)
    with pytest.raises(ConfigError, match=r"float16.*float32, float64"):
        export(folder.checkpoint, "model.pt", dtype="float16")
    assert {path.name for path in here.iterdir()} == {"outputs"}
