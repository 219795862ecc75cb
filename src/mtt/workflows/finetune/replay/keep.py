"""The replayed structures of a run: in its data, and in its folder for a restart."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path

import numpy as np

from mtt.data import Dataset, merge, pack
from mtt.errors import CheckpointError
from mtt.workflows.finetune.replay.make import Asked, Replay, make_replay
from mtt.workflows.restart.source import Restart
from mtt.workflows.run.datasets import Data
from mtt.workflows.run.folder import root_of

log = logging.getLogger(__name__)

FOLDER = "replay"
"""In the folder of a run: what :func:`keep` writes."""

_ABOUT = "replay.json"

# what engines show of variants: metatomic warns where one has no description
NEW = "labels that the model was fine-tuned to"
OLD = "reference of the model that the fine-tuning began with"


def replay_of(asked: Asked, resumed: Restart | None) -> Replay | None:
    """The replayed structures that a fine-tuning asks for: those of the run that is resumed.

    :raises MttError: see :func:`find_replay`.
    """
    if asked.finetune.replay is None:
        return None
    return find_replay(asked, None if resumed is None else root_of(resumed.path))


def find_replay(asked: Asked, run: Path | None) -> Replay:
    """That of the run in the folder ``run``; a new one where there is no such folder.

    Labels of the source are numbers of one machine: a restart takes those that were learned.

    :raises MttError: see :func:`mtt.workflows.finetune.replay.make.make_replay`.
    """
    if run is not None and (run / FOLDER / _ABOUT).is_file():
        return _read(run)
    return make_replay(asked)


def keep(replay: Replay, run: Path) -> None:
    """Write the structures into the folder of the run, unless they are there.

    :raises DataError: it cannot be written.
    """
    about = run / FOLDER / _ABOUT
    if about.is_file():
        return
    about.parent.mkdir(exist_ok=True)
    sets = [one for one in (replay.learned, replay.held) if one is not None]
    pack(sets, about.parent / "structures")
    held, heads = len(replay.held), dict(replay.heads)
    known = {"held": held, "heads": heads, "frames": dict(replay.frames)}
    about.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def _read(run: Path) -> Replay:
    path = run / FOLDER / _ABOUT
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        n_held, heads, frames = known["held"], known["heads"], known["frames"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        hint = f"remove {path.parent}: the structures are then chosen again"
        raise CheckpointError(f"cannot be read: {error}", where=str(path), hint=hint) from error
    whole = Dataset.open(path.parent / "structures")
    order = np.arange(len(whole))
    first = len(whole) - int(n_held)
    learned = whole.select(order[:first]) if first else None
    log.info("replay: %d structures with their labels are those of %s", len(whole), path.parent)
    return Replay(learned, whole.select(order[first:]), heads, frames)


def with_replay(data: Data, replay: Replay) -> Data:
    """``data`` with the structures that are learned and held; as it is where none is learned."""
    if replay.learned is None:
        return data
    added = merge([replay.learned, replay.held]).info.targets
    kept = {
        name: replace(one, description=one.description or f"{OLD} ({replay.heads[name]})")
        for name, one in added.items()
    }
    new = {
        name: replace(one, description=one.description or NEW)
        for name, one in data.info.targets.items()
    }
    info = data.info.with_targets({**new, **kept})
    frames = {name: [list(numbers)] for name, numbers in replay.frames.items()}
    return data._replace(
        training=[*data.training, replay.learned],
        validation=[*data.validation, replay.held],
        info=info,
        indices={**data.indices, **frames},
        places={**data.places, **{name: [[]] for name in frames}},
    )
