"""A sum of pair functions, written against the contract alone."""

from .model import RadialSum
from .trainer import RadialSumTrainer

__model__ = RadialSum
__trainer__ = RadialSumTrainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
