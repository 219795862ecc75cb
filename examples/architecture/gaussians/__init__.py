"""Gaussians of distances and one small network: the shortest architecture worth training."""

from .model import Gaussians
from .trainer import Trainer

__model__ = Gaussians
__trainer__ = Trainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
