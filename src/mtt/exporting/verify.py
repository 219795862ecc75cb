"""An exported file against the model it was made from."""

from __future__ import annotations

import copy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from metatensor.torch import TensorMap
from metatomic.torch import AtomisticModel, ModelOutput, NeighborListOptions, System
from torch import Tensor

from mtt.data.info import TargetInfo
from mtt.data.memory import Remedy, says_lack, telling_lack
from mtt.errors import ArchitectureError
from mtt.exporting import probe
from mtt.exporting.blame import raised
from mtt.exporting.inputs import trial_inputs
from mtt.exporting.probe import Results, Structure
from mtt.exporting.structures import structure, trial_atoms
from mtt.graph import Target
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
from mtt.mlip.systems import systems_to_graph
from mtt.stopping import stop_if_asked

if TYPE_CHECKING:
    from mtt.data import Dataset

TOLERANCES = {torch.float64: 1e-10, torch.float32: 1e-4}
"""Largest accepted difference, relative to the largest magnitude of the same quantity over all
trial structures, by the lower of the two precisions: those of the network and of the interface.
Half precisions take :data:`HALF_TOLERANCE`. The magnitude of an ``MLIPModel``'s energies is
that without the composition baseline, which would hide any error of a float32 network."""

HALF_TOLERANCE = 2e-2

_PATIENCE = 0.2  # seconds between two looks for a signal while the probe runs

# below this magnitude (in the quantity's own unit) differences are compared as they are
_FLOOR = 1e-3


class Reference(NamedTuple):
    """The expected values of a quantity, and the magnitude that its errors are relative to."""

    values: Tensor
    magnitude: float


def verify(
    model: ModelInterface,
    exported: AtomisticModel,
    path: Path,
    dataset: Dataset | None = None,
    *,
    where: str = "",
) -> None:
    """Compare the file at ``path``, loaded by a fresh process, with ``model``.

    Values of every output, forces and strain derivatives of every energy, and the derivatives of
    other targets that the model was trained on must agree to :data:`TOLERANCES`. The reference of
    an ``MLIPModel`` is the code that it is trained with.

    :param model: on the CPU, in evaluation mode; nothing of it changes.
    :param exported: what was saved at ``path``.
    :param dataset: where trial structures come from; None for random ones.
    :param where: what messages call the file, if not ``path``.
    :raises ArchitectureError: the file does not load, or predicts something else.
    :raises OutOfMemory: there is too little memory for the trial structures.
    """
    inputs = sorted(exported.requested_inputs(use_new_names=True))
    lists = exported.requested_neighbor_lists()
    cutoff = max((options.cutoff for options in lists), default=4.0)
    examples = model.example_structures() if isinstance(model, MLIPModel) else []
    atoms = trial_atoms(exported.capabilities().atomic_types, cutoff, dataset, examples)
    more = trial_inputs(model, inputs, atoms, dataset)
    structures = [structure(one, lists) | own for one, own in zip(atoms, more, strict=True)]
    size = max(len(one) for one in atoms)
    trial = f"the verification of {len(atoms)} structures of up to {size} atoms"
    cpu = torch.device("cpu")
    hint = "export where there is more of it: what is exported is always verified"
    with telling_lack(cpu, lambda: trial, lambda: Remedy(where or str(path), hint)):
        outputs = list(model.supported_outputs())
        found = run_probe(path, structures, outputs, _energies(model), _differentiated(model))
        door = getattr(torch, exported.capabilities().dtype)
        expected = predict(model, structures, lists, door)
    tolerance, eps = tolerance_of(model, door), torch.finfo(door).eps
    problems = differences(expected, found, tolerance, eps)
    if problems:
        what = "the exported model, loaded in a fresh process, is not the model: "
        hint = "nothing was written; its forward does something else once compiled"
        raise ArchitectureError(what + "; ".join(problems), where=where or str(path), hint=hint)


def predict(
    model: ModelInterface,
    structures: Sequence[Structure],
    lists: list[NeighborListOptions],
    door: torch.dtype,
) -> dict[str, Reference]:
    """What ``model`` itself predicts: every output, and derivatives.

    :param door: dtype of the structures that a model that defines ``forward`` itself gets.
    """
    if isinstance(model, MLIPModel):
        return _training_code(model, structures, lists)
    return _forward(model, structures, lists, door)


def run_probe(
    path: Path,
    structures: Sequence[Structure],
    outputs: Sequence[str],
    energies: Sequence[str],
    differentiated: Sequence[str] = (),
) -> Results:
    """What the exported model at ``path`` predicts, in a process that imports metatomic only.

    :param differentiated: see :func:`mtt.exporting.probe.evaluate`.

    :raises ArchitectureError: the model cannot be loaded or run there.
    :raises MemoryError: it has too little memory there, or was killed by the system.
    """
    with tempfile.TemporaryDirectory() as folder:
        request, results = Path(folder, "structures.pt"), Path(folder, "results.pt")
        content = {
            "structures": list(structures),
            "outputs": list(outputs),
            "energies": list(energies),
            "differentiated": list(differentiated),
        }
        torch.save(content, request)
        # -P: nothing is to be imported from the folder of the script, this one
        command = [sys.executable, "-P", probe.__file__, str(path), str(request), str(results)]
        code, errors = _run(command)
        if says_lack(errors) or code == -signal.SIGKILL:
            raise MemoryError
        if code != 0:
            said = raised(errors) or "it left no message"
            raise ArchitectureError(
                f"the exported model does not run in a fresh process: {said}",
                hint="an exported model may use operations of torch and metatomic only",
            )
        loaded: Results = torch.load(results, weights_only=True)
    return loaded


def _run(command: Sequence[str]) -> tuple[int, str]:
    """Exit code and standard error of ``command``.

    :raises Stopped: a signal came; the process that waits for no signal of ours is ended.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=pipe, text=True) as process:
        try:
            while True:
                with suppress(subprocess.TimeoutExpired):
                    _, errors = process.communicate(timeout=_PATIENCE)
                    break
                stop_if_asked()
        except BaseException:
            process.kill()
            raise
    stop_if_asked()  # one that was sent to the whole group of processes has ended the probe too
    return process.returncode, errors


def _training_code(
    model: MLIPModel, structures: Sequence[Structure], lists: list[NeighborListOptions]
) -> dict[str, Reference]:
    """Physical totals and their derivatives, from the pair vectors."""
    unit = torch.eye(3, dtype=torch.float64)
    systems = [probe.system(one, one["positions"], unit, lists) for one in structures]
    type_index, types = model.get_buffer("type_index"), torch.cat([one.types for one in systems])
    graph = systems_to_graph(systems, lists[0], type_index, model.dtype)
    graph = model.with_inputs(graph, systems)
    bare = copy.deepcopy(model)
    bare.composition.values.zero_()
    without_baseline = bare.predict_targets(graph, all_gradients=True)
    results = {}
    for name, target in model.predict_targets(graph, all_gradients=True).items():
        magnitude = _magnitude(without_baseline[name].values)
        info = model.dataset_info.targets[name]
        kind = info.of_kind
        flat = torch.cat(
            [
                (values[types == block.element] if block.element else values).reshape(-1)
                for block, values in zip(kind.blocks, kind.split(target.values), strict=True)
            ]
        )
        results[f"{name}.values"] = Reference(flat, magnitude)
        results |= _slopes(name, info, target)
    for name, features in model.features_of(graph, model.list_cutoff(), model.cutoff).items():
        flat = features.reshape(-1).double()
        results[f"{name}.values"] = Reference(flat, _magnitude(flat))
    return results


def _slopes(name: str, info: TargetInfo, target: Target) -> dict[str, Reference]:
    """Derivatives of one target, as :data:`mtt.exporting.probe.Results` has them."""
    forces, by_strain = target.forces, target.strain
    if info.is_energy:
        parts = {"forces": forces, "strain": by_strain}
    else:
        if info.is_number and forces is not None:
            forces = -forces
        parts = {"gradient": _numbers(info, forces), "strain": _numbers(info, by_strain)}
    return {
        f"{name}.{part}": Reference(values, _magnitude(values))
        for part, values in parts.items()
        if values is not None
    }


def _numbers(info: TargetInfo, values: Tensor | None) -> Tensor | None:
    """[n, k] of [..., *shape]: the k numbers of a target of structures, block by block."""
    if values is None:
        return None
    blocks = info.of_kind.split(values.double().reshape(-1, *info.shape))
    return torch.cat([block.flatten(1) for block in blocks], dim=1)


def _forward(
    model: ModelInterface,
    structures: Sequence[Structure],
    lists: list[NeighborListOptions],
    dtype: torch.dtype,
) -> dict[str, Reference]:
    """The model's own forward, with automatic derivatives."""
    energies = _energies(model)

    def call(systems: list[System], outputs: dict[str, ModelOutput]) -> dict[str, TensorMap]:
        predictions: dict[str, TensorMap] = model(systems, outputs)
        return predictions

    outputs = probe.wanted(model.supported_outputs(), energies)
    given = (outputs, energies, dtype, _differentiated(model))
    results = probe.evaluate(call, list(structures), lists, *given)
    return {name: Reference(values, _magnitude(values)) for name, values in results.items()}


def _magnitude(values: Tensor) -> float:
    return float(values.abs().amax()) if values.numel() else 0.0


def _farthest(found: Tensor, wanted: Tensor) -> str:
    """The two numbers that differ most, with all digits."""
    place = int((found - wanted).abs().argmax())
    numbers = [float(values.flatten()[place]) for values in (found, wanted)]
    return "where it is {:.12g} instead of {:.12g}".format(*numbers)


def tolerance_of(model: ModelInterface, door: torch.dtype) -> float:
    """Of :data:`TOLERANCES`, for the lower of the two precisions."""
    floating = [p.dtype for p in model.parameters() if p.is_floating_point()]
    precisions = [door, model.dtype] if isinstance(model, MLIPModel) else [door, *floating]
    return max(TOLERANCES.get(dtype, HALF_TOLERANCE) for dtype in precisions)


def _energies(model: ModelInterface) -> list[str]:
    return [name for name, info in model.dataset_info.targets.items() if info.is_energy]


def _differentiated(model: ModelInterface) -> list[str]:
    """Targets that are not energies, and whose derivatives the model was trained on."""
    targets = model.dataset_info.targets.items()
    return [name for name, info in targets if info.gradients and not info.is_energy]


def differences(
    expected: dict[str, Reference], found: Results, tolerance: float, eps: float
) -> list[str]:
    """The quantities of ``found`` that are missing, not finite, or off by more than accepted."""
    problems = []
    for name, wanted in expected.items():
        values = found.get(name)
        if values is None or values.shape != wanted.values.shape:
            problems.append(f"{name} is missing or has another shape")
        elif not bool(torch.isfinite(values).all()):
            problems.append(f"{name} is not finite for some trial structure")
        else:
            # the rounding of a total to the precision of the interface is accepted in addition
            accepted = tolerance * max(wanted.magnitude, _FLOOR)
            accepted += 8 * eps * _magnitude(wanted.values)
            difference = _magnitude(values - wanted.values)
            if difference > accepted:
                what = f"{name} differs by {difference:.3g} (accepted: {accepted:.1g})"
                problems.append(f"{what}, {_farthest(values, wanted.values)}")
    return problems
