"""SevenNet: pretrained equivariant networks of 89 elements, to be fine-tuned; or one from nothing."""

from mtt.experimental.sevennet.model import SevenNet
from mtt.experimental.sevennet.trainer import Trainer

__model__ = SevenNet
__trainer__ = Trainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
