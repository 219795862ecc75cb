"""Energies of atoms from the distances and directions of their neighbours."""

from .model import Gaussians
from .trainer import Trainer

__model__ = Gaussians
__trainer__ = Trainer
__authors__ = [("Your Name", "@you")]
__maintainers__ = [("Your Name", "@you")]
