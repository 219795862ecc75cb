"""Inputs of the structures that an exported model is tried on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ase
import torch
from torch import Tensor

from mtt.errors import ArchitectureError
from mtt.exporting.probe import ATOM_INPUT, INPUT, Structure
from mtt.interface import ModelInterface
from mtt.mlip.inputs.check import Wanted, wanted_inputs
from mtt.mlip.inputs.names import engine_name
from mtt.mlip.inputs.taking import TakesInputs
from mtt.mlip.states import STATES

if TYPE_CHECKING:
    from mtt.data import Dataset


def trial_inputs(
    model: ModelInterface, asked: Sequence[str], atoms: Sequence[ase.Atoms], dataset: Dataset | None
) -> list[Structure]:
    """What each of ``atoms`` has in addition to its geometry: values that differ among them.

    :param asked: what the model asks engines for.
    :param dataset: whose numbers set their size; None: they are about one.
    :raises ArchitectureError: a model with a ``forward`` of its author's asks for more than
        charge and spin.
    """
    if not isinstance(model, TakesInputs):
        strange = sorted(set(asked) - set(STATES))
        if strange:
            needed = ", ".join(strange)
            what = f"the model needs {needed} in addition to the structure, and cannot be verified"
            raise ArchitectureError(what, hint="exporting such models is not available yet")
        return [{f"{INPUT}{name}": torch.tensor([STATES[name]]) for name in asked} for _ in atoms]
    found: list[Structure] = [{} for _ in atoms]
    for name, one in wanted_inputs(model).items():
        key = f"{ATOM_INPUT if one.per_atom else INPUT}{engine_name(name, one.per_atom)}"
        for i, each in enumerate(atoms):
            found[i][key] = _values(name, one, i, len(each), dataset)
    return found


def _values(name: str, one: Wanted, i: int, n_atoms: int, dataset: Dataset | None) -> Tensor:
    """[1] or [n_atoms] float64 of trial structure ``i``."""
    if name in STATES:
        states = (0.0, 1.0, -1.0) if name == "charge" else (1.0, 2.0, 3.0)
        value = min(max(states[i % 3], one.least), one.most)
        return torch.tensor([value], dtype=torch.float64)
    n = n_atoms if one.per_atom else 1
    steps = torch.linspace(-1.0, 1.0, n, dtype=torch.float64)
    mean, spread = 1.0, 0.5
    if dataset is not None and name in dataset.info.extra_data:
        given = dataset.extra(name)
        mean, spread = float(given.nanmean()), float(given[~given.isnan()].std(correction=0))
    values: Tensor = mean + spread * (0.5 * (i % 3 - 1) + steps)
    return values
