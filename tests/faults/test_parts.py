"""Parts and batches that cannot be are told with their numbers: one message, nothing on disk."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ase.io
import numpy as np
import pytest
from ase.calculators.singlepoint import SinglePointCalculator

Options = dict[str, Any]
Write = Callable[..., Path]
Refused = Callable[..., str]
RefusedAfter = Callable[[Callable[[Options], None], list[str]], None]


@pytest.fixture
def frames(ethanol: Path) -> list[Any]:
    found: list[Any] = ase.io.read(ethanol, ":")
    return found


def held_out(**parts: Any) -> Callable[[Options], None]:
    return lambda options: options.update(parts)


def training(**options: Any) -> Callable[[Options], None]:
    return lambda written: written["architecture"]["training"].update(options)


@pytest.mark.parametrize(
    ("change", "texts"),
    [
        (
            held_out(validation_set=0.01),
            ["the validation set is empty: 0.01 of 20 structures is less than one"],
        ),
        (held_out(test_set=0.01), ["the test set is empty: 0.01 of 20 structures is less than"]),
        (held_out(validation_set=0.0), ["options.yaml:", "validation_set: there are no structur"]),
        (held_out(validation_set=0.9, test_set=0.1), ["together take 1 of the structures"]),
        (
            held_out(validation_set={"indices": list(range(20))}, test_set=0.0),
            ["training_set: no structures are left for training, of 20"],
        ),
        (held_out(validation_set={"indices": [3, 20]}), ["[20] (1 in all): not in 0 … 19"]),
        (
            held_out(validation_set={"indices": [3]}, test_set={"indices": [3]}),
            ["test_set.indices: [3] (1 in all): in the validation set, too"],
        ),
        (
            training(max_atoms_per_batch=8),
            [
                "ethanol.xyz, frame",
                "9 atoms do not fit into a batch of at most 8 atoms; max_atoms_",
            ],
        ),
        (
            training(min_atoms_per_batch=9999),
            [
                "architecture.training.min_atoms_per_batch: min_atoms_per_batch: 9999 leaves no "
                "batch: of 14 structures the largest one has 36 atoms; set it to 36 at most, or",
            ],
        ),
    ],
)
def test_parts_and_batches_that_cannot_be_are_refused_with_the_numbers(
    refused_after: RefusedAfter, change: Callable[[Options], None], texts: list[str]
) -> None:
    refused_after(change, texts)


@pytest.mark.parametrize("part", ["validation", "test"])
def test_an_element_that_does_not_train_is_refused(
    tiny: Options, write: Write, refused: Refused, frames: list[Any], part: str
) -> None:
    frames[0].numbers[0] = 14
    ase.io.write("other.xyz", frames[:4])
    tiny[f"{part}_set"] = copy.deepcopy(tiny["training_set"])
    tiny[f"{part}_set"]["systems"]["read_from"] = "other.xyz"
    write(tiny)
    assert (
        f"{part}_set: Si is in the {part} set and not in the training set; a model learns "
        "nothing about elements that it never sees"
    ) in refused("train", "options.yaml")


@pytest.mark.parametrize("part", ["training", "validation"])
def test_a_frame_above_the_batch_limit_is_refused_wherever_it_is(
    tiny: Options, write: Write, refused: Refused, frames: list[Any], part: str
) -> None:
    large = frames[0] * (1, 1, 1)
    moved = frames[1].copy()
    moved.positions += 20.0
    large += moved
    large.calc = SinglePointCalculator(large, energy=-619.0, forces=np.zeros((18, 3)))
    ase.io.write("other.xyz", [*frames[:4], large])
    tiny["test_set"] = 0.0
    tiny["validation_set"] = copy.deepcopy(tiny["training_set"])
    tiny[f"{part}_set"]["systems"]["read_from"] = "other.xyz"
    tiny["architecture"]["training"]["max_atoms_per_batch"] = 10
    write(tiny)
    message = refused("train", "options.yaml")
    assert "other.xyz, frame 4" in message
    assert "18 atoms do not fit" in message
    assert "max_atoms_per_batch must be at least 18" in message
