"""Train, export and evaluate atomistic machine-learning models from one YAML file.

The public names are loaded on first use (PEP 562), so that ``import mtt`` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from mtt._version import __version__

if TYPE_CHECKING:  # what type checkers and editors see of the names below
    from mtt.data import Dataset as Dataset
    from mtt.data import DatasetInfo as DatasetInfo
    from mtt.data import TargetInfo as TargetInfo
    from mtt.exporting.calculator import calculator as calculator
    from mtt.graph import Graph as Graph
    from mtt.graph import Graphs as Graphs
    from mtt.graph import Target as Target
    from mtt.interface import ModelInterface as ModelInterface
    from mtt.interface import Run as Run
    from mtt.interface import TrainerInterface as TrainerInterface
    from mtt.mlip import MLIPModel as MLIPModel
    from mtt.training import MLIPTrainer as MLIPTrainer
    from mtt.training.least_squares import LeastSquaresTrainer as LeastSquaresTrainer
    from mtt.workflows.evaluate import evaluate as evaluate
    from mtt.workflows.export import export as export
    from mtt.workflows.run.load_model import load_model as load_model
    from mtt.workflows.train import train as train

_PUBLIC = {
    "ModelInterface": "mtt.interface",
    "TrainerInterface": "mtt.interface",
    "Run": "mtt.interface",
    "MLIPModel": "mtt.mlip",
    "MLIPTrainer": "mtt.training",
    "LeastSquaresTrainer": "mtt.training.least_squares",
    "Graph": "mtt.graph",
    "Graphs": "mtt.graph",
    "Target": "mtt.graph",
    "Dataset": "mtt.data",
    "DatasetInfo": "mtt.data",
    "TargetInfo": "mtt.data",
    "Imported": "mtt.importing",
    "calculator": "mtt.exporting.calculator",
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
