"""What the benchmarks share: the data, the options, and a line about the machine."""

from __future__ import annotations

import os
import platform
from pathlib import Path
from typing import Any

import ase
import ase.io
import torch

import mtt

ROOT = Path(__file__).resolve().parent.parent
BATCH_SIZE = 10


def machine() -> str:
    """Processor, cores, threads and versions, for the head of a table."""
    names = [
        line.partition(":")[2].strip()
        for line in _lines("/proc/cpuinfo")
        if line.startswith("model name")
    ]
    processor = names[0] if names else platform.processor() or platform.machine()
    load = os.getloadavg()[0]
    return (
        f"{processor}, {os.cpu_count()} cores, {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, torch {torch.__version__}, mtt {mtt.__version__}; "
        f"load before the start {load:.1f}"
    )


def structures() -> tuple[Path, str]:
    """Acetylacetone at 300 K if it is there, else the ethanol of the examples; and a name.

    It is looked for in ``$MTT_DATA`` and in ``../shared/data`` beside the repository.
    """
    folders = [os.environ.get("MTT_DATA"), ROOT.parent / "shared" / "data"]
    for folder in folders:
        if folder is not None:
            path = Path(folder).resolve() / "acac" / "train_300K.xyz"
            if path.is_file():
                return path, "acac (15 atoms)"
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


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []
