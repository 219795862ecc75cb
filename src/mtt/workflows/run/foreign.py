"""A model of another program, imported in memory, where a checkpoint is expected."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mtt.checkpoint.format import ARCHITECTURE, PROVENANCE
from mtt.checkpoint.kinds import names_in
from mtt.checkpoint.read import ForeignObjects, NotOurs
from mtt.importing import Unrecognised, checkpoint_of, program_in, read_foreign, refusal
from mtt.registry import Architecture
from mtt.workflows.bounded import bounded_by

log = logging.getLogger(__name__)


def imported(
    path: str | Path, architectures: Sequence[str | Path] = (), *, announce: bool = True
) -> tuple[dict[str, Any], Architecture]:
    """The checkpoint that ``mtt import`` makes of a file, and its architecture.

    :param announce: log where it comes from, and what of it is left out.
    :raises CheckpointError: the file is none that mtt imports; the message says what it is.
    """
    found, architecture = read_foreign(path, architectures)
    # first weights are drawn before the imported ones take their place
    weights = {ARCHITECTURE: architecture.name, **found.weights}
    with torch.random.fork_rng(devices=[]), bounded_by(weights, str(path)):
        checkpoint = checkpoint_of(found, architecture, path)
    if announce:
        log.info("%s: imported from %s", path, origin(checkpoint))
        for one in found.left_out:
            log.info("left out: %s", one)
    return checkpoint, architecture


def imported_instead(
    error: NotOurs, path: str | Path, architectures: Sequence[str | Path] = (), **how: bool
) -> dict[str, Any]:
    """The checkpoint of :func:`imported`, of a file that is none of mtt.

    :param error: what the reader of checkpoints says of it.
    :param how: as for :func:`imported`.
    :raises CheckpointError: it is not imported either: names the program where it is known, else
        is ``error``.
    """
    try:
        return imported(path, architectures, **how)[0]
    except Unrecognised:
        if isinstance(error, ForeignObjects):
            raise
        raise error from None


def refuse_programs(path: str | Path) -> None:
    """:raises CheckpointError: ``path`` is a program of another package, which is named."""
    kind = program_in(names_in(path))
    if kind is not None:
        raise refusal(Path(path), kind, ())


def origin(checkpoint: Mapping[str, Any]) -> str:
    """``metatrain (PET, checkpoint version 16)``: where an imported checkpoint comes from."""
    known = checkpoint[PROVENANCE]["imported"]
    return f"{known['program']} ({known['kind']})"


def is_imported(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the weights come from another program, and nothing was trained since."""
    known = checkpoint.get(PROVENANCE)
    return isinstance(known, Mapping) and known.get("start") == "imported"
