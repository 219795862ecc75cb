"""Trainings on targets of any kind: errors on a test set, and those of trivial predictors.

The models are small, so that a training takes about a minute of one core. Seconds are those of
the processor, not of the clock: on a machine that others use, only they can be compared.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ase
import ase.io
import numpy as np
import target_arguments
import torch
import yaml
from environments import versions
from results import Result

from mtt import Run, registry, train
from mtt.data import Dataset
from mtt.evaluation import evaluate
from mtt.options.yaml.overrides import deep_merge

sys.path.append(str(Path(__file__).resolve().parent.parent))
from surroundings import processor

MODELS: dict[str, dict[str, Any]] = {
    "density_messages": {
        "model": {
            "num_channels": 32, "num_features": 32, "num_layers": 2, "max_angular": 2,
            "cutoff": 4.5,
        },
        "training": {},
    },
    "soap_bpnn": {
        "model": {"soap": {"max_angular": 4, "max_radial": 5, "cutoff": {"radius": 4.5}}},
        "training": {},
    },
    "pet": {
        "model": {
            "cutoff": 4.5, "d_pet": 32, "d_node": 64, "d_head": 32, "d_feedforward": 64,
            "num_heads": 4, "num_attention_layers": 1,
        },
        "training": {"learning_rate": 1e-3, "warmup_fraction": 0.02},
    },
}  # fmt: skip
PARTS = ("train", "validation", "test")


@dataclass(frozen=True)
class Task:
    """Frames and what is learned from them.

    :param frames: of each of ``PARTS``.
    :param targets: as in the options.
    :param extra_data: as in the options.
    :param loss: as in the options; None: the defaults.
    """

    frames: Mapping[str, Sequence[ase.Atoms]]
    targets: Mapping[str, Any]
    extra_data: Mapping[str, Any] = field(default_factory=dict)
    loss: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Asked:
    """Which model, and how it is trained.

    :param model: laid over those of ``MODELS``.
    """

    name: str
    epochs: int
    seed: int
    model: Mapping[str, Any] = field(default_factory=dict)
    batch_size: int = 8
    precision: int = 32


@dataclass(frozen=True)
class Outcome:
    """Of a training.

    :param errors: on the test set in the units of the data, as ``mtt::dipole RMSE``.
    :param seconds: of the processor, for everything from reading to evaluating.
    :param options: as text.
    """

    errors: dict[str, float]
    seconds: float
    options: str
    found: Any = None


def options(task: Task, asked: Asked) -> dict[str, Any]:
    """Of a training in a folder with a file of each of ``PARTS``."""
    own = MODELS[asked.name]
    training = {
        **own["training"], "batch_size": asked.batch_size, "num_epochs": asked.epochs,
    }  # fmt: skip
    if task.loss is not None:
        training["loss"] = dict(task.loss)
    made: dict[str, Any] = {
        "seed": asked.seed, "base_precision": asked.precision, "report": False, "loggers": ["csv"],
        "architecture": {
            "name": asked.name, "model": {**own["model"], **asked.model}, "training": training,
        },
    }  # fmt: skip
    names = {"train": "training_set", "validation": "validation_set", "test": "test_set"}
    for part, name in names.items():
        made[name] = {
            "systems": {"read_from": f"{part}.xyz", "length_unit": "angstrom"},
            "targets": dict(task.targets),
        }
        if task.extra_data:
            made[name]["extra_data"] = dict(task.extra_data)
    return made


@contextlib.contextmanager
def scratch() -> Iterator[Path]:
    """The working folder, for the files of a training."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


def trained(task: Task, asked: Asked, after: Callable[[Path], Any] | None = None) -> Outcome:
    """The errors of a training.

    :param after: gets the exported file; what it returns is ``found`` of the outcome.
    """
    with scratch() as folder:
        for part in PARTS:
            ase.io.write(folder / f"{part}.xyz", task.frames[part], format="extxyz")
        made = options(task, asked)
        start = time.process_time()
        done = train(made, output="model.pt", progress=False)
        seconds = time.process_time() - start
        found = None if after is None else after(folder / "model.pt")
    text: str = yaml.safe_dump(made["architecture"], sort_keys=False, default_flow_style=None)
    return Outcome(dict(done.reports["test"].errors), seconds, text, found)


def fitted(task: Task, asked: Asked) -> Outcome:
    """The errors of a training that exports nothing, for many short ones."""
    found, made = registry.find(asked.name).load(), options(task, asked)
    own, defaults = made["architecture"], found.default_hypers
    sets = {
        part: Dataset.from_atoms(
            list(frames), task.targets, extra_data=task.extra_data, length_unit="angstrom"
        )
        for part, frames in task.frames.items()
    }  # fmt: skip
    start = time.process_time()
    torch.manual_seed(asked.seed)
    model = found.model(deep_merge(defaults["model"], own["model"]), sets["train"].info)
    trainer = found.trainer(deep_merge(defaults["training"], own["training"]))
    trainer.run = Run(asked.seed, found.name, own_loggers=False)
    where = torch.float32 if asked.precision == 32 else torch.float64, [torch.device("cpu")]
    with scratch():
        trainer.train(model, *where, [sets["train"]], [sets["validation"]], "checkpoints")
    model.load_state_dict(trainer.best)
    errors = evaluate(model, sets["test"], batch_size=10).errors
    text: str = yaml.safe_dump(own, sort_keys=False, default_flow_style=None)
    return Outcome(dict(errors), time.process_time() - start, text)


def labels(task: Task, part: str, key: str) -> np.ndarray:
    """One number of each structure of a part; energies are those of its calculator."""
    if key == "energy":
        return np.array([one.get_potential_energy() for one in task.frames[part]])
    return np.array([one.info[key] for one in task.frames[part]], dtype=np.float64)


def off_the_mean(task: Task, key: str) -> np.ndarray:
    """Labels of the test set without the mean of the training set."""
    return labels(task, "test", key) - labels(task, "train", key).mean()


def off_the_composition(task: Task, key: str, *further: str) -> np.ndarray:
    """Labels of the test set without the best linear function of the numbers of atoms.

    One number for each element and a constant, by least squares (least norm) on the training set.

    :param further: numbers of the structures, among their ``info``, that count too, and their
        squares.
    """
    elements = sorted({z for frames in task.frames.values() for one in frames for z in one.numbers})

    def columns(one: ase.Atoms) -> list[float]:
        counts = [float((one.numbers == z).sum()) for z in elements]
        return [1.0, *counts, *(float(one.info[name]) ** n for name in further for n in (1, 2))]

    train, test = (np.array([columns(one) for one in task.frames[part]]) for part in PARTS[::2])
    weights = np.linalg.lstsq(train, labels(task, "train", key), rcond=1e-10)[0]
    return labels(task, "test", key) - test @ weights


def rms(values: np.ndarray) -> float:
    """Root mean square of all numbers."""
    return float(np.sqrt(np.square(values).mean()))


def saved(
    table: str, data: str, task: Task, asked: Asked, outcome: Outcome, rows: list[dict[str, Any]],
    name: str | None = None,
) -> Result:  # fmt: skip
    """A result of a table.

    :param rows: what the table shows, see ``target_table``.
    :param name: of the model in the table, if it is not that of the architecture.
    """
    return Result(
        table, data, name or asked.name, asked.seed, torch.get_num_threads(), processor(),
        command=target_arguments.shown(),
        hypers=outcome.options, versions=versions(Path(sys.executable)),
        n_train=len(task.frames["train"]), epochs=asked.epochs,
        extra={"cpu_seconds": round(outcome.seconds, 1), "rows": rows},
    )  # fmt: skip
