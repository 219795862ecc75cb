"""Which structures and labels the parts of the data consist of, so that runs can be compared."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from mtt.data import Dataset
from mtt.data.storage.columns import layout
from mtt.data.storage.pair_labels import pair_targets
from mtt.workflows.run.datasets import Data

SETS = "sets"
"""Key in the file of the provenance."""

STRUCTURES = "structures"
"""Name of the digest of the structures without their labels."""

_OF_STRUCTURES = ("numbers", "positions", "cells", "pbc")
_SIZES = "sizes"
_LABELS = ("values:", "forces:", "strain:")
_LENGTH = 16  # hexadecimal digits


def sets_of(data: Data) -> dict[str, Any]:
    """The number of structures of each part; of validation and test set digests, as plain types.

    ``{"test": {"n": 50, "digests": {"structures": "…", "values:energy": "…"}}}``: SHA-256 of
    the structures, and of each kind of label, in their order. Errors of two runs are of the same
    structures and labels if these digests are equal, whatever the runs were trained on.
    """
    return {
        part: {"n": sum(map(len, sets)), **_digests(part, sets)}
        for part, sets in data.parts().items()
    }


def _digests(part: str, sets: Sequence[Dataset]) -> dict[str, dict[str, str]]:
    if part == "training":  # as large as the data, and its errors compare no models
        return {}
    columns: dict[str, Any] = {_SIZES: hashlib.sha256()}
    for one in sets:
        columns[_SIZES].update(one.n_atoms.numpy().astype("int64").tobytes())
        specs = {
            name: spec
            for name, spec in layout(one.info).items()
            if name in _OF_STRUCTURES or name.startswith(_LABELS)
        }
        for chunk in one.columns.chunks(one.structures):
            for name, spec in specs.items():
                rows = one.columns.take(name, chunk, per_atom=spec.per_atom)
                columns.setdefault(name, hashlib.sha256()).update(rows.numpy().tobytes())
        for target in pair_targets(one.info):
            labels = one.pair_labels(target)
            assert labels is not None, target
            name = f"{_LABELS[0]}{target}"
            columns.setdefault(name, hashlib.sha256()).update(labels.content())
    # by column, so that it does not matter how the structures are divided among files
    found = {name: one.hexdigest()[:_LENGTH] for name, one in columns.items()}
    structures = " ".join(found.pop(name) for name in (_SIZES, *_OF_STRUCTURES))
    return {"digests": {STRUCTURES: _digest(structures), **found}}


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_LENGTH]
