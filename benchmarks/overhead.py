"""How much of an epoch is the engine, not the model.

    python benchmarks/overhead.py [--rounds 15] [--threads 2]

Two kinds of epochs in turn, in one process, each over the same 450 training structures in
batches of 10 and the same 50 validation structures, energies and forces, soap_bpnn with its
defaults in float32:

engine  what ``mtt train`` does: gathering the batches in a new order, the loss of the options,
        the check for finite numbers, clipping, the moving average of the weights, errors of
        training and validation, train.csv, history.jsonl, the line of the epoch, best.ckpt
bare    on batches made beforehand: forward, the gradient for the forces, a mean squared error,
        backward, one call of the same optimizer; for validation forward and forces alone

The overhead of a round is the part of the engine's epoch that the bare one does not need.
Afterwards some more epochs of the engine run with a clock in its parts. The data are those of
``setting.py``.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import setting
import torch
from clock import Clock
from mtt.training.averaging.ema import EMA

import mtt.training.step
from mtt.data import Batch, Batching, Loader, merge
from mtt.interface import Run
from mtt.mlip import MLIPModel
from mtt.training.checkpoints import Checkpoints
from mtt.training.losses.loss import Loss
from mtt.training.reporting.events import Events
from mtt.training.reporting.meter import Meter
from mtt.training.step import Step
from mtt.workflows.train import begin, prepare

SKIPPED = 2  # rounds that warm up
CLOCKED = 5  # epochs with a clock in the engine


class Seconds(NamedTuple):
    """What an epoch took: on the clock on the wall, and of the processors."""

    wall: float
    cpu: float


def now() -> Seconds:
    return Seconds(time.perf_counter(), time.process_time())


def since(start: Seconds) -> Seconds:
    wall, cpu = now()
    return Seconds(wall - start.wall, cpu - start.cpu)


class Bare:
    """The epoch that a user could write in ten lines, with the batches ready."""

    def __init__(self, model: MLIPModel, training: list[Batch], validation: list[Batch]) -> None:
        self.model, self.training, self.validation = model, training, validation
        self.parameters = list(model.parameters())
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-4, fused=True)
        self.scale = model.scales["energy"]

    def epoch(self) -> None:
        self.model.train()
        for batch in self.training:
            self.optimizer.zero_grad()
            predicted = self.model.predict_targets(batch.graph, create_graph=True)["energy"]
            label = batch.targets["energy"]
            energies = (predicted.values - label.values) / batch.n_atoms[:, None] / self.scale
            forces = (predicted.forces - label.forces) / self.scale
            loss = energies.square().mean() + forces.square().mean()
            loss.backward(inputs=self.parameters)
            self.optimizer.step()
        self.model.eval()
        for batch in self.validation:
            self.model.predict_targets(batch.graph, create_graph=False)


@contextlib.contextmanager
def clocks(clock: Clock) -> Iterator[None]:
    """A clock in every part of the engine, within the block."""
    parts: list[tuple[str, Any, str]] = [
        ("model: forward, forces", MLIPModel, "predict_targets"),
        ("model: backward", torch.Tensor, "backward"),
        ("optimizer", torch.optim.Adam, "step"),
        ("loader", Loader, "epoch"),
        ("loss", Loss, "__call__"),
        ("norm, clipping", mtt.training.step, "get_total_norm"),
        ("norm, clipping", mtt.training.step, "clip_grads_with_norm_"),
        ("moving average", EMA, "update"),
        ("errors", Meter, "add"),
        ("errors", Meter, "compute"),
        ("checkpoints", Checkpoints, "save_best"),
        ("checkpoints", Checkpoints, "save_epoch"),
        ("files, lines, listeners", Events, "__call__"),
        ("rest of the step", Step, "__call__"),
    ]
    before = [(owner, name, getattr(owner, name)) for _, owner, name in parts]
    for (label, owner, name), (_, _, function) in zip(parts, before, strict=True):
        change = clock.along if (owner, name) == (Loader, "epoch") else clock.around
        setattr(owner, name, change(label, function))
    try:
        yield
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


class Measurement:
    """Listens to a training: what lies between two of its calls is an epoch of the engine.

    :param bare: made when the training begins, since the model has no scale before.
    """

    def __init__(self, rounds: int, bare: Callable[[], Bare]) -> None:
        self.n_epochs = SKIPPED + rounds + 1 + CLOCKED
        self.engine: list[Seconds] = []
        self.bare: list[Seconds] = []
        self.clocked: list[Mapping[str, float]] = []
        self._rounds, self._make = rounds, bare
        self._model: Bare | None = None
        self._clock = Clock()
        self._running = contextlib.ExitStack()
        self._start = now()

    def __call__(self, category: str, values: Mapping[str, Any], epoch: int) -> None:
        if category == "run_start":
            self._model = self._make()
        elif category != "epoch":
            return
        else:
            took = since(self._start)
            self._running.close()
            self._note(took, epoch)
        if epoch > SKIPPED + self._rounds:
            self._clock = Clock()
            self._running.enter_context(clocks(self._clock))
            self._running.enter_context(self._clock.part("rest of the loop"))
        self._start = now()

    def _note(self, took: Seconds, epoch: int) -> None:
        assert self._model is not None
        if epoch > SKIPPED + self._rounds:
            if self._clock.seconds:
                self.clocked.append(self._clock.seconds)
            return
        start = now()
        self._model.epoch()
        if epoch > SKIPPED:
            self.engine.append(took)
            self.bare.append(since(start))


def measure(path: Path, rounds: int) -> Measurement:
    """Train ``rounds`` epochs of each kind, in an empty folder."""
    n_epochs = SKIPPED + rounds + 1 + CLOCKED
    options = setting.options(path, {"num_epochs": n_epochs, "ema": True})
    plan = prepare(options, Path("model.pt"), None, (), (), False)
    start = begin(plan)
    assert isinstance(start.model, MLIPModel)

    def bare() -> Bare:
        model = copy.deepcopy(start.model)

        def batches(part: list[Any]) -> list[Batch]:
            loader = Loader(
                merge(part), model.dataset_info.atomic_types, cutoff=model.list_cutoff(),
                dtype=model.dtype, batching=Batching(structures=setting.BATCH_SIZE), shuffle=False,
            )  # fmt: skip
            return list(loader.epoch())

        return Bare(model, batches(plan.data.training), batches(plan.data.validation))

    measurement = Measurement(rounds, bare)
    start.trainer.run = Run(
        seed=plan.options.seed, architecture=plan.architecture.name, directory=Path.cwd(),
        listeners=[measurement],
    )  # fmt: skip
    start.trainer.train(
        start.model, plan.dtype, [plan.device], plan.data.training, plan.data.validation,
        "checkpoints",
    )  # fmt: skip
    if len(measurement.engine) != rounds or not measurement.clocked:
        raise SystemExit("the measurement stopped; the error stands above")
    return measurement


def show(measurement: Measurement, n_structures: int) -> None:
    """The table, and what the engine does in its epochs."""
    print(f"\n{'epoch':8s} {'median s':>9s} {'fastest':>8s} {'slowest':>8s} {'processor s':>12s} "
          f"{'structures/s':>13s}")  # fmt: skip
    for name, times in (("engine", measurement.engine), ("bare", measurement.bare)):
        wall = [one.wall for one in times]
        median = statistics.median(wall)
        print(f"{name:8s} {median:9.4f} {min(wall):8.4f} {max(wall):8.4f} "
              f"{statistics.median(one.cpu for one in times):12.4f} "
              f"{n_structures / median:13.1f}")  # fmt: skip
    for name in Seconds._fields:
        parts = sorted(
            1 - getattr(bare, name) / getattr(engine, name)
            for engine, bare in zip(measurement.engine, measurement.bare, strict=True)
        )
        quarter = len(parts) // 4
        print(
            f"overhead, {name:4s} {statistics.median(parts):6.1%} of the engine's epoch "
            f"(median of the rounds; quartiles {parts[quarter]:.1%}, {parts[-1 - quarter]:.1%})"
        )
    fastest = 1 - min(measurement.bare).wall / min(measurement.engine).wall
    print(f"overhead, of the fastest epochs {fastest:.1%}: what other processes disturb least")
    total = statistics.median(sum(one.values()) for one in measurement.clocked)
    print(f"\nthe engine's parts ({len(measurement.clocked)} epochs with clocks in them)")
    names = {name for one in measurement.clocked for name in one}
    medians = {
        name: statistics.median(one.get(name, 0.0) for one in measurement.clocked) for name in names
    }
    for name, seconds in sorted(medians.items(), key=lambda item: -item[1]):
        print(f"  {name:26s} {1e3 * seconds:8.1f} ms {seconds / total:7.1%}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=None, help="of torch; all cores, if absent")
    given = parser.parse_args()
    if given.rounds < 1:
        parser.error("at least 1 round is needed")
    if given.threads is not None:
        torch.set_num_threads(given.threads)
    print(setting.machine())
    path, name = setting.structures()
    print(f"soap_bpnn on {name}, {given.rounds} rounds")
    here = Path.cwd()
    with tempfile.TemporaryDirectory() as scratch:
        os.chdir(scratch)
        try:
            measurement = measure(path, given.rounds)
        finally:
            os.chdir(here)
    indices = setting.options(path, {})["training_set"]["indices"]
    show(measurement, len(indices))


if __name__ == "__main__":
    main()
