"""``batch_atoms: auto``: how many atoms make a batch, measured on training steps and planned.

The memory of a step is taken as b + a·atoms + p·pairs. It is measured on batches of the
structures with the most pairs, each about twice the one before, as far as the memory and the
upper limit allow. The number of atoms is then the largest of which the densest batch that the
data can make still fits; a step on that batch is tried before it is trusted.
"""

from __future__ import annotations

import copy
import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from mtt.data.batching.largest_batch import describe
from mtt.data.memory import OutOfMemory, Remedy, free_memory, telling_lack
from mtt.ranks import SerialRanks
from mtt.training.batch_size.peak_memory import peak_of
from mtt.training.build import make_loader, make_stage
from mtt.training.numerics.random_state import restore_rng, rng_state
from mtt.training.options.defaults import SECTION
from mtt.training.plan import StagePlan
from mtt.training.setup import TrainingSetup

log = logging.getLogger(__name__)

SHARE = 0.7
"""Of the free memory, for a step; the rest is for batches on their way, and for fragments."""
MOST = 64
"""Average structures of a step at most: more of them learn less from the same data."""
STEPS = 20
"""Optimizer steps of an epoch at least."""

_SEEN_IN_MEMORY = ("optimizer", "weight_decay", "gradient_combination", "amp", "ema", "loss")
_TOO_LARGE = "leave the largest structures out, or take a smaller model or cutoff"


class Cost(NamedTuple):
    """Bytes of a training step: ``base + atom * atoms + pair * pairs``."""

    base: float
    atom: float
    pair: float

    def __call__(
        self, atoms: NDArray[np.float64], pairs: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        return self.base + self.atom * atoms + self.pair * pairs


class Measured(NamedTuple):
    """Memory that one training step took."""

    atoms: int
    pairs: int
    peak: int  # bytes


class Sizes(NamedTuple):
    """Sizes of the structures of the training set."""

    atoms: NDArray[np.int64]
    pairs: NDArray[np.int64]

    def first(self, order: NDArray[np.int64], atoms: int) -> NDArray[np.int64]:
        """First structures of ``order`` with up to ``atoms`` atoms; at least one."""
        n = np.searchsorted(self.atoms[order].cumsum(), atoms, side="right")
        return order[: max(1, int(n))]

    def densest(self) -> NDArray[np.int64]:
        """All structures; those with the most pairs for an atom come first."""
        return np.argsort(-self.pairs / self.atoms, kind="stable")

    def most_pairs(self, atoms: NDArray[np.float64]) -> NDArray[np.float64]:
        """Largest number of pairs in a batch of so many atoms, for any order of the data."""
        order = self.densest()
        known, found = (
            np.concatenate([[0.0], of[order].cumsum()]) for of in (self.atoms, self.pairs)
        )
        pairs: NDArray[np.float64] = np.interp(atoms, known, found)
        return pairs


def plan_batch_atoms(setup: TrainingSetup) -> int:
    """Atoms per batch on all ranks together; weights, optimizer and random numbers stay.

    The part of a rank is its share and at most one structure more
    (:func:`mtt.data.batching.order.plan`), and fits on every rank.

    :param setup: its model is on the device, and has the precision, of the training.
    :raises OutOfMemory: the largest structure alone is too much.
    """
    device, alone = setup.model.device, SerialRanks()
    random = rng_state(device, alone)
    try:
        kinds: dict[str, StagePlan] = {}
        for plan in setup.plans:
            kinds.setdefault(str([getattr(plan.options, name) for name in _SEEN_IN_MEMORY]), plan)
        found = [_probed(setup, plan) for plan in kinds.values()]
    finally:
        restore_rng(random, device, alone)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    fits = setup.ranks.min(min(one.fits for one in found))
    least, most = found[0].least, min(one.most for one in found)
    return min(max(fits, setup.ranks.size * (fits - least)), most)


class Probed(NamedTuple):
    """Atoms of a batch: as many as fit on one rank, the fewest and the most that are wanted."""

    fits: int
    least: int
    most: int


def _probed(setup: TrainingSetup, plan: StagePlan) -> Probed:
    probe = _Probe(setup, plan)
    fits = probe.run()
    return Probed(fits, *probe.bounds()[:2])


class _Probe:
    """Takes steps of one stage, with a copy of the model and an optimizer that are thrown away.

    Each rank does so for itself, as many steps as its device has room for.
    """

    def __init__(self, setup: TrainingSetup, plan: StagePlan) -> None:
        self._setup, self._device = setup, setup.model.device
        # what is compiled takes less memory, but minutes to compile
        self._plan = replace(plan, options=replace(plan.options, compile=False))
        model = copy.deepcopy(setup.model).train()
        loss = setup.losses[plan.number]
        training = setup.data.training
        self._stage = make_stage(self._plan, model, training, loss, 0, SerialRanks())
        data = setup.data.training
        pairs = data.pairs(model.list_cutoff()).n_pairs[data.structures]
        self._sizes = Sizes(data.n_atoms.numpy(), np.asarray(pairs))

    def run(self) -> int:
        """Measure, plan and try."""
        sizes = self._sizes
        least, most, reason = self.bounds()
        order = np.argsort(-(sizes.pairs + sizes.atoms), kind="stable")
        self._take(order[:1])  # makes the optimizer's moments, and whatever else stays
        free = free_memory(self._device)
        cost = fit(list(self._grow(order, most, SHARE * free)))
        numbers = np.arange(least, most + 1, dtype=np.float64)
        fitting = numbers[cost(numbers, sizes.most_pairs(numbers)) <= SHARE * free]
        number, peak = self._try(int(fitting.max(initial=least)), least, SHARE * free)
        log.info(
            "batch_atoms: up to %d atoms per batch (%s). A training step takes %s for an atom, %s "
            "for a pair and %s in addition; the largest one took %s of %s that are free",
            number,
            reason if number == most else "more would not fit",
            *map(_in_words, (cost.atom, cost.pair, cost.base, peak, free)),
        )
        return number

    def bounds(self) -> tuple[int, int, str]:
        """The fewest atoms that hold every structure, the most that are wanted, and why these."""
        atoms, sets = self._sizes.atoms, self._setup.data.validation_sets
        least = max(int(one.n_atoms.max()) for one in (self._setup.data.training, *sets))
        reasons = {
            f"{MOST} average structures a step": MOST * float(atoms.mean()),
            f"{STEPS} steps an epoch": float(atoms.sum()) / STEPS,
        }
        reason = min(reasons, key=lambda name: reasons[name])
        most = int(reasons[reason]) // self._plan.options.gradient_accumulation
        return (least, most, reason) if most > least else (least, least, "the largest structure")

    def _grow(self, order: NDArray[np.int64], most: int, budget: float) -> Iterator[Measured]:
        """Steps on the structures that come first, and one on those with the fewest pairs."""
        last = self._measure(order[:1])
        yield last
        while last.atoms < most and 2 * last.peak < budget:
            more = self._sizes.first(order, 2 * last.atoms)
            if self._atoms(more) == last.atoms:
                break
            last = self._measure(more)
            yield last
        sparse = self._sizes.densest()[::-1]
        yield self._measure(self._sizes.first(sparse, last.atoms))

    def _try(self, number: int, least: int, budget: float) -> tuple[int, int]:
        """The first number of atoms, from ``number`` down, of which the densest batch fits."""
        densest = self._sizes.densest()
        while True:
            try:
                peak = self._measure(self._sizes.first(densest, number)).peak
            except OutOfMemory:
                if number == least:
                    raise
            else:
                if peak <= budget or number == least:
                    return number, peak
            number = max(least, int(0.8 * number))

    def _measure(self, structures: NDArray[np.int64]) -> Measured:
        atoms, pairs = self._atoms(structures), int(self._sizes.pairs[structures].sum())
        return Measured(atoms, pairs, peak_of(lambda: self._take(structures), self._device))

    def _atoms(self, structures: NDArray[np.int64]) -> int:
        return int(self._sizes.atoms[structures].sum())

    def _take(self, structures: NDArray[np.int64]) -> None:
        """Take a training step on ``structures`` without any event or record."""
        data = self._setup.data.training.select(structures)
        options = self._plan.options
        options = replace(options, batch_size=len(structures), max_atoms_per_batch=None)
        model, alone = self._setup.model, SerialRanks()
        loader = make_loader(options, model, data, 0, shuffle=False, ranks=alone)
        (batch,) = loader.epoch()
        with telling_lack(
            self._device,
            lambda: f"a trial step on {describe([batch], data.source)}",
            lambda: Remedy(f"{SECTION}.batch_atoms", _TOO_LARGE),
        ):
            # without a learning rate, L-BFGS would not search
            self._stage.step(self._stage.loss.at(0), [batch], options.learning_rate)
            self._stage.step.optimizer.zero_grad(set_to_none=True)


def fit(measured: Sequence[Measured]) -> Cost:
    """Least squares without negative numbers: no part of a batch gives memory back.

    The result is raised where a measurement exceeds it.
    """
    sizes = np.array([[1.0, one.atoms, one.pairs] for one in measured])
    peaks = np.array([float(one.peak) for one in measured])
    best, smallest = np.zeros(3), np.inf
    for kept in itertools.product([False, True], repeat=3):
        values = np.zeros(3)
        values[list(kept)] = np.linalg.lstsq(sizes[:, list(kept)], peaks, rcond=None)[0]
        residual = float(np.square(sizes @ values - peaks).sum())
        if (values >= 0).all() and residual < smallest:
            best, smallest = values, residual
    return Cost(*(best * max(1.0, float((peaks / (sizes @ best)).max()))).tolist())


def _in_words(n_bytes: float) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20)):
        if n_bytes >= size:
            return f"{n_bytes / size:.3g} {unit}"
    return f"{n_bytes / 1024:.3g} KiB"
