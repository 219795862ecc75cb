"""What the benchmarks share: the data, the options, and a line about the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import ase
import ase.io
import torch
from surroundings import ROOT, data_file, processor

import mtt

BATCH_SIZE = 10


def machine() -> str:
    """Processor, cores, threads and versions, for the head of a table."""
    load = os.getloadavg()[0]
    return (
        f"{processor()}, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, torch {torch.__version__}, mtt {mtt.__version__}; "
        f"load before the start {load:.1f}"
    )


def structures() -> tuple[Path, str]:
    """Acetylacetone at 300 K if it is there, else the ethanol of the examples; and a name.

    It is looked for in ``$MTT_DATA`` and in ``../shared/data`` beside the repository.
    """
    found = data_file("acac/train_300K.xyz")
    if found is not None:
        return found, "acac (15 atoms)"
    path = ROOT / "examples" / "data" / "ethanol.xyz"
    return path, "ethanol of the examples (9 atoms); there is no acac/train_300K.xyz in $MTT_DATA"


def options(path: Path, training: dict[str, Any], limit: int | None = None) -> dict[str, Any]:
    """soap_bpnn in float32 on energies and forces; the last 10 % of the file is validation.

    :param training: over the trainer's defaults.
    :param limit: use this many frames only, from the start.
    """
    n = len(ase.io.read(path, ":" if limit is None else f":{limit}"))
    n_training = round(0.9 * n)
    target = {"key": "energy", "unit": "eV", "forces": {"key": "forces"}, "stress": False}
    data = {
        "systems": {"read_from": str(path), "length_unit": "angstrom"},
        "targets": {"energy": target},
    }
    return {
        "seed": 1,
        "base_precision": 32,
        "architecture": {
            "name": "soap_bpnn",
            "training": {"batch_size": BATCH_SIZE, "log_mae": True, **training},
        },
        "training_set": {**data, "indices": list(range(n_training))},
        "validation_set": {**data, "indices": list(range(n_training, n))},
        "test_set": 0.0,
    }
