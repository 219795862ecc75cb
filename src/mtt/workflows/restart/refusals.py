"""Changed options that a resumed training cannot take."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mtt.data.files.inputs import expanded
from mtt.errors import CheckpointError, DataError, Problem
from mtt.fetching import located
from mtt.options import RawOptions
from mtt.registry import Architecture
from mtt.training import MLIPTrainer
from mtt.training.options.on_restart import refusal
from mtt.workflows.restart.differences import Difference, said
from mtt.workflows.restart.stored_options import stands_by_default
from mtt.workflows.run.provenance import file_hash

_TRAINING = ("architecture", "training")
_MODEL = ("architecture", "model")


def refusals(
    changed: Sequence[Difference],
    checkpoint: Mapping[str, Any],
    architecture: Architecture,
    raw: RawOptions,
    where: str,
) -> Iterator[Problem]:
    """A problem for each of the changes that would be ignored, with both values.

    An architecture with its own training loop decides what it takes; ``finetune`` acts
    before any loop.

    :param checkpoint: what is resumed.
    :param where: its path.
    """
    for one in changed:
        why = _why(one, checkpoint, architecture)
        if not why:
            continue
        place = raw.places.where(one.path).removesuffix(one.key).strip()
        put_back = "put the old value back" + (f" ({place})" if place else "")
        of_model = one.path[:2] == _MODEL
        what = said(one, "checkpoint" if of_model else "run")
        new = "train a new model" if of_model else "begin a new run, or fine-tune this checkpoint"
        yield Problem(what, where, f"{why}: {put_back}, or {new}")


def _why(one: Difference, checkpoint: Mapping[str, Any], architecture: Architecture) -> str:
    path = one.path
    if path[:2] == _MODEL:
        return "a trained model keeps its options"
    if path[:2] != _TRAINING or len(path) < 3 or stands_by_default(one):
        return ""
    trainer = architecture.trainer
    if path[2] == "finetune":
        return "" if _is_same_source(one, checkpoint) else refusal(path[2:], -1)
    if not issubclass(trainer, MLIPTrainer):
        return ""
    state = checkpoint.get("trainer_state")
    stage = state.get("stage", -1) if isinstance(state, Mapping) else -1
    return refusal(path[2:], stage, trainer.__taken_on_restart__)


def _is_same_source(one: Difference, checkpoint: Mapping[str, Any]) -> bool:
    """Whether another path, or an address, names the file that the run was fine-tuned from."""
    if one.path[3:] != ("read_from",) or not isinstance(one.new, str):
        return False
    source = (checkpoint.get("provenance") or {}).get("source")
    known = source.get("sha256") if isinstance(source, Mapping) else None
    if known is None:
        return False
    with contextlib.suppress(OSError, DataError, CheckpointError):
        return bool(file_hash(located(expanded(one.new)).path) == known)
    return False
