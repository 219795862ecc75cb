from .model import Multipoles
from .trainer import Trainer

__model__ = Multipoles
__trainer__ = Trainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
