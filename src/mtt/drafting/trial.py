"""A few steps of a training, timed; nothing is kept of it."""

from __future__ import annotations

import copy
import tempfile
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from mtt.data import Dataset, merge
from mtt.data.memory import free_memory
from mtt.interface import Listener, Run
from mtt.scanning import Finding, scan
from mtt.scanning.tools.finding import by_severity
from mtt.training.batch_size.peak_memory import peak_of
from mtt.training.reporting.silent import silent
from mtt.workflows.plan import Plan
from mtt.workflows.start import Start
from mtt.workflows.train import check_only

_EPOCHS = 3  # the first one compiles and is left out
_BATCHES = 6  # of the structures that are trained on


class Timed(NamedTuple):
    """What was measured.

    :param epoch: seconds of an epoch of the whole training set, with its validation.
    :param overhead: seconds before the first epoch: reading, neighbour lists, compiling.
    """

    epoch: float
    overhead: float


class Checked(NamedTuple):
    """Options that a dry run accepts."""

    plan: Plan
    start: Start
    seconds: float


def check(options: Mapping[str, Any], folders: tuple[Any, ...] = ()) -> Checked:
    """A dry run of ``options``.

    :raises MttError: they would not train.
    """
    start = time.perf_counter()
    with silent():
        plan, begun = check_only(dict(options), architectures=folders)
    return Checked(plan, begun, time.perf_counter() - start)


def findings_of(checked: Checked) -> list[Finding]:
    """What a scan finds wrong or suspicious in the data, the worst first."""
    plan = checked.plan
    parts = {"training": plan.options.training_set}
    sets = {name: part for name, part in parts.items() if isinstance(part, list)}
    requested = checked.start.model.requested_neighbor_lists()
    length_unit = plan.data.info.length_unit
    cutoffs = [float(one.engine_cutoff(length_unit)) for one in requested]
    with silent():
        found = scan(plan.data.parts(), sets, cutoff=max(cutoffs, default=None))
    return [one for one in by_severity(found) if one.severity in ("wrong", "suspicious")]


def timed(checked: Checked, batch_size: int) -> Timed:
    """Train a copy of the model for a few steps on a part of the data.

    :param batch_size: structures of a batch, about.
    """
    whole, held = merge(checked.plan.data.training), merge(checked.plan.data.validation)
    some, few = _part(whole, _BATCHES * batch_size), _part(held, batch_size)
    seconds: list[float] = []
    began: list[float] = []

    def listen(category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            began.append(time.perf_counter())
        elif category == "epoch":
            seconds.append(time.perf_counter())

    start = time.perf_counter()
    _train(checked, (some, few), {"num_epochs": _EPOCHS}, listen)
    ends = [*began[:1], *seconds]
    epochs = np.diff(ends)[1:] if len(ends) > 2 else np.diff([start, *ends])
    share = (len(whole) + len(held) / 3) / (len(some) + len(few) / 3)
    first = float(ends[1] - start) if len(ends) > 1 else 0.0
    return Timed(float(min(epochs)) * share, checked.seconds + first)


def peak_of_step(checked: Checked, n: int) -> tuple[int, int]:
    """Peak memory of a training step on the ``n`` largest structures, and the memory that is free.

    In bytes. What is compiled takes less, and minutes to compile.
    """
    whole, held = merge(checked.plan.data.training), merge(checked.plan.data.validation)
    device = checked.plan.device
    order = np.argsort(-whole.n_atoms.numpy(), kind="stable")[:n]
    some, few = whole.select(np.sort(order)), _part(held, 1)
    asked = {"num_epochs": 1, "batch_size": n, "max_atoms_per_batch": None, "compile": False}
    known = checked.plan.options.architecture["training"]
    hypers = {key: value for key, value in asked.items() if key in known}
    free = free_memory(device)
    peak = peak_of(lambda: _train(checked, (some, few), hypers, lambda *_: None), device)
    return peak, free


def _train(
    checked: Checked, sets: tuple[Dataset, Dataset], changed: Mapping[str, Any], listen: Listener
) -> None:
    """Train the model with ``changed`` options on the first of ``sets``; nothing is kept."""
    plan, model = checked.plan, checked.start.model
    hypers = copy.deepcopy(plan.options.architecture["training"]) | changed
    trainer = plan.architecture.trainer(hypers)
    trainer.run = Run(
        seed=plan.options.seed,
        architecture=plan.architecture.name,
        listeners=(listen,),
        own_loggers=False,
    )
    for dataset in sets:
        dataset.prepare(model.requested_neighbor_lists())
    with tempfile.TemporaryDirectory() as folder, silent():
        trainer.train(model, plan.dtype, [plan.device], [sets[0]], [sets[1]], folder)


def _part(dataset: Dataset, n: int) -> Dataset:
    chosen = np.unique(np.linspace(0, len(dataset) - 1, min(n, len(dataset))).astype(int))
    return dataset.select(chosen)
