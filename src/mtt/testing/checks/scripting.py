"""The model outside of Python, and in single precision."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from mtt.exporting import load_exported
from mtt.testing import systems
from mtt.testing.failure import DoesNotApply
from mtt.testing.measure import Measured, agreement
from mtt.testing.predictions import AnyModel
from mtt.testing.subject import Subject

EXPORTED = 1e-10
SINGLE_VALUES, SINGLE_DERIVATIVES = 1e-4, 1e-3


def check_export(subject: Subject) -> Iterator[Measured]:
    """The exported TorchScript file predicts what the model predicts."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        path.write_bytes(subject.exported())
        yield from _compared(subject, load_exported(path), "exported", EXPORTED, EXPORTED)


def check_single_precision(subject: Subject) -> Iterator[Measured]:
    """float32 predicts what float64 predicts, to the digits that it has."""
    for dtype in (torch.float32, torch.float64):
        if dtype not in subject.architecture.model.__supported_dtypes__:
            raise DoesNotApply(f"the model does not support {dtype}")
    model = subject.model(torch.float32)
    yield from _compared(subject, model, "in float32", SINGLE_VALUES, SINGLE_DERIVATIVES)


def _compared(
    subject: Subject, model: AnyModel, what: str, values: float, derivatives: float
) -> Iterator[Measured]:
    elements = subject.elements
    structures = [*systems.ordinary(elements), systems.atom(elements[-1])]
    found, wanted = subject.predict(structures, model), subject.predict(structures)
    yield from agreement(subject.info, found, wanted, values, what, derivatives=derivatives)
