"""All probes of a model, within a given time; each one that fails says why."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ase
import torch

from mtt.errors import MttError
from mtt.evaluation.outputs import model_info
from mtt.interface import ModelInterface
from mtt.report.probes.cells import strains, volumes
from mtt.report.probes.consistency import consistency
from mtt.report.probes.dimers import cutoff_smoothness, dimers
from mtt.report.probes.dynamics import drift, speed
from mtt.report.probes.predictor import Predictor
from mtt.report.probes.probe import Clock, Finding

log = logging.getLogger(__name__)

OVER = "left out to save time; `mtt report RUN` computes it"
_FAILURES = (MttError, RuntimeError, ArithmeticError)
_ELEMENTS = 5


def run_probes(
    model: ModelInterface,
    examples: Sequence[Mapping[str, Any]],
    seconds: float,
    device: torch.device | str = "cpu",
) -> list[dict[str, Any]]:
    """Findings as plain values; empty for a model without energies.

    Where units or inputs prevent all probes, one finding says so.

    A probe that the model cannot follow (no memory, an element without a free atom) is reported
    by what it says.

    :param examples: structures of the data as plain values, in the unit of length of the data.
    :param seconds: of all probes together, of which each one looks for what is left.
    """
    try:
        predict = Predictor(model, device)
    except MttError as error:
        log.debug("no probes: %s", error)
        has_energy = any(one.is_energy for one in model_info(model).targets.values())
        return [Finding("all", problem=error.problems[0].what).to_dict()] if has_energy else []
    clock = Clock(seconds)
    return [_run(key, probe, clock).to_dict() for key, probe in _probes(predict, examples, clock)]


def as_atoms(example: Mapping[str, Any], angstrom: float = 1.0) -> ase.Atoms:
    """A structure of plain values, in Å.

    :param angstrom: one Å in its unit of length.
    """
    return ase.Atoms(
        numbers=example["numbers"],
        positions=[[x / angstrom for x in row] for row in example["positions"]],
        cell=[[x / angstrom for x in row] for row in example["cell"]],
        pbc=example["pbc"],
    )


def _probes(
    predict: Predictor, examples: Sequence[Mapping[str, Any]], clock: Clock
) -> list[tuple[str, Callable[[], Finding]]]:
    """The cheapest first."""
    structures = [as_atoms(one, predict.angstrom) for one in examples]
    solid = next((atoms for atoms in structures if atoms.pbc.all()), None)
    elements = predict.elements[:_ELEMENTS]
    found: list[tuple[str, Callable[[], Finding]]] = []
    if structures:
        found.append(("consistency", lambda: consistency(predict, structures)))
    if predict.cutoff > 0:
        found.append(("cutoff", lambda: cutoff_smoothness(predict, elements)))
        found.append(("dimers", lambda: dimers(predict, elements, clock)))
    if solid is not None:
        found.append(("volumes", lambda: volumes(predict, solid)))
        found.append(("strains", lambda: strains(predict, solid)))
    if structures:
        found.append(("speed", lambda: speed(predict, structures[0], clock)))
        found.append(("drift", lambda: drift(predict, structures[0], clock)))
    return found


def _run(key: str, probe: Callable[[], Finding], clock: Clock) -> Finding:
    if clock.left <= 0:
        return Finding(key, problem=OVER)
    try:
        return probe()
    except _FAILURES as error:
        log.warning("the probe %r of the report failed: %s", key, error)
        return Finding(key, problem=str(error).strip().partition("\n")[0])
