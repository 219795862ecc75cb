"""PET: the point-edge transformer, unconstrained attention among pairs."""

from mtt.architectures.pet.model import PET
from mtt.architectures.pet.trainer import Trainer

__model__ = PET
__trainer__ = Trainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
