"""Density messages: equivariant message passing by neighbour densities seen along pairs."""

from mtt.architectures.density_messages.model import DensityMessages
from mtt.architectures.density_messages.trainer import Trainer

__model__ = DensityMessages
__trainer__ = Trainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
