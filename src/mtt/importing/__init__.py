"""Models of other programs: their files are read as values, and become mtt's checkpoints."""

from mtt.importing.contract import READER, Imported
from mtt.importing.convert import checkpoint_of
from mtt.importing.read import read_foreign
from mtt.importing.recognise import Unrecognised, program_in, refusal

__all__ = [
    "READER",
    "Imported",
    "Unrecognised",
    "checkpoint_of",
    "program_in",
    "read_foreign",
    "refusal",
]
