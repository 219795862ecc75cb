"""Export a model to a light archive: what rebuilds it, without any program."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from metatomic.torch import ModelMetadata

from mtt.checkpoint import (
    merge_metadata,
    metadata_from_dict,
    metadata_to_dict,
    read_archive,
    write_archive,
)
from mtt.errors import ArchitectureError
from mtt.exporting.expected import predict
from mtt.exporting.export import check_weights
from mtt.exporting.files import check_path, take_name, temporary
from mtt.exporting.inputs import trial_inputs
from mtt.exporting.structures import structure, trial_atoms
from mtt.exporting.verify import differences, tolerance_of
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.stopping import stop_if_asked

if TYPE_CHECKING:
    from mtt.data import Dataset


def export_archive(
    model: ModelInterface,
    path: str | Path,
    metadata: ModelMetadata | None = None,
    *,
    architecture: str,
    record: Mapping[str, Any] | None = None,
    verify_on: Dataset | None = None,
) -> Path:
    """Write ``model`` to ``path`` as a light archive (:mod:`mtt.checkpoint.archive`).

    The file is renamed to ``path`` when it is complete, verified and on the disk, like an exported
    model. It is read back, compared bit for bit, and rebuilt by the model's class; its
    predictions must be those of ``model``. No fresh process is needed: an archive holds values
    and no program, so that the code is always that of the class.

    :param metadata: added to the model's own: texts replaced, lists extended.
    :param architecture: the name by which the model is found again.
    :param record: further entries, such as ``provenance`` and ``best_epoch``. Plain types.
    :param verify_on: the data set that trial structures come from; None for random ones.
    :return: ``path``.
    :raises CheckpointError: ``path`` cannot be written, weights are not finite, or the model's
        checkpoint holds more than tensors and plain types.
    :raises ArchitectureError: the model does not come back as what it was.
    """
    target = Path(path)
    check_path(target, ".zip")
    check_weights(model)
    reference = copy.deepcopy(model).to("cpu").eval()
    content = {**reference.get_checkpoint(), "architecture_name": architecture, **(record or {})}
    if metadata is not None:
        own = metadata_from_dict(content.get("metadata") or {}, where=type(model).__name__)
        content["metadata"] = metadata_to_dict(merge_metadata(own, metadata))
    with temporary(target) as file:
        write_archive(file, content)
        stop_if_asked()
        _verify(reference, _rebuilt(type(model), file), verify_on, str(target))
        take_name(file, target)
    return target


def _rebuilt(model: type[ModelInterface], path: Path) -> ModelInterface:
    try:
        # the random numbers of the process are not drawn from
        with torch.random.fork_rng(devices=[]):
            # the one set of weights that get_checkpoint() knows is the latest
            rebuilt = model.load_checkpoint(read_archive(path), "restart")
    except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        what = f"{model.__name__} does not come back from its get_checkpoint()"
        raise ArchitectureError(f"{what}: {type(error).__name__}: {error}") from error
    return rebuilt.to("cpu").eval()


def _verify(
    model: ModelInterface, rebuilt: ModelInterface, dataset: Dataset | None, where: str
) -> None:
    lists = model.requested_neighbor_lists()
    cutoff = max((options.cutoff for options in lists), default=4.0)
    examples = model.example_structures() if isinstance(model, MLIPModel) else []
    atoms = trial_atoms(model.dataset_info.atomic_types, cutoff, dataset, examples)
    asked = sorted(model.requested_inputs()) if isinstance(model, MLIPModel) else []
    more = trial_inputs(model, asked, atoms, dataset)
    structures = [structure(one, lists) | own for one, own in zip(atoms, more, strict=True)]
    floating = (p.dtype for p in model.parameters() if p.is_floating_point())
    dtype = next(floating, torch.float64)
    wanted = predict(model, structures, lists, dtype)
    found = {name: one.values for name, one in predict(rebuilt, structures, lists, dtype).items()}
    problems = differences(wanted, found, tolerance_of(model, dtype), torch.finfo(dtype).eps)
    if problems:
        what = "the model that is built from the archive is another one: "
        hint = "what decides predictions must be in get_checkpoint(); nothing was written"
        raise ArchitectureError(what + "; ".join(problems), where=where, hint=hint)
