"""What a solution follows from, as a short text: where it is the same, nothing is solved again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mtt.data import Dataset


def fingerprint(
    hypers: Mapping[str, Any], train_datasets: Sequence[Dataset], val_datasets: Sequence[Dataset]
) -> str:
    """The hash of options, structures and labels."""
    digest = hashlib.sha256(json.dumps(hypers, sort_keys=True, default=str).encode())
    for dataset in (*train_datasets, *val_datasets):
        digest.update(dataset.n_atoms.numpy().tobytes() + dataset.types.numpy().tobytes())
        digest.update(dataset.weights.numpy().tobytes())
        for name in dataset.info.targets:
            for labels in dataset.target(name):
                digest.update(b"" if labels is None else labels.numpy().tobytes())
    return digest.hexdigest()
