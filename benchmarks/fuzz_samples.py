"""Small sound files of every kind that `mtt` reads, for `fuzz.py` to spoil."""

import gzip
from pathlib import Path
from typing import Dict, List, Optional

import ase
import ase.io
import numpy as np
import torch
from ase.calculators.singlepoint import SinglePointCalculator
from metatensor.torch import Labels, TensorMap
from metatomic.torch import (
    AtomisticModel,
    ModelCapabilities,
    ModelMetadata,
    ModelOutput,
    NeighborListOptions,
    System,
)

from mtt.checkpoint import write, write_archive
from mtt.data import pack, read_dataset
from mtt.options import load_eval_options

_OPTIONS = """\
seed: 1
base_precision: 64
device: cpu
architecture:
  name: soap_bpnn
  atomic_types: [H, 6, O]
  model:
    soap: {max_angular: 1, max_radial: 2, cutoff: {radius: 2.5, width: 0.5}}
    bpnn: {num_hidden_layers: 1, num_neurons_per_layer: 4}
  training:
    batch_size: 4
    num_epochs: ${seed}
    learning_rate: 1e-3
    loss: {energy: {type: mse, weight: 1.0, forces: {type: mae, weight: 10}}}
training_set:
  - systems: {read_from: "a.xyz", length_unit: angstrom}
    targets:
      energy: {unit: eV, key: energy, forces: {key: forces}, stress: off}
    weight: 2
  - systems: {read_from: b.xyz, length_unit: Angstrom}
    targets:
      energy: {unit: eV, read_from: "${systems.read_from}"}
    indices: [0, 1, 2]
validation_set: 0.1
test_set: 0.2
wandb: off
"""
_EVAL = """\
- systems: {read_from: a.xyz, length_unit: angstrom}
  targets: &targets
    energy: {unit: eV, forces: on, stress: {key: stress}}
  name: first
- systems: b.xyz
  targets: *targets
  indices: [0, 3]
"""


def options(folder: Path) -> Path:
    """An options file with a bit of everything."""
    path = folder / "options.yaml"
    path.write_text(_OPTIONS)
    return path


def eval_options(folder: Path) -> Path:
    """Options of `mtt eval`."""
    path = folder / "eval.yaml"
    path.write_text(_EVAL)
    return path


def extxyz(folder: Path) -> Path:
    """Four frames with energies, forces, stresses and further columns."""
    generator = np.random.default_rng(0)
    frames = []
    for n in (2, 3, 4, 2):
        atoms = ase.Atoms("HCOH"[:n], generator.uniform(0, 5, (n, 3)), cell=np.eye(3) * 5, pbc=True)
        results = {
            "energy": generator.normal(),
            "forces": generator.normal(size=(n, 3)),
            "stress": generator.normal(size=6),
        }
        atoms.calc = SinglePointCalculator(atoms, **results)
        atoms.info["config_type"] = "a name"
        atoms.arrays["kept"] = np.arange(n) > 0
        frames.append(atoms)
    path = folder / "frames.xyz"
    ase.io.write(path, frames)
    return path


def compressed(folder: Path) -> Path:
    """The same, compressed."""
    path = folder / "frames.xyz.gz"
    path.write_bytes(gzip.compress(extxyz(folder).read_bytes(), mtime=0))
    return path


def _content() -> dict[str, object]:
    """What a small model and its training store."""
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    optimizer = torch.optim.Adam(model.parameters())
    model(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    return {
        "architecture_name": "soap_bpnn",
        "model_ckpt_version": 1,
        "trainer_ckpt_version": 1,
        "model_hypers": {"cutoff": 5.0, "widths": [8, 8]},
        "train_hypers": {"num_epochs": 10, "atoms": {1: -13.6}},
        "dataset_info": {
            "length_unit": "angstrom",
            "atomic_types": [1, 6],
            "targets": {"energy": {"quantity": "energy", "unit": "eV"}},
            "extra_data": {},
        },
        "metadata": {"name": "a name", "authors": ["somebody"]},
        "provenance": {"torch": "2.13.0"},
        "model_state_dict": model.state_dict(),
        "epoch": 3,
        "best_epoch": 2,
        "best_metric": float("nan"),
        "trainer_state": {"step": 30, "optimizer": optimizer.state_dict()},
    }


def checkpoint(folder: Path) -> Path:
    """A checkpoint of a training."""
    path = folder / "last.ckpt"
    write(path, _content())
    return path


def archive(folder: Path) -> Path:
    """The light archive of a model."""
    path = folder / "model.zip"
    content = _content()
    del content["trainer_state"]
    write_archive(path, content)
    return path


class Nothing(torch.nn.Module):
    """A model that predicts nothing."""

    def requested_neighbor_lists(self) -> List[NeighborListOptions]:
        return [NeighborListOptions(4.5, False, True)]

    def forward(
        self,
        systems: List[System],
        outputs: Dict[str, ModelOutput],
        selected_atoms: Optional[Labels] = None,
    ) -> Dict[str, TensorMap]:
        return {}


def exported(folder: Path) -> Path:
    """An exported model."""
    capabilities = ModelCapabilities(
        outputs={"energy": ModelOutput(unit="eV", sample_kind="system")},
        atomic_types=[1, 6],
        interaction_range=4.5,
        length_unit="angstrom",
        supported_devices=["cpu"],
        dtype="float64",
    )
    path = folder / "model.pt"
    AtomisticModel(Nothing().eval(), ModelMetadata(name="small"), capabilities).save(path)
    return path


def store(folder: Path) -> Path:
    """A packed data set, with neighbour lists."""
    systems = {"read_from": str(extxyz(folder)), "length_unit": "angstrom"}
    targets = {"energy": {"unit": "eV", "forces": True, "stress": True}}
    (read,) = load_eval_options({"systems": systems, "targets": targets})
    packed = pack([read_dataset(read)], folder / "packed")
    packed.pairs(3.0)
    return folder / "packed"
