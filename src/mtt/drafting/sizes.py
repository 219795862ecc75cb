"""Numbers that suit the data: cutoff, batch, split, epochs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from mtt.drafting.content import Content
from mtt.drafting.labels import Chosen
from mtt.errors import DataError

_CUTOFF, _SHORTEST, _LONGEST, _STEP = 5.0, 4.0, 6.5, 0.5  # Å
_MANY, _FEW = 70.0, 20.0  # neighbours of an atom
_EPOCH_STEPS = 50  # of the optimizer, at least, where there are as many structures
_FEWEST_STRUCTURES, _MOST_STRUCTURES, _MOST_ATOMS = 4, 16, 512  # of a batch
_UNEQUAL = 3.0  # largest structure over the average one, from which batches count atoms
_TOTAL_STEPS = 20_000  # of the optimizer, where no time is given
_SHARE = 0.5  # of the free memory for a step: others run on the machine too
_AFTER = 15.0  # s that export, evaluation and report take on one core, at least
_EPOCHS = (20, 2_000)  # at least, at most


@dataclass(frozen=True)
class Sizes:
    """What follows from the data.

    :param cutoff: in the unit of length of the data.
    :param neighbors: of an atom within it, on average.
    :param n_labels: energies and force components of the training set.
    :param batch_size: structures of a batch.
    :param batch_atoms: atoms of a batch instead; None where structures are of one size.
    :param largest: atoms of the largest structure.
    """

    cutoff: float
    neighbors: float
    validation: float
    test: float
    n_training: int
    n_labels: int
    batch_size: int
    batch_atoms: int | None
    epochs: int
    largest: int

    @property
    def n_largest(self) -> int:
        """How many of the largest structures a batch can hold."""
        if self.batch_atoms is None:
            return self.batch_size
        return max(1, self.batch_atoms // self.largest)


def sizes_for(content: Content, labels: Chosen) -> Sizes:
    """Sizes for the data, before any step is timed.

    :raises DataError: one structure alone, which leaves none to validate on.
    """
    n = len(content.frames)
    if n < 2:
        what = "one structure is too little: the best epoch is chosen on structures held out"
        raise DataError(what, where=", ".join(content.names))
    validation = 0.1 if n >= 20 else ceil(100.0 / n) / 100.0 if n < 10 else 0.2
    test = 0.1 if n >= 100 else 0.0
    training = max(1, round(n * (1.0 - validation - test)))
    mean = float(content.n_atoms.mean())
    of_structure = (1 if labels.energy or labels.scalar else 0) + (3 * mean if labels.forces else 0)
    cutoff, neighbors = _cutoff(content)
    batch = min(_MOST_STRUCTURES, max(_FEWEST_STRUCTURES, training // _EPOCH_STEPS))
    batch = max(1, min(batch, training // 2, int(_MOST_ATOMS / mean)))
    largest = int(content.n_atoms.max())
    atoms = None
    if largest > _UNEQUAL * mean or largest > _UNEQUAL * float(np.median(content.n_atoms)):
        atoms = max(largest, round(batch * mean))
    epochs = _epochs(training, batch)
    return Sizes(
        cutoff, neighbors, validation, test, training, round(training * of_structure), batch,
        atoms, epochs, largest,
    )  # fmt: skip


def fitting(sizes: Sizes, peak: int, free: int) -> Sizes:
    """Smaller batches, and as many steps, where a step takes more than its share of the memory.

    :param peak: bytes of a step on ``n_largest`` of the largest structures.
    :param free: bytes that it can use.
    """
    share = _SHARE * free / max(peak, 1)
    if share >= 1.0:
        return sizes
    n = max(1, int(sizes.batch_size * share))
    atoms = sizes.batch_atoms and max(sizes.largest, int(sizes.batch_atoms * share))
    return replace(sizes, batch_size=n, batch_atoms=atoms, epochs=_epochs(sizes.n_training, n))


def epochs_within(seconds: float, epoch: float, overhead: float) -> int:
    """Epochs of ``epoch`` seconds that fit into a time, beside what comes before and after them.

    A tenth is kept for the export, the evaluation and the report; of a short time, more.
    """
    after = max(0.1 * seconds, min(_AFTER, 0.4 * seconds))
    return max(1, int((seconds - overhead - after) / epoch))


def _cutoff(content: Content) -> tuple[float, float]:
    """The cutoff: 5 Å, less where an atom has very many neighbours, more where it has few."""
    angstrom = {"bohr": 1.8897, "nm": 0.1}.get(content.length_unit[0], 1.0)
    cutoff = _CUTOFF
    found = content.neighbors(cutoff * angstrom)
    while found > _MANY and cutoff > _SHORTEST:
        cutoff -= _STEP
        found = content.neighbors(cutoff * angstrom)
    while content.all_periodic and found < _FEW and cutoff < _LONGEST:
        cutoff += _STEP
        found = content.neighbors(cutoff * angstrom)
    return round(cutoff * angstrom, 3), found


def _epochs(n_training: int, batch: int) -> int:
    return int(np.clip(_round(_TOTAL_STEPS / ceil(n_training / batch)), *_EPOCHS))


def _round(value: float) -> int:
    """Two significant digits, for a number that a person reads."""
    size = 10 ** max(0, len(str(int(value))) - 2)
    return int(round(value / size) * size)
