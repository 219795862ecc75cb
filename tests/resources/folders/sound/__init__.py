from .model import Sound
from .trainer import Trainer

__model__ = Sound
__trainer__ = Trainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
