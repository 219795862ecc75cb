"""Folders with one mistake each, as authors write them, fail the right checks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mtt.checking import place
from mtt.checkpoint import write
from mtt.testing import CHECKS, Subject, predictions, run_all, systems

BY_NAME = {check.name: check for check in CHECKS}

DEFAULTS = "the default options are valid and build"
SCHEMA = "the schema describes every option"
ISOLATED = "an isolated atom has its energy and no force"
ROTATION = "a rotation turns forces and keeps energies"
INVERSION = "an inversion turns forces and keeps energies"
TRANSLATION = "a translation changes nothing"
PERMUTATION = "the order of the atoms changes nothing"
FAR = "two far copies have twice the energy"
SUPERCELL = "a supercell has a multiple of the energy"
BATCH = "a batch predicts what single structures do"
CONTINUOUS = "energies and forces are continuous at the cutoff"
CURVATURE = "second derivatives are continuous at the cutoff"
FORCES = "forces are derivatives of the energy"
STRESS = "stress is a derivative of the energy"
SINGLE = "float32 agrees with float64"
MEMORY = "memory grows with the number of atoms"
OPERATIONS = "a larger batch takes no more operations"
EXPORT = "the exported model predicts the same"
RANGE = "no atom feels beyond the declared range"
TENSORS = "all tensors move with the model"
CHECKPOINT = "the model's checkpoint brings it back"
RESTART = "a restart goes on with the same model"
UPGRADES = "checkpoints of earlier versions are upgraded"

CONTROLS = {
    *(DEFAULTS, SCHEMA, ISOLATED, ROTATION, INVERSION, TRANSLATION, PERMUTATION, FAR, SUPERCELL),
    *(BATCH, CONTINUOUS, CURVATURE, FORCES, STRESS, SINGLE, TENSORS, RANGE, MEMORY, OPERATIONS),
}


class Mistake(NamedTuple):
    """What is changed in the sound folder, and which checks find it."""

    name: str
    changes: dict[str, list[tuple[str, str]] | str]
    fails: set[str]


def in_model(name: str, old: str, new: str, *fails: str) -> Mistake:
    return Mistake(name, {"model.py": [(old, new)]}, set(fails))


SMOOTH = "(1 - r / self.cutoff) ** 3"
END = "        return self.network(torch.cat([density, element], dim=1))[:, 0]\n"
THEN = END.replace("return", "energies =")

MISTAKES = [
    in_model("no cutoff function", SMOOTH, "torch.ones_like(r)", CONTINUOUS, CURVATURE),
    in_model(
        "a component of a vector",
        SMOOTH,
        f"{SMOOTH} * (1 + 0.1 * graph.vectors[:, 2:])",
        *(ROTATION, INVERSION),
    ),
    in_model(
        "a mean over the structure",
        END,
        f"{THEN}        counts = torch.bincount(graph.system, minlength=graph.n_systems)\n"
        "        return energies / counts[graph.system].to(energies.dtype)\n",
        *(ISOLATED, FAR, SUPERCELL),
    ),
    in_model(
        "a normalisation over the batch",
        "density = density.reshape(n_atoms, -1)",
        "density = density.reshape(n_atoms, -1)\n"
        "        density = density - density.mean(dim=0, keepdim=True)",
        *(ISOLATED, BATCH, RANGE),
    ),
    in_model(
        "state of Python that no checkpoint knows",
        'self.register_buffer("grid", torch.arange(1.0, 5.0))',
        'self.register_buffer("grid", torch.arange(1.0, 5.0))\n'
        "        self.cutoff = self.cutoff - 0.1 * float(torch.rand(1))",
        *(CHECKPOINT, RESTART),
    ),
    Mistake(
        "a default that the schema does not know",
        {"default-hypers.yaml": [("width: 4", "width: 4\n  depth: 2")]},
        {DEFAULTS},
    ),
    in_model(
        "code that TorchScript does not compile",
        SMOOTH,
        "{3: (1 - r / self.cutoff) ** 3}[sum([1, 2], start=0)]",
        EXPORT,
    ),
    in_model("a precision written down", ".to(density.dtype)", ".to(torch.float64)", SINGLE),
    in_model(
        "a cast to single precision",
        "r = torch.linalg.vector_norm(graph.vectors, dim=1, keepdim=True)",
        "r = torch.linalg.vector_norm(graph.vectors.float(), dim=1, keepdim=True)"
        ".to(graph.vectors.dtype)",
        *(ROTATION, FORCES, STRESS),
    ),
    in_model(
        "absolute positions",
        END,
        f"{THEN}        return energies + 0.01 * torch.sin(graph.positions[:, 0])\n",
        *(ISOLATED, ROTATION, INVERSION, TRANSLATION, FAR, SUPERCELL, FORCES, STRESS),
    ),
    in_model(
        "a table of all atoms by all atoms",
        END,
        f"{THEN}        same = graph.system[:, None] == graph.system[None, :]\n"
        "        return energies + 0.0 * same.any(dim=1).to(energies.dtype)\n",
        MEMORY,
    ),
    in_model(
        "a loop over the structures",
        END,
        f"{THEN}        parts = [energies[graph.system == i] for i in range(graph.n_systems)]\n"
        "        return torch.cat(parts)\n",
        OPERATIONS,
    ),
    in_model(
        "a tensor that is no buffer",
        'self.register_buffer("grid", torch.arange(1.0, 5.0))',
        "self.grid = torch.arange(1.0, 5.0)",
        TENSORS,
    ),
    in_model(
        "vectors without their gradient",
        SMOOTH,
        "(1 - r.detach() / self.cutoff) ** 3",
        *(FORCES, STRESS),
    ),
    in_model(
        "messages beyond the declared range",
        "density = density.reshape(n_atoms, -1)",
        "density = density.reshape(n_atoms, -1)\n"
        "        messages = density.tanh()[graph.neighbors] * smooth\n"
        "        density = density.index_add(0, graph.centers, messages)",
        RANGE,
    ),
    in_model(
        "a new version without a way to it",
        "__checkpoint_version__ = 1",
        "__checkpoint_version__ = 2",
        UPGRADES,
    ),
]


def test_the_sound_folder_passes_everything(make_folder) -> None:
    outcomes = run_all(Subject(make_folder({})))
    told = {o.check.name: o.status for o in outcomes if o.status != "passed"}
    unsaid = (
        "heads serve one target each",
        "new elements leave the known ones alone",
        "vectors and tensors turn with the structure",
        "vectors and tensors follow their atoms",
        "exported vectors and tensors have their components",
        "features are those of atoms",
        "inputs change their own structure",
        "a new input begins without effect",
        "engines are asked for the inputs",
    )
    assert told == dict.fromkeys((UPGRADES, *unsaid), "does not apply")


@pytest.mark.parametrize("mistake", MISTAKES, ids=[mistake.name for mistake in MISTAKES])
def test_a_folder_with_a_mistake_fails_the_checks_for_it(make_folder, mistake: Mistake) -> None:
    subject = Subject(make_folder(mistake.changes))
    wanted = CONTROLS | mistake.fails
    outcomes = run_all(subject, [check for check in CHECKS if check.name in wanted])
    assert {o.check.name for o in outcomes if o.status == "failed"} == mistake.fails
    assert all(o.meaning and o.look for o in outcomes if o.status == "failed")


def test_what_torchscript_says_is_kept_whole_with_the_line_of_the_folder(make_folder) -> None:
    folder = make_folder({"model.py": [(SMOOTH, "sum([1.0, 2.0], start=0) * r")]})
    (outcome,) = run_all(Subject(folder), [BY_NAME[EXPORT]])
    lines = (folder / "model.py").read_text(encoding="utf-8").splitlines()
    (number,) = (i for i, line in enumerate(lines, start=1) if "start=0" in line)
    assert f'File "{folder / "model.py"}", line ' in outcome.message
    assert "start=0" in outcome.message
    assert "<--- HERE" in outcome.message
    assert place(outcome, folder) == f"model.py:{number}"


STEP = """
def model_1_to_2(checkpoint):
    weights = checkpoint["model_state_dict"]
    renamed = {name.replace("net.", "network."): tensor for name, tensor in weights.items()}
    return {**checkpoint, "model_state_dict": renamed}
"""


def stored(subject: Subject, folder: Path, shift: float = 0.0) -> Path:
    """A checkpoint of version 1 in ``folder``, where the network was called ``net``."""
    checkpoint: dict[str, Any] = subject.model().get_checkpoint()
    weights = checkpoint["model_state_dict"]
    renamed = {name.replace("network.", "net."): tensor for name, tensor in weights.items()}
    path = folder / "checkpoints" / "one.ckpt"
    path.parent.mkdir()
    changed = {"model_state_dict": renamed, "model_ckpt_version": 1, "architecture_name": "sound"}
    write(path, checkpoint | changed)
    found = predictions(subject.model(), systems.ordinary(subject.elements))
    numbers = [{"values": (one["energy"].values + shift).tolist()} for one in found]
    path.with_suffix(".json").write_text(json.dumps({"export": numbers}))
    return path


@pytest.mark.parametrize(
    ("shift", "step", "status", "message"),
    [
        (0.0, STEP, "passed", ""),
        (1e-6, STEP, "failed", "values of energy, now and when it was stored in one.ckpt"),
        (0.0, STEP.replace('"net."', '"nets."'), "failed", "RuntimeError: Error(s) in loading"),
        (0.0, "", "failed", "upgrade.py has no model_1_to_2"),
    ],
)
def test_stored_checkpoints_are_upgraded_and_compared(
    make_folder, shift, step, status, message
) -> None:
    version = [("__checkpoint_version__ = 1", "__checkpoint_version__ = 2")]
    folder = make_folder({"model.py": version, "upgrade.py": step})
    stored(Subject(folder), folder, shift)
    (outcome,) = run_all(Subject(folder), [BY_NAME[UPGRADES]])
    assert outcome.status == status
    assert message in outcome.message
