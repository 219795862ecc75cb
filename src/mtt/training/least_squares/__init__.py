"""Training in one step: models that are linear in their weights are solved by least squares."""

from mtt.training.least_squares.trainer import LeastSquaresTrainer

__all__ = ["LeastSquaresTrainer"]
