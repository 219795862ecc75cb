"""What an architecture that reads files of other programs gives to the platform.

Its folder has a module ``imports.py`` with

- ``CLASSES``: full names of the classes whose objects such files hold. Their code is not
  run: an object is read as a mapping of its attributes, or as ``{"state": …}`` where it is stored
  otherwise;
- ``read(content) -> Imported | None``: the model in what a file holds, None for a file of
  another kind. It raises ``CheckpointError`` for a file of its kind that it cannot take.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from mtt.data.info import DatasetInfo

READER = "imports.py"
"""File in the folder of an architecture that reads files of other programs."""


@dataclass(frozen=True)
class Imported:
    """A model of another program, in the terms of one architecture.

    :param program: who wrote it: ``"metatrain"``.
    :param kind: what it is there, for people: ``"PET, checkpoint version 16"``.
    :param hypers: options of the model; those that are left out have their defaults.
    :param info: its elements, targets and units.
    :param weights: the network's, by their names in the model's ``state_dict``; all of them.
    :param composition: per target the number of each element, [n_types, properties] float64.
    :param scales: per target what the network's numbers are multiplied by.
    :param metadata: fields of metatomic's ``ModelMetadata``.
    :param left_out: what of the file is not in this model, one sentence each.
    """

    program: str
    kind: str
    hypers: Mapping[str, Any]
    info: DatasetInfo
    weights: Mapping[str, Tensor]
    composition: Mapping[str, Tensor]
    scales: Mapping[str, float]
    metadata: Mapping[str, Any] = field(default_factory=dict)
    left_out: Sequence[str] = ()
