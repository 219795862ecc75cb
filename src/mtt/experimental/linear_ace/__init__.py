"""Linear ACE: products of an atom's density, and weights that are solved for at once."""

from mtt.experimental.linear_ace.model import LinearACE
from mtt.experimental.linear_ace.trainer import Trainer

__model__ = LinearACE
__trainer__ = Trainer
__authors__ = [("the mtt developers", "@mtt")]
__maintainers__ = [("the mtt developers", "@mtt")]
