"""The model that a fine-tuning begins with."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from mtt.checkpoint.kinds import check_path, refuse_unless_zip
from mtt.data import DatasetInfo
from mtt.data.files.inputs import expanded
from mtt.fetching import Fetched, located, named_by_address
from mtt.fetching.address import is_address
from mtt.interface import ModelInterface
from mtt.nn import building
from mtt.registry import Architecture
from mtt.workflows.run.load_model import load_checkpoint, model_from
from mtt.workflows.run.provenance import file_hash, stored_provenance

log = logging.getLogger(__name__)


_NOWHERE: Mapping[str, Any] = {"sha256": None, "epoch": None, "provenance": {}}


class Wanted(NamedTuple):
    """What decides how the source is found and read.

    :param read_from: a file, an address, or the name of weights that the architecture has.
    :param architecture: of the run.
    :param hypers: of its model; published weights are built with them.
    :param info: of the data; published weights are built for it.
    """

    read_from: str
    architecture: Architecture
    hypers: Mapping[str, Any]
    info: DatasetInfo
    dtype: torch.dtype
    seed: int
    folders: Sequence[str | Path]


class Source(NamedTuple):
    """A model to start from.

    :param checkpoint: empty for published weights.
    :param origin: the architecture that the file is of.
    :param facts: where it comes from, for the provenance.
    """

    model: ModelInterface
    checkpoint: dict[str, Any]
    origin: Architecture
    facts: dict[str, Any]


def check_file(hypers: Mapping[str, Any], architecture: Architecture) -> None:
    """Refuse a source that is missing or that no model can be in, before the data are read.

    :param hypers: of the run: ``model`` and ``training``.
    :raises CheckpointError: it is not a file that :func:`read_source` could read.
    """
    finetune = hypers["training"].get("finetune")
    name = finetune.get("read_from") if isinstance(finetune, Mapping) else None
    if not isinstance(name, str) or is_address(name):
        return
    if name == architecture.model.pretrained(dict(hypers["model"])):
        return
    path = check_path(expanded(name))
    with open(path, "rb") as file:
        refuse_unless_zip(file, path)


def read_source(wanted: Wanted) -> Source:
    """The best weights of a file, or weights that the architecture knows by name.

    :raises CheckpointError: the file is not there, or not a model of the platform.
    """
    name, own = wanted.read_from, wanted.architecture
    if name == own.model.pretrained(dict(wanted.hypers)):
        with building(wanted.seed, wanted.dtype):
            model = own.model(dict(wanted.hypers), wanted.info)
        facts = {"path": name, **_NOWHERE}
        if Path(name).expanduser().is_file():
            facts["sha256"] = file_hash(Path(name).expanduser())
        return Source(model, {}, own, facts)
    file = located(expanded(name))
    with named_by_address(file):
        return _read(file, wanted)


def _read(file: Fetched, wanted: Wanted) -> Source:
    checkpoint, origin = load_checkpoint(file.path, wanted.folders, name=wanted.architecture.name)
    best = checkpoint.get("best_epoch")
    facts = {
        "path": file.url or str(file.path),
        "sha256": file_hash(file.path),
        "epoch": best if best is not None else checkpoint.get("epoch"),
        "provenance": stored_provenance(file.path, checkpoint),
    }
    model = model_from(checkpoint, origin, "finetune", file.path)
    return Source(model, checkpoint, origin, facts)
