"""SevenNet: published equivariant networks of 89 elements, to be fine-tuned."""

from mtt.experimental.sevennet.model import SevenNet
from mtt.experimental.sevennet.trainer import Trainer

__model__ = SevenNet
__trainer__ = Trainer
__extra__ = "sevennet"
__packages__ = ("sevenn", "e3nn")
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
