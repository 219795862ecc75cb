"""Writes stored checkpoints and archives of the architectures' present versions, and predictions.

    python tests/architectures/stored.py

A file that exists is not touched: what has been released stays as it is. Raise
``__checkpoint_version__`` (or ``STATE_VERSION`` of the engine), write the upgrade step, and then
run this. The archive is exported from the checkpoint; it has the version of its own format
besides.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ase
import torch
from ase.calculators.morse import MorsePotential

from mtt import export, load_model, registry
from mtt.checkpoint import read
from mtt.checkpoint.archive import ARCHIVE_VERSION
from mtt.data import Dataset
from mtt.interface import ModelInterface, Run
from mtt.options.yaml.overrides import deep_merge
from mtt.testing import predictions, systems

FOLDER = Path(__file__).parent.parent / "resources" / "checkpoints"
ELEMENTS = (1, 6, 8)
MODELS: dict[str, dict[str, Any]] = {
    "soap_bpnn": {
        "soap": {"max_angular": 1, "max_radial": 1, "cutoff": {"radius": 3.0}},
        "bpnn": {"num_hidden_layers": 1, "num_neurons_per_layer": 2},
    },
    "pet": {
        **dict.fromkeys(("d_pet", "d_node", "d_head", "d_feedforward", "num_heads"), 2),
        "cutoff": 3.0,
        "num_attention_layers": 1,
        "num_gnn_layers": 1,
    },
    "density_messages": {
        **dict.fromkeys(("num_channels", "num_features", "num_radial", "num_layers"), 2),
        "cutoff": 3.0,
        "cutoff_width": 3.0,
        "max_angular": 1,
        "average_neighbors": 6.0,
        "normalize": True,
        "zbl": False,
    },
}
TRAINING = {"num_epochs": 4, "batch_size": 4, "warmup_fraction": 0.0}
# so high that the last epoch is not the best
LEARNING_RATES = {"soap_bpnn": 0.1, "pet": 0.08, "density_messages": 0.8}
TARGETS = {"energy": {"key": "energy", "unit": "eV", "forces": {"key": "forces"}}}


def path_of(name: str, checkpoint: Mapping[str, Any]) -> Path:
    """Where a checkpoint of the versions of this one lies; its predictions lie beside, as JSON.

    The state of the platform's engine has a version of its own, which is named from 2 on.
    """
    model, trainer = checkpoint["model_ckpt_version"], checkpoint["trainer_ckpt_version"]
    state = checkpoint["trainer_state"]["version"]
    engine = f"-state-{state}" if state > 1 else ""
    return FOLDER / f"{name}-model-{model}-trainer-{trainer}{engine}.ckpt"


def archive_of(name: str, archive_version: int, model_version: int) -> Path:
    """Where the archive of these versions lies."""
    return FOLDER / f"{name}-archive-{archive_version}-model-{model_version}.zip"


def structures() -> list[ase.Atoms]:
    """What the predictions are for."""
    return systems.ordinary(ELEMENTS)


def trained(name: str, folder: Path) -> Path:
    """A checkpoint of a short training, written to ``folder``."""
    architecture = registry.find(name).load()
    training, validation = data(8, seed=1), data(3, seed=2)
    torch.manual_seed(0)
    hypers = deep_merge(architecture.default_hypers["model"], MODELS[name])
    model = architecture.model(hypers, training.info)
    options = {**TRAINING, "learning_rate": LEARNING_RATES[name], "loss": loss()}
    trainer = architecture.trainer(options)
    trainer.run = Run(seed=0, architecture=name)
    cpu = [torch.device("cpu")]
    trainer.train(model, torch.float64, cpu, [training], [validation], str(folder))
    trainer.save_checkpoint(model, folder / "model.ckpt")
    return folder / "model.ckpt"


def data(n: int, seed: int) -> Dataset:
    """Clusters with the energies and forces of a Morse potential."""
    frames = []
    for i in range(n):
        frame = systems.cluster(ELEMENTS)[: 7 - i % 4]
        frame.rattle(0.1, seed=100 * seed + i)
        frame.calc = MorsePotential(epsilon=0.5, r0=1.5, rho0=4.0)
        labelled = ase.Atoms(frame.numbers, frame.positions)
        labelled.info["energy"] = frame.get_potential_energy()
        labelled.arrays["forces"] = frame.get_forces()
        frames.append(labelled)
    return Dataset.from_atoms(frames, TARGETS)


def loss() -> dict[str, Any]:
    term = {"type": "mse", "weight": 1.0, "reduction": "mean"}
    return {"energy": {**term, "gradients": {"positions": dict(term)}}}


def predicted(name: str, path: Path) -> dict[str, Any]:
    """What the latest and the best weights predict for :func:`structures`, as plain numbers."""
    architecture = registry.find(name).load()
    return {
        context: numbers(architecture.model.load_checkpoint(read(path), context))
        for context in ("restart", "export")
    }


def numbers(model: ModelInterface) -> list[dict[str, Any]]:
    """What ``model`` predicts for :func:`structures`."""
    return [
        {part: getattr(one["energy"], part).tolist() for part in ("values", "forces", "strain")}
        for one in predictions(model, structures())
    ]


def write_checkpoint(name: str) -> Path | None:
    """A checkpoint of the present versions and its predictions; None if there is one."""
    with tempfile.TemporaryDirectory() as folder:
        made = trained(name, Path(folder))
        path = path_of(name, read(made))
        if path.exists():
            return None
        path.write_bytes(made.read_bytes())
    path.with_suffix(".json").write_text(json.dumps(predicted(name, path)) + "\n")
    return path


def write_archive(name: str) -> Path | None:
    """An archive of the present versions and its predictions; None if there is one."""
    model = registry.find(name).load().model
    path = archive_of(name, ARCHIVE_VERSION, model.__checkpoint_version__)
    if path.exists():
        return None
    source = max(FOLDER.glob(f"{name}-model-{model.__checkpoint_version__}-trainer-*.ckpt"))
    export(source, path)
    path.with_suffix(".json").write_text(json.dumps(numbers(load_model(path))) + "\n")
    return path


def main() -> None:
    """Write what there is not yet of these versions."""
    written = [write(name) for name in MODELS for write in (write_checkpoint, write_archive)]
    if not any(written):
        raise SystemExit("all exist; raise __checkpoint_version__ first")


if __name__ == "__main__":
    main()
