"""Energies of atoms from the distances and directions of their neighbours."""

from .model import MyArchitecture
from .trainer import Trainer

__model__ = MyArchitecture
__trainer__ = Trainer
__authors__ = [("Your Name", "@you")]
__maintainers__ = [("Your Name", "@you")]
