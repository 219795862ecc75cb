"""The way through the house, from an options file to an evaluated model; the Python API."""

from mtt.workflows.evaluate import evaluate
from mtt.workflows.export import export
from mtt.workflows.run.load_model import load_model
from mtt.workflows.train import train

__all__ = ["evaluate", "export", "load_model", "train"]
