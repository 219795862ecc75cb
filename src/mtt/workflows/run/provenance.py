"""Where weights come from: stored in checkpoints, or beside those of an own trainer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from mtt._version import __version__
from mtt.checkpoint import read, write
from mtt.data.storage.columns import layout
from mtt.data.storage.pair_labels import pair_targets
from mtt.errors import CheckpointError
from mtt.workflows.run.datasets import Data
from mtt.workflows.run.folder import PROVENANCE, root_of


def provenance(start: Mapping[str, Any], seed: int, data: Data) -> dict[str, Any]:
    """What a run is made of, as plain types.

    :param start: where its first weights come from.
    """
    whole, labelled = fingerprints(data)
    return {
        **start,
        "seed": seed,
        "data": whole,
        "labelled_data": labelled,
        "mtt_version": __version__,
        "torch_version": str(torch.__version__),
    }


def fingerprint(data: Data) -> str:
    """SHA-256 of what is trained and validated on: structures, labels and ``extra_data``, in their
    order."""
    return fingerprints(data)[0]


def fingerprints(data: Data) -> tuple[str, str]:
    """:func:`fingerprint`, and the same without ``extra_data``, whose names may differ among runs
    that learn the same labels."""
    digest, labelled = hashlib.sha256(), hashlib.sha256()
    for one in [*data.training, *data.validation]:
        sizes = one.n_atoms.numpy().tobytes()
        digest.update(sizes)
        labelled.update(sizes)
        # what a structure counts in the loss is an option, as the loss itself
        specs = {name: spec for name, spec in layout(one.info).items() if name != "weights"}
        for chunk in one.columns.chunks(one.structures):
            for name, spec in specs.items():
                rows = one.columns.take(name, chunk, per_atom=spec.per_atom).numpy().tobytes()
                for each in [digest] if name.startswith("extra:") else [digest, labelled]:
                    each.update(name.encode())
                    each.update(rows)
        for name in pair_targets(one.info):
            labels = one.pair_labels(name)
            assert labels is not None, name
            for each in (digest, labelled):
                each.update(name.encode())
                each.update(labels.content())
    return digest.hexdigest(), labelled.hexdigest()


def file_hash(path: str | Path) -> str:
    """SHA-256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def completed(path: Path, name: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """The checkpoint at ``path``, with what the trainer of a folder left out, also in the file:
    architecture and provenance.

    :raises CheckpointError: it cannot be read safely.
    """
    checkpoint = read(path, architecture=name)
    if "provenance" not in checkpoint:
        checkpoint = {**checkpoint, "provenance": dict(known)}
        write(path, checkpoint)
    return checkpoint


def stored_provenance(path: Path, checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """The provenance in a checkpoint, otherwise that of its run folder.

    :raises CheckpointError: the file of the run folder is damaged.
    """
    stored = checkpoint.get("provenance")
    if isinstance(stored, Mapping):
        return dict(stored)
    beside = root_of(path) / PROVENANCE
    if not beside.is_file():
        return {}
    try:
        known = json.loads(beside.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot be read: {error}", where=str(beside)) from error
    if not isinstance(known, dict):
        raise CheckpointError("holds no provenance", where=str(beside))
    return known
