"""Export a model to a file that metatomic's engines run: complete and verified, or absent."""

from __future__ import annotations

import copy
import inspect
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from metatomic.torch import AtomisticModel, ModelMetadata

from mtt.checkpoint import merge_metadata
from mtt.checkpoint.format import n_bytes
from mtt.errors import ArchitectureError, CheckpointError, MttError, Problem
from mtt.exporting.blame import hint_of, place_of, whole_text
from mtt.exporting.files import check_path, check_space, take_name, temporary
from mtt.exporting.verify import verify
from mtt.interface import ModelInterface
from mtt.progress import working
from mtt.stopping import stop_if_asked

if TYPE_CHECKING:
    from mtt.data import Dataset

_CODE = 4 * 2**20
"""Bytes that are kept free for the code of a model, which take some hundred thousand."""


def export_model(
    model: ModelInterface,
    path: str | Path,
    metadata: ModelMetadata | None = None,
    *,
    dtype: torch.dtype | None = None,
    verify_on: Dataset | None = None,
) -> Path:
    """Write ``model`` to ``path`` as metatomic's ``AtomisticModel`` in TorchScript.

    The file is first written under another name in the same folder, loaded back in a fresh
    process that knows metatomic only, and compared with ``model``: values, forces, stress
    (:func:`mtt.exporting.verify`). Only then is it renamed; an existing file
    stays until then. ``model`` itself is not changed.

    :param metadata: added to the model's own: texts replaced, lists extended.
    :param dtype: precision of the interface, float32 or float64; None for the model's choice.
    :param verify_on: the data set that trial structures come from; None for random ones.
    :return: ``path``.
    :raises CheckpointError: ``path`` cannot be written, or weights are not finite.
    :raises ArchitectureError: the model cannot be compiled, or the file predicts something
        else than the model.
    """
    target = Path(path)
    check_path(target)
    check_weights(model)
    # an author's export() may change the module it is called on
    reference = copy.deepcopy(model).to("cpu").eval()
    stop_if_asked()
    with working(f"exporting to {target.name}"), temporary(target) as file:
        exported = _exported(copy.deepcopy(reference), metadata, dtype)
        _save(exported, file, type(model))
        stop_if_asked()
        verify(reference, exported, file, verify_on, where=str(target))
        take_name(file, target)
    return target


def check_weights(model: ModelInterface) -> None:
    """Refuse a model whose weights are not finite.

    :raises CheckpointError: naming all of them.
    """
    # a buffer may well be infinite (a mask), but nothing is ever meant to be NaN
    problems = [
        Problem(f"{name} holds values that are not finite", type(model).__name__)
        for name, weights in model.named_parameters()
        if not bool(torch.isfinite(weights).all())
    ]
    problems += [
        Problem(f"{name} holds NaN", type(model).__name__)
        for name, values in model.named_buffers()
        if bool(torch.isnan(values).any())
    ]
    if problems:
        hint = "the training diverged; take an earlier checkpoint"
        problems[-1] = problems[-1]._replace(hint=hint)
        raise CheckpointError.collect(problems)


def _exported(
    model: ModelInterface, metadata: ModelMetadata | None, dtype: torch.dtype | None
) -> AtomisticModel:
    name = type(model).__name__
    merged = model.metadata if metadata is None else merge_metadata(model.metadata, metadata)
    options = {} if dtype is None else {"dtype": dtype}
    if options and "dtype" not in inspect.signature(model.export).parameters:
        raise ArchitectureError(
            f"{name} chooses the precision of its export itself; leave dtype out"
        )
    try:
        exported: AtomisticModel = model.export(merged, **options)
    except (MttError, MemoryError):
        raise
    except Exception as error:
        # metatomic looks at the author's code, which raises whatever it likes
        what = f"{name} cannot be exported: {type(error).__name__}: {error}"
        where = place_of(error, type(model))
        raise ArchitectureError(what, where=where, hint=hint_of(error)) from error
    return exported


def _save(exported: AtomisticModel, path: Path, owner: type) -> None:
    check_space(path, n_bytes(exported.state_dict()) + _CODE)
    try:
        with warnings.catch_warnings():
            # data without a unit of length are reported when they are read
            warnings.filterwarnings("ignore", message="No length unit was provided")
            exported.save(str(path))
    except Exception as error:
        if isinstance(error, RuntimeError) and "TorchScript" not in str(error):
            raise CheckpointError(f"cannot be written: {error}", where=str(path)) from error
        # compiling an author's code raises whatever it finds
        raise ArchitectureError(
            f"{owner.__name__} cannot be exported: TorchScript refuses it: {whole_text(error)}",
            where=place_of(error, owner),
            hint="its forward may use what TorchScript can compile only",
        ) from error
