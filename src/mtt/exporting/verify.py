"""An exported file against the model it was made from."""

from __future__ import annotations

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from metatomic.torch import AtomisticModel
from torch import Tensor

from mtt.data.memory import Remedy, says_lack, telling_lack
from mtt.errors import ArchitectureError
from mtt.exporting import probe
from mtt.exporting.blame import raised
from mtt.exporting.expected import (
    Reference,
    differentiated,
    energies_of,
    magnitude_of,
    predict,
)
from mtt.exporting.inputs import trial_inputs
from mtt.exporting.probe import Results, Structure
from mtt.exporting.structures import structure, trial_atoms
from mtt.interface import ModelInterface
from mtt.mlip import MLIPModel
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
        found = run_probe(path, structures, outputs, energies_of(model), differentiated(model))
        door = getattr(torch, exported.capabilities().dtype)
        expected = predict(model, structures, lists, door)
    tolerance, eps = tolerance_of(model, door), torch.finfo(door).eps
    problems = differences(expected, found, tolerance, eps)
    if problems:
        what = "the exported model, loaded in a fresh process, is not the model: "
        hint = "nothing was written; its forward does something else once compiled"
        raise ArchitectureError(what + "; ".join(problems), where=where or str(path), hint=hint)


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
            accepted += 8 * eps * magnitude_of(wanted.values)
            difference = magnitude_of(values - wanted.values)
            if difference > accepted:
                what = f"{name} differs by {difference:.3g} (accepted: {accepted:.1g})"
                problems.append(f"{what}, {_farthest(values, wanted.values)}")
    return problems
