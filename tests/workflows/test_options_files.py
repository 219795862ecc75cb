"""Every form of metatrain's options file, with real data, through ``mtt train --dry-run``."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import ase.io
import metatensor.torch as mts
import numpy as np
import pytest
import torch
from ase.calculators.singlepoint import SinglePointCalculator
from metatensor.torch import TensorMap

from mtt import train
from mtt.cli.main import run
from mtt.data.info import TargetInfo
from mtt.data.tensor_files.declared import target_info
from mtt.data.tensor_maps import target_map
from mtt.errors import CheckpointError, ConfigError, DataError, MttError
from mtt.graph import Target
from mtt.options import load_eval_options, read_yaml

FILES = Path(__file__).resolve().parent.parent / "resources" / "options"
OUTCOMES = read_yaml(FILES / "outcomes.yaml")
REFUSED = [*OUTCOMES["refused"], *(path.stem for path in FILES.glob("no_architecture_*.yaml"))]

# what the data or the rest of the disk do not allow, though the options are right
NOT_HERE: dict[str, tuple[type[MttError], str]] = {
    "finetune": (CheckpointError, "no such file"),
    "finetune_in_full": (CheckpointError, "no such file"),
    "finetune_by_lora": (CheckpointError, "a.ckpt: no such file"),
    "finetune_heads": (CheckpointError, "a.ckpt: no such file"),
    "finetune_inherited_heads": (CheckpointError, "a.ckpt: no such file"),
    "multi_gpu": (ConfigError, "no multi-gpu device on this machine"),
    "fractions": (DataError, "fractions.yaml:4 validation_set: there are no structures"),
}

ETHANOLS = [
    "ethanol", "energies", "forces", "valid", "valid_7", "test", "a", "b", "c", "a_valid",
    "b_valid", "a_test", "b_test", "weights", "spins",
]  # fmt: skip
ENERGIES = ["U", "E", "U0", "U7", "E_pbe", "mtt::U", "mtt::U0"]
PER_ATOM = ["charge", "q", "weights"]
# numbers of an atom of H, and of C and O
IRREPS = {"channels": (13, 13), "coefficients": (2, 5), "coupled": (13, 13), "cartesian": (1, 9)}

# extended xyz has no columns with a colon in their name, and no keys with two sizes
OVERRIDES = {
    "own_target": ["training_set.systems=gaps.xyz"],
    "per_atom": ["training_set.targets.mtt::q.key=q"],
    "cartesian_targets": ["training_set.targets.mtt::dipole.key=dipoles"],
    "spherical_targets": ["training_set.targets.mtt::dipole.key=dipoles"],
    "direct_forces": ["training_set.targets.non_conservative_force.key=F"],
    "extra_data": ["training_set.extra_data.mtt::weights.key=weights"],
}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, ethanol: Path, alloy: Path) -> Path:
    """A folder with every file that the options name, and every key in every frame."""
    folder = tmp_path_factory.mktemp("data")
    shutil.copytree(FILES, folder, dirs_exist_ok=True)
    generator = np.random.default_rng(3)
    frames: Any = ase.io.read(ethanol, ":10")
    for atoms in frames:
        atoms.set_cell(20.0 * np.eye(3))
        atoms.pbc = True
        energy, forces = atoms.calc.results["energy"], atoms.calc.results["forces"]
        atoms.calc = SinglePointCalculator(atoms, energy=energy, forces=forces, stress=np.zeros(6))
        atoms.info.update(dict.fromkeys(ENERGIES, energy))
        atoms.info.update(
            energy_mask=1, total_charge=0.0, spin_multiplicity=1.0, REF_stress=np.zeros((3, 3))
        )
        atoms.info["mtt::gap"] = generator.normal()
        atoms.info["dipoles"] = generator.normal(size=3)
        atoms.info["subtargets"] = generator.normal(size=6)
        atoms.arrays.update(F=forces, F_pbe=forces)
        atoms.arrays.update({name: generator.normal(size=len(atoms)) for name in PER_ATOM})
        for name, (few, many) in IRREPS.items():
            rows = generator.normal(size=(len(atoms), many))
            rows[atoms.numbers == 1, few:] = np.nan
            if name == "cartesian":
                rows[atoms.numbers == 8] = np.nan  # which has none of them
            atoms.arrays[name] = rows
    for name in ETHANOLS:
        ase.io.write(folder / f"{name}.xyz", frames)
    for atoms in frames:
        atoms.info["mtt::gap"] = generator.normal(size=3)
    ase.io.write(folder / "gaps.xyz", frames)
    for atoms in frames:
        atoms.info["DOS"], atoms.info["mask"] = generator.random(24), np.arange(24) < 20
    ase.io.write(folder / "dos.xyz", frames)
    copper: Any = ase.io.read(alloy, ":")
    for atoms in copper:
        atoms.info["virial"] = -atoms.get_stress(voigt=False) * atoms.get_volume()
    ase.io.write(folder / "copper.xyz", copper)
    for name, info in tensor_targets().items():
        mts.save(str(folder / f"{name}.mts"), random_map(info, frames, generator))
    return folder


def tensor_targets() -> dict[str, TargetInfo]:
    """File to target of the options that name metatensor's files."""
    found = {}
    for file in ("atom_pairs", "metatensor_files"):
        (options,) = load_eval_options(read_yaml(FILES / f"{file}.yaml")["training_set"])
        for name, target in options.targets.items():
            gradients = ("positions",) if name == "energy" else ()
            found[name.removeprefix("mtt::")] = target_info(target, gradients)
    return found


def random_map(info: TargetInfo, frames: list[Any], generator: np.random.Generator) -> TensorMap:
    """Values of all structures, atoms, or pairs closer than 3 Å."""
    sizes = torch.tensor([len(atoms) for atoms in frames])
    pairs = []
    for number, atoms in enumerate(frames):
        near = atoms.get_all_distances() < 3.0
        pairs += [[number, i, j, 0, 0, 0] for i, j in np.argwhere(near) if i != j]
    n = {"system": len(frames), "atom": int(sizes.sum()), "atom_pair": len(pairs)}
    values = torch.from_numpy(generator.normal(size=(n[info.sample_kind], *info.shape)))
    forces = torch.from_numpy(generator.normal(size=(n["atom"], 3))) if info.has_forces else None
    numbers = torch.from_numpy(np.concatenate([atoms.numbers for atoms in frames]))
    of = (torch.arange(len(frames)), sizes, numbers, torch.tensor(pairs))
    return target_map("x", info, Target(values, forces), *of)


@pytest.mark.parametrize("name", OUTCOMES["values"])
def test_a_valid_file_passes_the_dry_run(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.chdir(data)
    overrides = OVERRIDES.get(name, [])
    before = sorted(data.rglob("*"))
    caplog.set_level(logging.INFO, "mtt")
    if name in NOT_HERE:
        kind, message = NOT_HERE[name]
        with pytest.raises(kind, match=message):
            train(f"{name}.yaml", overrides=overrides, dry_run=True)
    else:
        train(f"{name}.yaml", overrides=overrides, dry_run=True)
        architecture = read_yaml(FILES / f"{name}.yaml")["architecture"]["name"]
        assert f"{architecture} with" in caplog.text
        assert "nothing was trained" in caplog.text
    assert sorted(data.rglob("*")) == before


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_available_is_refused(
    name: str, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(data)
    before = sorted(data.rglob("*"))
    assert run(["train", f"{name}.yaml", "--dry-run"]) == 1
    message = capsys.readouterr().err
    assert f"{name}.yaml:" in message
    assert "not available" in message
    assert sorted(data.rglob("*")) == before


@pytest.mark.parametrize("name", OUTCOMES["contradictory"])
def test_contradictions_are_refused_before_data_are_read(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FILES)  # where there are no data
    with pytest.raises(ConfigError) as caught:
        train(f"{name}.yaml", dry_run=True)
    assert OUTCOMES["contradictory"][name] in str(caught.value)
