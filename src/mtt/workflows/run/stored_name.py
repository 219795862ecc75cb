"""The name of the architecture in the checkpoints of a folder's own trainer, before it trains."""

from __future__ import annotations

import logging
import tempfile
from dataclasses import replace
from pathlib import Path

from mtt.checkpoint import read
from mtt.errors import ArchitectureError
from mtt.interface import ModelInterface, TrainerInterface
from mtt.training import MLIPTrainer

log = logging.getLogger(__name__)

_KEY = "architecture_name"


def check_stored_name(model: ModelInterface, trainer: TrainerInterface, name: str) -> None:
    """Have ``trainer`` save ``model`` into a folder that is removed, and read the name there.

    By this name the checkpoint finds its architecture again: with another one the training
    would be lost. A trainer that cannot save yet is asked for nothing; what it stores is seen
    when it has trained. The platform's own trainer stores the right name.

    :param name: the one that the options give.
    :raises ArchitectureError: the checkpoint holds another one.
    """
    if type(trainer).save_checkpoint is MLIPTrainer.save_checkpoint:
        return
    trainer.run = replace(trainer.run, architecture=name)
    with tempfile.TemporaryDirectory(prefix="mtt-rehearsal-") as folder:
        path = Path(folder, "rehearsal.ckpt")
        try:
            trainer.save_checkpoint(model, path)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            log.debug("%s saves nothing before it has trained: %s", type(trainer).__name__, error)
            return
        if not path.is_file():  # a trainer need not write a checkpoint
            return
        stored = read(path, architecture=name).get(_KEY, name)
    if stored != name:
        raise ArchitectureError(
            f"{type(trainer).__name__}.save_checkpoint stores the {_KEY} {stored!r}, but the "
            f"architecture is {name!r}: its checkpoints could not be loaded",
            hint=f"leave {_KEY} out, and it is added; or store self.run.architecture",
        )
