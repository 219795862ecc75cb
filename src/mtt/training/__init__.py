"""The engine: one training loop for every architecture that builds on MLIPModel."""

from mtt.training.options.defaults import default_hypers, training_schema
from mtt.training.stopping.timing import TrainingInterrupted
from mtt.training.trainer import MLIPTrainer

__all__ = ["MLIPTrainer", "TrainingInterrupted", "default_hypers", "training_schema"]
