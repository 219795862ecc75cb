"""Options of batches, epochs and augmentation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mtt.options.training.option import option


@dataclass(frozen=True)
class BatchOptions:
    """Size of a batch, batches per step, and number of epochs."""

    batch_size: int = option(
        8,
        "Structures per batch. Small batches take more steps per epoch and often learn better; "
        "4 to 16 suits most data. Unused when max_atoms_per_batch is set. Several processes share "
        "a batch, so that their number does not change what is learned.",
        acts="from here",
        in_stages=True,
        minimum=1,
    )
    batch_size_per_rank: int | None = option(
        None,
        "Structures per batch on each of several processes, instead of batch_size: a batch has as "
        "many times more as there are processes, and the same file learns something else on "
        "another number of them.",
        acts="from here",
        in_stages=True,
        minimum=1,
    )
    gradient_accumulation: int = option(
        1,
        "Batches per optimizer step. The loss is normalised over all of them together, so that "
        "k batches of n structures give the step of one batch of k n, in the memory of n.",
        acts="from here",
        in_stages=True,
        minimum=1,
    )
    max_atoms_per_batch: int | None = option(
        None,
        "Maximum number of atoms per batch; structures are added while they fit. Set it instead "
        "of batch_size if structures differ much in size. Several processes share a batch.",
        acts="from here",
        minimum=1,
    )
    min_atoms_per_batch: int = option(
        0,
        "Training batches with fewer atoms are left out of the epoch. Only with "
        "max_atoms_per_batch.",
        acts="from here",
        minimum=0,
    )
    batch_atoms: Literal[None, "auto"] = option(
        None,
        "auto finds max_atoms_per_batch when the training begins: the memory of some training "
        "steps is measured, first with the largest structures. A batch takes at most 70 % of the "
        "free memory (of each process its part), and holds at most 64 average structures and 1/20 "
        "of the training set. "
        "null: the options above decide.",
        acts="from here",
    )
    augmentation: Literal["none", "so3", "o3"] = option(
        "none",
        "Rotate every training structure and its labels by a different random rotation in each "
        "epoch. so3: proper rotations; o3: also with inversion; none: no rotation. For "
        "architectures that are not equivariant by construction; the others do not benefit. "
        "Validation structures are never rotated.",
        acts="from here",
        in_stages=True,
    )
    num_epochs: int = option(
        100,
        "Number of passes over the training set, including those before a restart.",
        acts="any time",
        minimum=1,
    )
