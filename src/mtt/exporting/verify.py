"""An exported file against the model it was made from."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from metatensor.torch import TensorMap
from metatomic.torch import AtomisticModel, ModelOutput, NeighborListOptions, System

from mtt.errors import ArchitectureError, Problem
from mtt.exporting import probe
from mtt.exporting.probe import Results, Structure
from mtt.exporting.structures import structure, trial_atoms
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.systems import systems_to_graph

if TYPE_CHECKING:
    from mtt.data import Dataset

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Largest accepted difference, relative to the largest magnitude of the same quantity over all
trial structures, by the lower of the two precisions: the network's and the one at the door.
Half precisions take :data:`HALF_TOLERANCE`."""

HALF_TOLERANCE = 2e-2

# below this magnitude (in the quantity's own unit) differences are compared as they are
_FLOOR = 1e-3


def verify(
    model: ModelInterface, exported: AtomisticModel, path: Path, dataset: Dataset | None = None
) -> None:
    """Compare the file at ``path``, loaded by a fresh process, with ``model``.

    Values of every output, and forces and strain derivatives of every energy, must agree to
    :data:`TOLERANCES`. The reference of an ``MLIPModel`` is the code that it is trained with.

    :param model: on the CPU, in evaluation mode; nothing of it changes.
    :param exported: what was saved at ``path``.
    :param dataset: where trial structures come from; None for random ones.
    :raises ArchitectureError: the file does not load, or predicts something else.
    """
    inputs = sorted(exported.requested_inputs(use_new_names=True))
    if inputs:
        what = f"the model needs {', '.join(inputs)} besides the structure, and cannot be verified"
        raise ArchitectureError(what, hint="exporting such models is not available yet")
    lists = exported.requested_neighbor_lists()
    cutoff = max((options.cutoff for options in lists), default=4.0)
    atoms = trial_atoms(exported.capabilities().atomic_types, cutoff, dataset)
    structures = [structure(one, lists) for one in atoms]
    energies = [name for name, info in model.dataset_info.targets.items() if info.is_energy]
    found = run_probe(path, structures, list(model.supported_outputs()), energies)
    door = getattr(torch, exported.capabilities().dtype)
    if isinstance(model, MLIPModel):
        expected = _training_code(model, structures, lists)
    else:
        expected = _forward(model, structures, lists, energies, door)
    _compare(expected, found, _tolerance(model, door), path)


def run_probe(
    path: Path, structures: Sequence[Structure], outputs: Sequence[str], energies: Sequence[str]
) -> Results:
    """What the exported model at ``path`` predicts, in a process that imports metatomic only.

    :raises ArchitectureError: the model cannot be loaded or run there.
    """
    with tempfile.TemporaryDirectory() as folder:
        request, results = Path(folder, "structures.pt"), Path(folder, "results.pt")
        content = {
            "structures": list(structures),
            "outputs": list(outputs),
            "energies": list(energies),
        }
        torch.save(content, request)
        # -P: the folder of the script, this one, is no place to import from
        command = [sys.executable, "-P", probe.__file__, str(path), str(request), str(results)]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode != 0:
            lines = process.stderr.strip().splitlines() or ["it left no message"]
            raise ArchitectureError(
                f"the exported model does not run in a fresh process: {lines[-1]}",
                hint="an exported model may use operations of torch and metatomic only",
            )
        loaded: Results = torch.load(results, weights_only=True)
    return loaded


def _training_code(
    model: MLIPModel, structures: Sequence[Structure], lists: list[NeighborListOptions]
) -> Results:
    """Physical totals and their derivatives, from the pair vectors."""
    systems = [
        probe.system(one, one["positions"], torch.eye(3).double(), lists) for one in structures
    ]
    type_index = model.get_buffer("type_index")
    graph = systems_to_graph(systems, lists[0], type_index, model.dtype)
    results: Results = {}
    for name, target in model.predict_targets(graph, all_gradients=True).items():
        results[f"{name}.values"] = target.values.detach().reshape(-1).double()
        if target.forces is not None and target.strain is not None:
            results[f"{name}.forces"] = target.forces.detach().double()
            results[f"{name}.strain"] = target.strain.detach().double()
    return results


def _forward(
    model: ModelInterface,
    structures: Sequence[Structure],
    lists: list[NeighborListOptions],
    energies: list[str],
    dtype: torch.dtype,
) -> Results:
    """The model's own forward, with automatic derivatives."""

    def call(systems: list[System], outputs: dict[str, ModelOutput]) -> dict[str, TensorMap]:
        predictions: dict[str, TensorMap] = model(systems, outputs)
        return predictions

    outputs = {
        name: ModelOutput(unit=output.unit, sample_kind=output.sample_kind)
        for name, output in model.supported_outputs().items()
    }
    return probe.evaluate(call, list(structures), lists, outputs, energies, dtype)


def _tolerance(model: ModelInterface, door: torch.dtype) -> float:
    floating = [p.dtype for p in model.parameters() if p.is_floating_point()]
    precisions = [door, model.dtype] if isinstance(model, MLIPModel) else [door, *floating]
    return max(TOLERANCES.get(dtype, HALF_TOLERANCE) for dtype in precisions)


def _compare(expected: Results, found: Results, tolerance: float, path: Path) -> None:
    problems = []
    for name, reference in expected.items():
        if name not in found or found[name].shape != reference.shape:
            problems.append(Problem(f"{name} is missing or has another shape"))
            continue
        if not bool(torch.isfinite(found[name]).all()):
            problems.append(Problem(f"{name} is not finite for some trial structure"))
            continue
        scale = max(float(reference.abs().amax()), _FLOOR) if reference.numel() else _FLOOR
        difference = float((found[name] - reference).abs().amax()) if reference.numel() else 0.0
        if not difference <= tolerance * scale:
            problems.append(
                Problem(
                    f"{name} differs by {difference:.3g} where magnitudes are up to {scale:.3g} "
                    f"(accepted: {tolerance:.0e} of that)"
                )
            )
    if problems:
        raise ArchitectureError.collect(
            [
                Problem(
                    f"the exported model, loaded in a fresh process, is not the model: {one.what}",
                    str(path),
                    "nothing was written",
                )
                for one in problems
            ]
        )
