"""Train, export and evaluate atomistic machine-learning models from one YAML file.

The public names are loaded on first use (PEP 562), so that ``import mtt`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mtt._version import __version__

_PUBLIC = {
    "ModelInterface": "mtt.interface",
    "TrainerInterface": "mtt.interface",
    "Run": "mtt.interface",
    "MLIPModel": "mtt.mlip",
    "MLIPTrainer": "mtt.training",
    "LeastSquaresTrainer": "mtt.training.least_squares",
    "Graph": "mtt.graph",
    "Target": "mtt.graph",
    "Dataset": "mtt.data",
    "DatasetInfo": "mtt.data",
    "TargetInfo": "mtt.data",
    "train": "mtt.workflows",
    "evaluate": "mtt.workflows",
    "export": "mtt.workflows",
    "load_model": "mtt.workflows",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'mtt' has no attribute {name!r}")
    value = getattr(import_module(_PUBLIC[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
