"""A model of another program, imported in memory, where a checkpoint is expected."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from mtt.checkpoint.format import ARCHITECTURE, PROVENANCE
from mtt.importing import checkpoint_of, read_foreign
from mtt.registry import Architecture
from mtt.workflows.bounded import bounded_by

log = logging.getLogger(__name__)


def imported(
    path: str | Path, architectures: Sequence[str | Path] = (), *, tell: bool = True
) -> tuple[dict[str, Any], Architecture]:
    """The checkpoint that ``mtt import`` makes of a file, and its architecture.

    :param tell: log where it comes from, and what of it is left out.
    :raises CheckpointError: the file is none that mtt imports; the message says what it is.
    """
    found, architecture = read_foreign(path, architectures)
    # first weights are drawn before the imported ones take their place
    weights = {ARCHITECTURE: architecture.name, **found.weights}
    with torch.random.fork_rng(devices=[]), bounded_by(weights, str(path)):
        checkpoint = checkpoint_of(found, architecture, path)
    if tell:
        log.info("%s: imported from %s", path, origin(checkpoint))
        for one in found.left_out:
            log.info("left out: %s", one)
    return checkpoint, architecture


def origin(checkpoint: Mapping[str, Any]) -> str:
    """``metatrain (PET, checkpoint version 16)``: where an imported checkpoint comes from."""
    known = checkpoint[PROVENANCE]["imported"]
    return f"{known['program']} ({known['kind']})"


def is_imported(checkpoint: Mapping[str, Any]) -> bool:
    """Whether the weights come from another program, and nothing was trained since."""
    known = checkpoint.get(PROVENANCE)
    return isinstance(known, Mapping) and known.get("start") == "imported"
