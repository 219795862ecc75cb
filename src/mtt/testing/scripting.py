"""The model outside of Python, and in single precision."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import torch

from mtt.exporting import load_exported
from mtt.testing import systems
from mtt.testing.check import DoesNotApply, compare
from mtt.testing.predictions import AnyModel
from mtt.testing.subject import Subject

EXPORTED = 1e-10
SINGLE_VALUES, SINGLE_DERIVATIVES = 1e-4, 1e-3


def check_export(subject: Subject) -> None:
    """The exported TorchScript file predicts what the model predicts."""
    exported = copy.deepcopy(subject.model()).export()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.pt")
        exported.save(str(path))
        hint = "TorchScript reads types and branches once: what differs from Python's way?"
        _compare(subject, load_exported(path), "exported", EXPORTED, EXPORTED, hint)


def check_single_precision(subject: Subject) -> None:
    """float32 predicts what float64 predicts, to the digits that it has."""
    for dtype in (torch.float32, torch.float64):
        if dtype not in subject.architecture.model.__supported_dtypes__:
            raise DoesNotApply(f"the model does not support {dtype}")
    hint = "differences of large numbers; constants computed in float32; ill-conditioned functions"
    model = subject.model(torch.float32)
    _compare(subject, model, "in float32", SINGLE_VALUES, SINGLE_DERIVATIVES, hint)


def _compare(
    subject: Subject,
    model: AnyModel,
    what: str,
    values: float,
    derivatives: float,
    hint: str,
) -> None:
    elements = subject.elements
    structures = [*systems.ordinary(elements), systems.atom(elements[-1])]
    pairs = zip(subject.predict(structures), subject.predict(structures, model), strict=True)
    for wanted, found in pairs:
        for name, target in wanted.items():
            compare(f"{name} {what}", found[name].values, target.values, values, hint)
            for part in ("forces", "strain"):
                own, other = getattr(target, part), getattr(found[name], part)
                if own is not None:
                    compare(f"{part} of {name} {what}", other, own, derivatives, hint)
