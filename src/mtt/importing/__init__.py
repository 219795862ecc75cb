"""Models of other programs: their files are read as values, and become mtt's checkpoints."""

from mtt.importing.contract import READER, Imported
from mtt.importing.convert import checkpoint_of
from mtt.importing.read import read_foreign

__all__ = ["READER", "Imported", "checkpoint_of", "read_foreign"]
