"""A model to a file that metatomic's engines run: whole and verified, or not at all."""

from __future__ import annotations

import copy
import inspect
import os
import secrets
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from metatomic.torch import AtomisticModel, ModelMetadata

from mtt.checkpoint import merge_metadata
from mtt.errors import ArchitectureError, CheckpointError, Problem
from mtt.exporting.verify import verify
from mtt.interface import ModelInterface

if TYPE_CHECKING:
    from mtt.data import Dataset


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
    (:func:`mtt.exporting.verify`). Only then does it take its name; what stood there before
    stays until then. ``model`` itself is not changed.

    :param metadata: added to the model's own: texts replaced, lists extended.
    :param dtype: precision at the door, float32 or float64; None for the model's choice.
    :param verify_on: the data set that trial structures come from; None for random ones.
    :return: ``path``.
    :raises CheckpointError: ``path`` cannot be written, or weights are not finite.
    :raises ArchitectureError: the model cannot be compiled, or the file predicts something
        else than the model.
    """
    target = Path(path)
    check_path(target)
    _check_weights(model)
    # an author's export() may change the module it is called on
    reference = copy.deepcopy(model).to("cpu").eval()
    with _temporary(target) as temporary:
        exported = _exported(copy.deepcopy(reference), metadata, dtype)
        _save(exported, temporary, type(model).__name__)
        verify(reference, exported, temporary, verify_on, where=str(target))
        _sync(temporary)
        os.replace(temporary, target)
        _sync(target.parent)
    return target


def check_path(path: str | Path) -> None:
    """Whether an exported model can be written to ``path``.

    :raises CheckpointError: it cannot, with the reason.
    """
    path = Path(path)
    if path.suffix == ".zip":
        raise CheckpointError(
            "the light archive is not available yet", where=str(path), hint="export to a .pt file"
        )
    if path.suffix != ".pt":
        raise CheckpointError("an exported model is a .pt file", where=str(path))
    if path.is_dir():
        raise CheckpointError("is a folder", where=str(path))
    with _temporary(path):
        pass


@contextmanager
def _temporary(path: Path) -> Iterator[Path]:
    """A new file beside ``path``, with the user's usual permissions; gone at the end."""
    temporary = path.with_name(f".{path.stem}.{secrets.token_hex(4)}.pt")
    try:
        temporary.open("xb").close()
    except OSError as error:
        hint = "" if path.parent.is_dir() else f"there is no folder {path.parent}"
        what = f"cannot be written: {error.strerror}"
        raise CheckpointError(what, where=str(path), hint=hint) from error
    try:
        yield temporary
    finally:
        temporary.unlink(missing_ok=True)


def _check_weights(model: ModelInterface) -> None:
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
        raise ArchitectureError(f"{name} exports in a precision of its own; leave dtype out")
    try:
        exported: AtomisticModel = model.export(merged, **options)
    except (RuntimeError, TypeError, ValueError) as error:
        # metatomic looks at the author's code and says what it does not like
        raise ArchitectureError(f"{name} cannot be exported: {error}") from error
    return exported


def _save(exported: AtomisticModel, path: Path, name: str) -> None:
    try:
        with warnings.catch_warnings():
            # data without a unit of length are told when they are read
            warnings.filterwarnings("ignore", message="No length unit was provided")
            exported.save(str(path))
    except Exception as error:
        if isinstance(error, RuntimeError) and "TorchScript" not in str(error):
            raise CheckpointError(f"cannot be written: {error}", where=str(path)) from error
        # compiling an author's code raises whatever it finds
        raise ArchitectureError(
            f"{name} cannot be exported: TorchScript refuses it: {error.__cause__ or error}",
            hint="its forward may use what TorchScript can compile only",
        ) from error


def _sync(path: Path) -> None:
    """Onto the disk: the content of a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
